import { describe, expect, it, vi } from 'vitest';
import { Paged, moving } from '../src/lib/state/paged.svelte';

function list(total: number) {
  const asked: number[] = [];
  let generation = 0;
  const paged = new Paged<string>(async (offset, limit) => {
    asked.push(offset);
    const mark = generation;
    return { items: Array.from({ length: Math.min(limit, total - offset) }, (_, place) => `${mark}:${offset + place}`), total };
  });
  return { paged, asked, change: () => (generation += 1) };
}

describe('a long list', () => {
  it('fetches what is seen, once', async () => {
    const { paged, asked } = list(100_000);
    paged.need(0, 30);
    paged.need(5, 40);
    await vi.waitFor(() => expect(paged.count).toBe(100_000));
    paged.need(54_950, 55_050);
    await vi.waitFor(() => expect(paged.at(55_000)).toBe('0:55000'));
    expect(asked).toEqual([0, 54_900, 55_000]);
    expect(paged.at(70_000)).toBeUndefined();
  });

  it('passes by what nobody looks at any more, and keeps only what is near', async () => {
    const waiting: (() => void)[] = [];
    const asked: number[] = [];
    const paged = new Paged<number>(async (offset, limit) => {
      asked.push(offset);
      await new Promise<void>((go) => waiting.push(go));
      return { items: Array.from({ length: limit }, (_, place) => offset + place), total: 100_000 };
    });
    for (let first = 0; first < 90_000; first += 1_000) paged.need(first, first + 30);
    expect(asked).toEqual([0, 1_000]);
    waiting.splice(0).forEach((go) => go());
    await vi.waitFor(() => expect(asked).toEqual([0, 1_000, 89_000]));
    waiting.splice(0).forEach((go) => go());
    await vi.waitFor(() => expect(paged.at(89_007)).toBe(89_007));
    for (let first = 0; first < 10_000; first += 100) {
      paged.need(first, first + 30);
      await vi.waitFor(() => expect(waiting.length + Number(paged.at(first) !== undefined)).toBeGreaterThan(0));
      waiting.splice(0).forEach((go) => go());
      await vi.waitFor(() => expect(paged.at(first)).toBe(first));
    }
    expect(paged.at(0), 'far away by now').toBeUndefined();
    expect(paged.at(9_900)).toBe(9_900);
  });

  it('keeps showing what was there until its successor is here', async () => {
    const { paged, change } = list(300);
    paged.need(0, 30);
    await vi.waitFor(() => expect(paged.at(7)).toBe('0:7'));
    change();
    paged.reload();
    expect(paged.at(7)).toBe('0:7');
    await vi.waitFor(() => expect(paged.at(7)).toBe('1:7'));
  });

  it('forgets an answer that was overtaken', async () => {
    const answers: ((page: { items: string[]; total: number }) => void)[] = [];
    const paged = new Paged<string>(() => new Promise((answer) => answers.push(answer)));
    paged.need(0, 10);
    paged.reload();
    answers[1]?.({ items: ['new'], total: 1 });
    await vi.waitFor(() => expect(paged.at(0)).toBe('new'));
    answers[0]?.({ items: ['old'], total: 1 });
    await Promise.resolve();
    expect(paged.at(0)).toBe('new');
  });

  it('asks again after a failure', async () => {
    let fails = true;
    const paged = new Paged<string>(async () => {
      if (fails) throw new Error('gone');
      return { items: ['here'], total: 1 };
    });
    paged.need(0, 1);
    await vi.waitFor(() => expect(paged.failure?.message).toBe('gone'));
    fails = false;
    paged.reload();
    await vi.waitFor(() => expect(paged.at(0)).toBe('here'));
    expect(paged.failure).toBeUndefined();
  });
});

describe('moving an item', () => {
  const letters = ['a', 'b', 'c', 'd'];
  it.each([[0, 2, 'bcad'], [3, 0, 'dabc'], [1, 1, 'abcd']])('%i to %i reads %s', (from, to, read) => {
    const changed = moving<string>(from, to)((index) => letters[index]);
    expect(letters.map((letter, index) => changed.get(index) ?? letter).join('')).toBe(read);
  });
});
