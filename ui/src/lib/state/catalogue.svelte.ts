/** Releases whose details were asked for: the player's waveforms and what is dragged come from here. */
import { SvelteMap } from 'svelte/reactivity';
import { backend, type Listed, type LocalFile, type QueueItem, type ReleaseDetail, type ReleaseQuery } from '../backend';

const MOST = 500;

class Catalogue {
  #known = new SvelteMap<string, ReleaseDetail>();
  #asked = new Map<string, Promise<ReleaseDetail>>();

  /** Asks for a release anew and remembers it. */
  fetch(id: string): Promise<ReleaseDetail> {
    const asked = backend().call('show', { release: id });
    this.#asked.set(id, asked);
    asked.then((detail) => this.#keep(detail), () => this.#asked.delete(id));
    return asked;
  }

  /** What is known of a release, if anything; nothing is asked. */
  peek(id: string): ReleaseDetail | undefined {
    return this.#known.get(id);
  }

  /** What is known of a release; asks for what is not. */
  find(id: string): ReleaseDetail | undefined {
    const known = this.#known.get(id);
    if (!known && !this.#asked.has(id)) this.fetch(id).catch(() => {});
    return known;
  }

  #keep(detail: ReleaseDetail): void {
    this.#known.set(detail.release_id, detail);
    for (const [oldest] of this.#known) {
      if (this.#known.size <= MOST) break;
      this.#known.delete(oldest);
      this.#asked.delete(oldest);
    }
  }
}

export const catalogue = new Catalogue();

export function itemsOf(release: ReleaseDetail): QueueItem[] {
  return release.tracks.map((track) => ({ release: release.release_id, track: track.number }));
}

/** What is shown of one's own file. */
export function listedFile(file: LocalFile): Listed {
  return {
    title: file.title, artist: file.artist ?? '', artist_id: null, release_title: file.album ?? '', cover: null, accent: null,
    duration_ms: file.duration_ms,
  };
}

/** The item that an entry of a list stands for. */
export function itemOf(entry: {
  release?: string | null;
  release_id?: string | null;
  track: number | null;
  file: number | null;
}): QueueItem {
  if (entry.file !== null) return { file: entry.file };
  return { release: entry.release ?? entry.release_id ?? '', track: entry.track ?? 1 };
}

/** A question for releases: the newest of all, but for what is said. */
export function releaseQuery(change: Partial<ReleaseQuery>): ReleaseQuery {
  return {
    tag: null, artist: null, license: null, followed: false, liked: false, similar_to: null, sort: 'new',
    limit: null, offset: 0, ...change,
  };
}
