import { Failure } from '../backend';

/** Items asked for at once. */
const PAGE = 100;
/** Pages fetched at once: who scrolls fast passes by what would only be thrown away. */
const AT_ONCE = 2;
/** Pages kept; what is far from the seen part goes first. */
const MOST_PAGES = 64;

interface Page<T> {
  items: T[];
  total: number;
}

/** A long list of which only the seen parts are fetched. What was there stays until its successor is. */
export class Paged<T> {
  count = $state<number>();
  failure = $state.raw<Failure>();
  #items = $state.raw<Map<number, T[]>>(new Map());
  #asked = new Set<number>();
  #turn = 0;
  #loading = 0;
  #first = 0;
  #end = PAGE;
  #fetch: (offset: number, limit: number) => Promise<Page<T>>;

  constructor(fetch: (offset: number, limit: number) => Promise<Page<T>>) {
    this.#fetch = fetch;
  }

  at(index: number): T | undefined {
    return this.#items.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Fetches what lies between two places and is not here. */
  need = (first: number, end: number): void => {
    [this.#first, this.#end] = [first, end];
    for (let page = Math.floor(first / PAGE); page * PAGE < Math.max(end, 1); page += 1) {
      if (this.#loading >= AT_ONCE) return;
      if (!this.#asked.has(page)) void this.#load(page);
    }
  };

  /** The list changed: its seen part is fetched anew, the rest when it is seen. */
  reload = (): void => {
    this.#turn += 1;
    this.#asked.clear();
    this.need(this.#first, this.#end);
  };

  /** Shows a change before the node confirms it. */
  guess(change: (at: (index: number) => T | undefined) => Map<number, T>): void {
    const pages = new Map(this.#items);
    for (const [index, item] of change((index) => this.at(index))) {
      const page = Math.floor(index / PAGE);
      const items = [...(pages.get(page) ?? [])];
      items[index % PAGE] = item;
      pages.set(page, items);
    }
    this.#items = pages;
  }

  async #load(page: number): Promise<void> {
    const turn = this.#turn;
    this.#loading += 1;
    this.#asked.add(page);
    try {
      const { items, total } = await this.#fetch(page * PAGE, PAGE);
      if (turn !== this.#turn) return;
      const stale = [...this.#items].filter(([known]) => this.#asked.has(known));
      this.#items = new Map([...this.#near(stale), [page, items]]);
      this.count = total;
      this.failure = undefined;
    } catch (thrown) {
      if (turn !== this.#turn) return;
      this.#asked.delete(page);
      this.failure = Failure.from(thrown);
    } finally {
      this.#loading -= 1;
      // What is seen by now, wherever that is; a failure is tried again when somebody moves or asks.
      if (!this.failure) this.need(this.#first, this.#end);
    }
  }

  /** The pages that stay: the nearest to what is seen. */
  #near(pages: [number, T[]][]): [number, T[]][] {
    if (pages.length < MOST_PAGES) return pages;
    const seen = this.#first / PAGE;
    const near = pages.sort(([one], [other]) => Math.abs(one - seen) - Math.abs(other - seen));
    for (const [page] of near.splice(MOST_PAGES - 1)) this.#asked.delete(page);
    return near;
  }
}

/** The items of a list after one moved, for {@link Paged.guess}. */
export function moving<T>(from: number, to: number): (at: (index: number) => T | undefined) => Map<number, T> {
  return (at) => {
    const changed = new Map<number, T>();
    const step = from < to ? 1 : -1;
    for (let index = from; index !== to; index += step) {
      const next = at(index + step);
      if (next !== undefined) changed.set(index, next);
    }
    const held = at(from);
    if (held !== undefined) changed.set(to, held);
    return changed;
  };
}
