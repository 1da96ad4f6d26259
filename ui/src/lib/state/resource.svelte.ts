import { Failure } from '../backend';

/** Something asked for: what was answered last stays until the next answer is here. */
export class Resource<T> {
  data = $state.raw<T>();
  failure = $state.raw<Failure>();
  loading = $state(true);
  #load: () => Promise<T> | undefined;
  #turn = 0;

  constructor(load: () => Promise<T> | undefined) {
    this.#load = load;
  }

  /** Asks again. What the loader reads of the state before its first `await` is what a tracking effect follows. */
  reload = (): void => {
    const turn = ++this.#turn;
    const asked = this.#load();
    if (!asked) return;
    asked.then(
      (data) => this.#settle(turn, () => ((this.data = data), (this.failure = undefined))),
      (thrown: unknown) => this.#settle(turn, () => (this.failure = Failure.from(thrown))),
    );
  };

  #settle(turn: number, apply: () => void): void {
    if (turn !== this.#turn) return;
    apply();
    this.loading = false;
  }
}

/** Loads within a component, and again whenever the state that the loader reads changes. */
export function resource<T>(load: () => Promise<T> | undefined): Resource<T> {
  const made = new Resource(load);
  $effect(() => made.reload());
  return made;
}
