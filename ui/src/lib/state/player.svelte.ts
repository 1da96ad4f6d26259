/** The player as this window sees it. The node plays; what was asked for shows at once and is corrected by its word. */
import {
  backend, Failure, type Event, type Listed, type PlayerCommand, type PlayerState, type QueueEntry, type QueueItem,
  type ReleaseDetail,
} from '../backend';
import { itemOf, itemsOf } from './catalogue.svelte';
import { moving, Paged } from './paged.svelte';
import { toasts } from './toasts.svelte';

const TICK_MS = 250;
/** How far J, L and the arrows go. */
export const STEP_MS = 10_000;
/** Entries that are put back at most when a cleared queue is wanted again. */
const MOST_RESTORED = 1_000;

const SILENT: PlayerState = {
  status: 'stopped', queue_version: 0, queue_length: 0, index: null, title: null, artist: null, current: null,
  position_ms: 0, duration_ms: 0, buffered_ms: 0, volume: 1, shuffle: false, repeat: 'off', replay_gain: 'track',
  crossfade: 0, sleep: null, device: 'default', error: null,
};

class Player {
  state = $state.raw<PlayerState>(SILENT);
  /** Where the sound is, kept moving between the node's words. */
  position = $state(0);
  /** Entries of the queue, by their places. */
  readonly queue = new Paged<QueueEntry>(async (offset, limit) => {
    const { entries, length } = await backend().call('queue', { offset, limit });
    return { items: entries, total: length };
  });
  #heardAt = 0;
  #mutedFrom = 1;
  #shownError = '';

  readonly current = $derived(this.state.current);
  readonly playing = $derived(this.state.status === 'playing' || this.state.status === 'buffering');
  readonly buffering = $derived(this.state.status === 'buffering');
  readonly duration = $derived(this.state.duration_ms || this.current?.duration_ms || 0);

