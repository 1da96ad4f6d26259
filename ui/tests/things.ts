/** Releases and player states as a node would describe them. */
import type { PlayerState, QueueEntry, ReleaseDetail, ReleaseInfo } from '../src/lib/backend';

export function release(change: Partial<ReleaseInfo> = {}): ReleaseInfo {
  return {
    release_id: 'r1', title: 'Barometer', artist: 'Noor', artist_id: 'a1', license: 'CC0-1.0', date: '2026', track_count: 3,
    tags: [], cover: null, likes: 0, saved: false, liked: false, mine: false, accent: null, duration_ms: 180_000, have: 0,
    published_at: 0, ...change,
  };
}

export function detail(change: Partial<ReleaseDetail> = {}): ReleaseDetail {
  const tracks = ['Falling', 'Rising', 'Steady'].map((title, place) => ({
    number: place + 1, title, artist: null, blob: `b${place}`, size: 100, duration_ms: 60_000, codec: 'mp3', loudness: null,
    have: 0, likes: 0, liked: false,
  }));
  return {
    ...release(), tracks, description: null, collaborators: [], waveforms: null, tag_details: [], reports: [], ...change,
  };
}

export function entry(change: Partial<QueueEntry> = {}): QueueEntry {
  return {
    entry: 0, release: 'r1', track: 1, file: null, title: 'Falling', artist: 'Noor', artist_id: 'a1', release_title: 'Barometer',
    cover: null, accent: null, duration_ms: 60_000, ...change,
  };
}

export function playing(change: Partial<PlayerState> = {}): PlayerState {
  return {
    status: 'playing', queue_version: 1, queue_length: 3, index: 0, title: 'Falling', artist: 'Noor', current: entry(),
    position_ms: 0, duration_ms: 60_000, buffered_ms: 60_000, volume: 0.5, shuffle: false, repeat: 'off', replay_gain: 'track',
    crossfade: 0, sleep: null, device: 'default', error: null, ...change,
  };
}
