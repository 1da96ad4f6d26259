/** Withdrawing what is out: everybody is told, so it waits while there is a way back. */
import { SvelteSet } from 'svelte/reactivity';
import { backend, Failure, type ReleaseInfo } from '../backend';
import { t } from '../i18n/index.svelte';
import { node } from './status.svelte';
import { toasts } from './toasts.svelte';

/** As long as the toast offers the way back. */
const WAIT_MS = 10_000;

class Withdrawals {
  #going = new SvelteSet<string>();

  has(release: string): boolean {
    return this.#going.has(release);
  }

  begin({ release_id: release, title }: ReleaseInfo): void {
    if (this.#going.has(release)) return;
    this.#going.add(release);
    const timer = setTimeout(() => void this.#end(release, title), WAIT_MS);
    toasts.say(t.studio.mine.withdrawing(title), () => {
      clearTimeout(timer);
      this.#going.delete(release);
    });
  }

  async #end(release: string, title: string): Promise<void> {
    try {
      await backend().call('withdraw', { release });
      toasts.say(t.studio.mine.withdrawn(title));
      node.changed();
    } catch (thrown) {
      toasts.fail(Failure.from(thrown));
    } finally {
      this.#going.delete(release);
    }
  }
}

export const withdrawals = new Withdrawals();
