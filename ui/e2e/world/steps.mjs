/** Steps of one story: each stands on the one before, so the first that fails ends it, with a picture of what the page showed. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './daemon.mjs';

const FAILED = join(ROOT, 'target/e2e/failed');

/** @param {import('node:test').TestContext} test */
export function story(test, page) {
  let broken = false;
  return (name, body) => test.test(name, async (step) => {
    if (broken) return step.skip('an earlier step failed');
    try {
      await body(step);
    } catch (error) {
      broken = true;
      await mkdir(FAILED, { recursive: true });
      const picture = join(FAILED, `${test.name} - ${name}.png`.replaceAll('/', '-'));
      await page.screenshot({ path: picture }).catch(() => {});
      throw new Error(`${error.message}\nthe page is in ${picture}; it said: ${page.complaints.join('\n')}`, { cause: error });
    }
  });
}
