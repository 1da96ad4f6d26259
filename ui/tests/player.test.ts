import { flushSync } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure, type PlayerCommand } from '../src/lib/backend';
import { moved, player } from '../src/lib/state/player.svelte';
import { toasts } from '../src/lib/state/toasts.svelte';
import { TestNode } from './node';
import { detail, entry, playing } from './things';

let node: TestNode;
let stop: () => void;

beforeEach(async () => {
  node = new TestNode({
    player: () => playing(),
    queue: () => ({ version: 1, length: 3, index: 0, offset: 0, entries: [entry(), entry({ title: 'Rising' }), entry({ title: 'Steady' })] }),
  });
  stop = player.start();
  await vi.waitFor(() => expect(player.queue.count).toBe(3));
});

afterEach(() => {
  stop();
  for (const { id } of toasts.list) toasts.dismiss(id);
});

describe('the player', () => {
  it('shows what was asked for before the node answers', () => {
    node.answers.player = () => new Promise(() => {});
    void player.playRelease(detail(), 1);
    expect(player.buffering).toBe(true);
    expect(player.current).toMatchObject({ title: 'Rising', artist: 'Noor', release: 'r1', track: 2 });
    expect(node.params('player').at(-1)).toEqual({
      command: 'play', start: 1, items: [1, 2, 3].map((track) => ({ release: 'r1', track })),
    });
  });

  it('takes the word of the node over its own guess', async () => {
    node.answers.player = () => playing({ status: 'paused' });
    await player.toggle();
    expect(player.playing).toBe(false);
    node.tell({ event: 'player', ...playing({ status: 'playing' }) });
    expect(player.playing).toBe(true);
  });

  it('follows the sound, and where it can be heard up to', () => {
    node.tell({ event: 'position', position_ms: 12_000, buffered_ms: 30_000 });
    expect(player.position).toBe(12_000);
    expect(player.state.buffered_ms).toBe(30_000);
  });

  it('seeks within the track only', async () => {
    await player.seek(90_000);
    await player.seek(-5);
    expect(node.params('player').slice(-2)).toEqual([
      { command: 'seek', position_ms: 59_999 }, { command: 'seek', position_ms: 0 },
    ]);
  });

  it('moves an entry at once and keeps the current one current', async () => {
    node.answers.player = () => new Promise(() => {});
    void player.move(0, 2);
    flushSync();
    expect([0, 1, 2].map((index) => player.queue.at(index)?.title)).toEqual(['Rising', 'Steady', 'Falling']);
    expect(player.state.index).toBe(2);
  });

  it('puts back what was taken out', async () => {
    const undo = await player.remove(1);
    undo();
    await vi.waitFor(() => {
      const commands = node.params('player').map((params) => (params as PlayerCommand).command);
      expect(commands.slice(-3)).toEqual(['remove', 'enqueue', 'move']);
    });
  });

  it('puts a cleared queue back where it was', async () => {
    node.answers.player = () => playing({ index: 1 });
    await player.set({ command: 'state' });
    const undo = await player.clear();
    undo();
    await vi.waitFor(() => expect(node.params('player').at(-1)).toMatchObject({ command: 'play', start: 1 }));
  });

  it('says each error of the player once', () => {
    const broken = playing({ error: { code: 'no_sound_device', message: 'no default device' } });
    node.tell({ event: 'player', ...broken });
    node.tell({ event: 'player', ...broken });
    expect(toasts.list.map(({ text }) => text)).toEqual([expect.stringContaining('No sound device was found.')]);
  });

  it('says in words why a command failed', async () => {
    node.answers.player = () => Promise.reject(new Failure('blob_not_found', 'raw words'));
    await player.next();
    expect(toasts.list.at(-1)?.text).toContain('Nobody who is connected has this music right now.');
  });
});

describe('places in the queue', () => {
  it.each([[2, 2, 0, 0], [1, 0, 2, 0], [1, 2, 0, 2], [0, 1, 2, 0], [null, 0, 1, null]])('%s after %i -> %i is %s', (place, from, to, now) => {
    expect(moved(place, from, to)).toBe(now);
  });
});
