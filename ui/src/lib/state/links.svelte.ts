/** `musicdao:` links and files that come from outside: pasted, scanned, or opened by the system with this app. */
import { backend, Failure } from '../backend';
import { href, router } from '../router.svelte';
import { node } from './status.svelte';
import { studio } from './studio.svelte';

/** Joins by a link; says where it leads, if anywhere. */
export async function openLink(link: string): Promise<string | undefined> {
  const { kind, id, known, unreachable } = await backend().call('open', { link, wait_ms: null });
  if (unreachable && !known) throw Failure.from(unreachable);
  await node.refresh();
  return kind === 'release' || kind === 'artist' ? href(kind, id) : undefined;
}

/** What the system opens with this app. */
class Links {
  /** Whether a person is asked about {@link link}: any page of the web can have one opened. */
  asking = $state(false);
  link = $state('');

  start(): () => void {
    return backend().onOpened(({ links: [link], files }) => {
      if (link && !this.asking) {
        this.link = link;
        this.asking = true;
      }
      if (files.length) {
        router.go('#/studio/draft');
        void studio.add(files);
      }
    });
  }
}

export const links = new Links();
