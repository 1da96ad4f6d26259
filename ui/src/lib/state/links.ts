/** `musicdao:` links and files that come from outside: pasted, scanned, or opened by the system with this app. */
import { backend, Failure } from '../backend';
import { t } from '../i18n/index.svelte';
import { href, router } from '../router.svelte';
import { node } from './status.svelte';
import { studio } from './studio.svelte';
import { toasts } from './toasts.svelte';

/** Joins by a link; says where it leads, if anywhere. */
export async function openLink(link: string): Promise<string | undefined> {
  const { kind, id, known, unreachable } = await backend().call('open', { link, wait_ms: null });
  if (unreachable && !known) throw Failure.from(unreachable);
  await node.refresh();
  return kind === 'release' || kind === 'artist' ? href(kind, id) : undefined;
}

/** Takes what the system opens with this app. */
export function startLinks(): () => void {
  return backend().onOpened(({ links, files }) => {
    for (const link of links) void follow(link);
    if (files.length) {
      router.go('#/studio/draft');
      void studio.add(files);
    }
  });
}

async function follow(link: string): Promise<void> {
  try {
    const to = await openLink(link);
    if (to) router.go(to);
    else toasts.say(t.settings.join.joined);
  } catch (thrown) {
    toasts.fail(Failure.from(thrown));
  }
}
