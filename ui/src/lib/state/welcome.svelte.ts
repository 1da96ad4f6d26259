/** The first run: a node on which nothing was done yet greets whoever opens Home. */
import { router } from '../router.svelte';
import { node } from './status.svelte';

const KEY = 'musicdao.welcomed';

class Welcome {
  start(): () => void {
    return $effect.root(() => {
      $effect(() => {
        if (node.status?.fresh && !router.route.path.length && !met(node.status.peer_id)) router.go('#/welcome', { replace: true });
      });
    });
  }

  /** The person has been through it, or skipped it. */
  end(to = '#/'): void {
    try {
      localStorage.setItem(KEY, node.status?.peer_id ?? '');
    } catch {
      // A browser that stores nothing greets again; that does no harm.
    }
    router.go(to, { replace: true });
  }
}

export const welcome = new Welcome();

function met(peer: string): boolean {
  try {
    return localStorage.getItem(KEY) === peer;
  } catch {
    return false;
  }
}
