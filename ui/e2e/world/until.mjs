/** The longest wait for anything: a hang ends as a failure that says what was waited for. */
export const PATIENCE_MS = 30_000;
const PAUSE_MS = 40;

/**
 * Asks again until the answer is truthy, and returns it.
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} ask
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, ask, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  let last;
  while (Date.now() < deadline) {
    last = await ask();
    if (last) return last;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`waited in vain: ${what} (last answer: ${JSON.stringify(last)?.slice(0, 300)})`);
}
