/** How long the page waits for an answer: nothing that was asked is left without one. */
import { Failure, type Jobs, type Method } from './types';

/** Longest for what the node answers by itself, and between two looks at long work. */
export const USUAL_MS = 30_000;
/** Longest for what waits for other people, or is slow on purpose, such as a backup's passphrase. */
export const LONG_MS = 120_000;

const LONG = new Set<Method>([
  'join', 'open', 'search', 'doctor', 'play', 'inspect', 'publish', 'download', 'identity_backup', 'identity_restore', 'identity_export',
  'identity_import', 'identity_take_over',
]);

/** Waits for an answer; long work that has a name is waited for as long as the node says that it goes on. */
export async function patiently<T>(method: Method, params: unknown, asked: Promise<T>, jobs: () => Promise<Jobs>): Promise<T> {
  const job = jobOf(params);
  if (!job) return within(LONG.has(method) ? LONG_MS : USUAL_MS, asked);
  for (;;) {
    const answer = await Promise.race([asked.then((value) => ({ value })), after(USUAL_MS, asked)]);
    if (answer) return answer.value;
    const { jobs: running } = await jobs();
    // What has just ended is not running any more, and its answer is on its way.
    if (!running.some((one) => one.job === job)) return within(USUAL_MS, asked);
  }
}

/** Waits so long, and no longer. */
export async function within<T>(ms: number, asked: Promise<T>): Promise<T> {
  const answer = await Promise.race([asked.then((value) => ({ value })), after(ms, asked)]);
  if (!answer) throw unanswered();
  return answer.value;
}

export function unanswered(): Failure {
  return new Failure('unanswered', 'the node did not answer in time');
}

function after(ms: number, asked: Promise<unknown>): Promise<undefined> {
  return new Promise((passed) => {
    const timer = setTimeout(() => passed(undefined), ms);
    const end = () => clearTimeout(timer);
    asked.then(end, end);
  });
}

function jobOf(params: unknown): string | undefined {
  const job = typeof params === 'object' && params !== null && 'job' in params ? params.job : undefined;
  return typeof job === 'string' ? job : undefined;
}
