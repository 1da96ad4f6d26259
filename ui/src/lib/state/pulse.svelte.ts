/** Hears of what changes, for as long as something that shows it is in sight. */
import { untrack } from 'svelte';
import { backend, Failure, type Event } from '../backend';
import { toasts } from './toasts.svelte';

/** Blocks and signatures can come by the hundred; screens read anew at most this often. */
const PULSE_MS = 250;

export class Pulse {
  /** Goes up when what is shown may have changed: read it in a loader to load again. */
  pulse = $state(0);
  #stirs: Event['event'][];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #followers = 0;
  #stops: (() => void)[] = [];

  /** @param stirs the events after which something may have changed */
  constructor(stirs: Event['event'][]) {
    this.#stirs = stirs;
  }

  /** Hears of it until the answer is called. */
  follow = (): (() => void) => {
    if (this.#followers++ === 0) {
      this.begin();
      this.#stops = [
        backend().onEvent((event) => this.#hear(event)),
        backend().onConnection((connection) => connection === 'open' && this.changed()),
      ];
    }
    return () => {
      if (--this.#followers > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
      for (const stop of this.#stops) stop();
    };
  };

  /** Something changed. */
  changed(): void {
    // Whoever tells is not who listens.
    untrack(() => (this.pulse += 1));
  }

  /** What the first who follows begins with. */
  protected begin(): void {}

  #hear(event: Event): void {
    if (!this.#stirs.includes(event.event)) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.changed();
    }, PULSE_MS);
  }
}

/** Does what `work` does, after which these may have changed; a failure is told in words and answers nothing. */
export async function attempt<T>(work: () => Promise<T>, ...touched: Pulse[]): Promise<T | undefined> {
  try {
    return await work();
  } catch (thrown) {
    toasts.fail(Failure.from(thrown));
    return undefined;
  } finally {
    for (const one of touched) one.changed();
  }
}
