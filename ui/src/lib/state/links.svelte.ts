/** `musicdao:` links and files that come from outside: pasted, scanned, or opened by the system with this app. */
import { backend, Failure, type Source } from '../backend';
import { t } from '../i18n/index.svelte';
import { href } from '../router.svelte';
import { listedFile } from './catalogue.svelte';
import { jobs } from './jobs.svelte';
import { player } from './player.svelte';
import { node } from './status.svelte';
import { toasts } from './toasts.svelte';

/** Joins by a link; says where it leads, if anywhere. */
export async function openLink(link: string): Promise<string | undefined> {
  const { kind, id, known, unreachable } = await backend().call('open', { link, wait_ms: null });
  if (unreachable && !known) throw Failure.from(unreachable);
  await node.refresh();
  // What a person was invited to join is asked at once.
  if (kind === 'dao') return `${href('dao', id)}?join`;
  return kind === 'release' || kind === 'artist' ? href(kind, id) : undefined;
}

/** What the system opens with this app. */
class Links {
  /** Whether a person is asked about {@link link}: any page of the web can have one opened. */
  asking = $state(false);
  link = $state('');

  /** Asks a person whether to open a link, or for one. */
  ask(link = ''): void {
    this.link = link;
    this.asking = true;
  }

  start(): () => void {
    return backend().onOpened(({ links: [link], files }) => {
      if (link && !this.asking) this.ask(link);
      if (files.length) void play(files);
    });
  }
}

export const links = new Links();

/** Files opened with the app are heard, and stay private. */
async function play(sources: Source[]): Promise<void> {
  const added = await jobs
    .run('import', sources[0]?.name ?? '', async (job, { signal, tell }) => {
      const paths = await Promise.all(sources.map((one) => backend().bring(one, { signal, progress: (done, total) => tell(one.name, total ? done / total : 1) })));
      return backend().call('library', { command: 'add_files', paths, job });
    })
    // The job told it.
    .catch(() => undefined);
  const first = added?.files[0];
  if (!added || !first) return;
  node.changed();
  await player.play(added.files.map(({ file }) => ({ file })), 0, listedFile(first));
  toasts.say(t.library.opened(added.files.length));
}