  start(): () => void {
    const timer = setInterval(() => this.#tick(), TICK_MS);
    const stops = [
      backend().onEvent((event) => this.#hear(event)),
      backend().onConnection((connection) => {
        if (connection !== 'open') return;
        this.queue.reload();
        void this.#command({ command: 'state' });
      }),
    ];
    return () => {
      clearInterval(timer);
      for (const stop of stops) stop();
    };
  }

  /** Whether a track is the current one. */
  is(release: string, track?: number): boolean {
    return this.current?.release === release && (track === undefined || this.current.track === track);
  }

  /** Plays a whole release from one of its tracks. */
  playRelease(release: ReleaseDetail, from = 0): Promise<void> {
    const track = release.tracks[from];
    return this.play(itemsOf(release), from, track && {
      title: track.title, artist: track.artist ?? release.artist, artist_id: release.artist_id,
      release_title: release.title, cover: release.cover, accent: release.accent, duration_ms: track.duration_ms,
    });
  }

  /** Replaces the queue; `listed` is what can be shown of the first track before the node answers. */
  play(items: QueueItem[], start = 0, listed?: Listed): Promise<void> {
    const item = items[start];
    if (!item) return Promise.resolve();
    const place = 'file' in item ? { file: item.file, release: null, track: null } : { ...item, file: null };
    const current = listed ? { entry: -1, ...place, ...listed } : null;
    this.#guess({ status: 'buffering', index: start, current, duration_ms: 0, error: null }, 0);
    return this.#command({ command: 'play', items, start });
  }

  enqueue(items: QueueItem[], next = false): Promise<void> {
    if (!items.length) return Promise.resolve();
    if (!this.state.queue_length) return this.play(items);
    return this.#command({ command: 'enqueue', items, next });
  }

  toggle(): Promise<void> {
    if (!this.current) return Promise.resolve();
    const status = this.playing ? 'paused' : 'playing';
    this.#guess({ status }, this.position);
    return this.#command({ command: status === 'paused' ? 'pause' : 'resume' });
  }

  next(): Promise<void> {
    return this.#command({ command: 'next' });
  }

  previous(): Promise<void> {
    return this.#command({ command: 'previous' });
  }

  jump(index: number): Promise<void> {
    const current = this.queue.at(index) ?? null;
    this.#guess({ status: 'buffering', index, current, duration_ms: 0 }, 0);
    return this.#command({ command: 'jump', index });
  }

  seek(to: number): Promise<void> {
    const position = Math.round(Math.min(Math.max(0, to), Math.max(0, this.duration - 1)));
    this.#guess({}, position);
    return this.#command({ command: 'seek', position_ms: position });
  }

  step(by: number): Promise<void> {
    return this.current ? this.seek(this.position + by) : Promise.resolve();
  }

  move(from: number, to: number): Promise<void> {
    this.queue.guess(moving(from, to));
    this.#guess({ index: moved(this.state.index, from, to) }, this.position);
    return this.#command({ command: 'move', from, to });
  }

  /** Takes an item out, and tells how to put it back. */
  async remove(index: number): Promise<() => void> {
    const entry = this.queue.at(index);
    await this.#command({ command: 'remove', index });
    return () => void (entry && this.#putBack(itemOf(entry), index));
  }

  /** Empties the queue, and tells how to fill it again. */
  async clear(): Promise<() => void> {
    const { index, queue_length: length } = this.state;
    const { entries } = await backend().call('queue', { offset: 0, limit: Math.min(length, MOST_RESTORED) });
    await this.#command({ command: 'clear' });
    return () => void this.play(entries.map(itemOf), index ?? 0);
  }

  setVolume(volume: number): Promise<void> {
    this.#guess({ volume }, this.position);
    return this.#command({ command: 'volume', volume });
  }

  toggleMute(): Promise<void> {
    if (this.state.volume === 0) return this.setVolume(this.#mutedFrom);
    this.#mutedFrom = this.state.volume;
    return this.setVolume(0);
  }

  toggleShuffle(): Promise<void> {
    this.#guess({ shuffle: !this.state.shuffle }, this.position);
    return this.#command({ command: 'shuffle', on: this.state.shuffle });
  }

  cycleRepeat(): Promise<void> {
    const next = { off: 'all', all: 'one', one: 'off' } as const;
    const repeat = next[this.state.repeat];
    this.#guess({ repeat }, this.position);
    return this.#command({ command: 'repeat', repeat });
  }

  /** Falls silent after so many minutes; 0 after this track; null never. */
  sleep(minutes: number | null): Promise<void> {
    return this.#command({ command: 'sleep', minutes });
  }

  /** Any other setting of the player. */
  set(command: PlayerCommand): Promise<void> {
    return this.#command(command);
  }

  async #putBack(item: QueueItem, index: number): Promise<void> {
    await this.enqueue([item]);
    await this.move(this.state.queue_length - 1, index);
  }

  async #command(command: PlayerCommand): Promise<void> {
    try {
      this.#take(await backend().call('player', command));
    } catch (thrown) {
      toasts.fail(Failure.from(thrown));
    }
  }

  #hear(event: Event): void {
    if (event.event === 'player') this.#take(event);
    else if (event.event === 'queue') this.queue.reload();
    else if (event.event === 'position') {
      this.state = { ...this.state, buffered_ms: event.buffered_ms };
      this.#at(event.position_ms);
    }
  }

  #guess(change: Partial<PlayerState>, position: number): void {
    this.state = { ...this.state, ...change };
    this.#at(position);
  }

  #take(state: PlayerState): void {
    if (state.queue_version !== this.state.queue_version) this.queue.reload();
    this.state = state;
    this.#at(state.position_ms);
    const error = state.error ? state.error.code + state.error.message : '';
    if (state.error && error !== this.#shownError) toasts.fail(state.error);
    this.#shownError = error;
  }

  #at(position: number): void {
    this.position = position;
    this.#heardAt = performance.now();
  }

  #tick(): void {
    if (this.state.status !== 'playing') return;
    const now = performance.now();
    const moved = this.position + now - this.#heardAt;
    this.position = this.duration ? Math.min(moved, this.duration) : moved;
    this.#heardAt = now;
  }
}

/** Where a place in the queue is after an item moved. */
export function moved(place: number | null, from: number, to: number): number | null {
  if (place === null) return null;
  if (place === from) return to;
  if (from < place && to >= place) return place - 1;
  if (from > place && to <= place) return place + 1;
  return place;
}

export const player = new Player();
