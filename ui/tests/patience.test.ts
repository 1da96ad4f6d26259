import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LONG_MS, patiently, USUAL_MS } from '../src/lib/backend/patience';
import type { Jobs } from '../src/lib/backend';

const never = () => new Promise<never>(() => {});

function running(...names: string[]): Promise<Jobs> {
  return Promise.resolve({ jobs: names.map((job) => ({ job, kind: 'publish', running_ms: 1, progress: null })) });
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a question', () => {
  it('is answered, and no clock is left running', async () => {
    await expect(patiently('status', undefined, Promise.resolve(7), never)).resolves.toBe(7);
    await expect(patiently('status', undefined, Promise.reject(new Error('no')), never)).rejects.toThrow('no');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('fails with a code of its own when no answer comes', async () => {
    const asked = expect(patiently('status', undefined, never(), never)).rejects.toMatchObject({ code: 'unanswered' });
    await vi.advanceTimersByTimeAsync(USUAL_MS);
    await asked;
  });

  it('to other people is waited for longer', async () => {
    let failed = false;
    patiently('join', { invite: 'x' }, never(), never).catch(() => (failed = true));
    await vi.advanceTimersByTimeAsync(LONG_MS - 1);
    expect(failed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(failed).toBe(true);
  });
});

describe('long work', () => {
  it('is waited for while the node says that it goes on', async () => {
    let answer: (value: string) => void = () => {};
    const asked = new Promise<string>((resolve) => (answer = resolve));
    const jobs = vi.fn(() => running('j'));
    const waited = patiently('publish', { job: 'j' }, asked, jobs);
    await vi.advanceTimersByTimeAsync(10 * LONG_MS);
    expect(jobs.mock.calls.length).toBeGreaterThan(10);
    answer('out');
    await expect(waited).resolves.toBe('out');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that the node does not know any more is given up', async () => {
    const asked = expect(patiently('publish', { job: 'j' }, never(), () => running('other'))).rejects.toMatchObject({ code: 'unanswered' });
    await vi.advanceTimersByTimeAsync(2 * USUAL_MS);
    await asked;
  });

  it('fails with the node that does not even say what goes on', async () => {
    const asked = expect(patiently('publish', { job: 'j' }, never(), () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
    await vi.advanceTimersByTimeAsync(USUAL_MS);
    await asked;
  });
});
