/** A wallet made as people make one. */
import assert from 'node:assert/strict';
import { go } from './browser.mjs';

export const PASSPHRASE = 'eleven days in March';

/**
 * Makes one in the page.
 * @param {{ slip?: boolean }} how with a slip of the finger in the quiz
 * @returns {Promise<string[]>} its words
 */
export async function makeWallet(page, { slip = false } = {}) {
  await go(page, '#/wallet');
  await page.getByLabel('Passphrase for this device').fill(PASSPHRASE);
  await page.getByLabel('Passphrase again').fill(PASSPHRASE);
  await page.getByRole('button', { name: 'Show me the words' }).click();
  await page.locator('[data-word]').first().waitFor();
  const words = await page.locator('[data-word]').allTextContents();
  assert.equal(words.length, 24);
  await page.getByRole('button', { name: 'I wrote them down' }).click();
  for (let asked = 0; asked < 3; asked += 1) {
    const question = page.getByText(/^Which is word \d+\?$/);
    const place = Number(/\d+/.exec(await question.textContent())[0]);
    if (slip && asked === 0) {
      await page.locator('.choices').getByRole('button').filter({ hasNotText: new RegExp(`^${words[place - 1]}$`) }).first().click();
      await page.getByText(`No, word ${place} is another one.`).waitFor();
    }
    await page.getByRole('button', { name: words[place - 1], exact: true }).click();
    await page.getByText(`Which is word ${place}?`, { exact: true }).waitFor({ state: 'detached' });
  }
  await page.getByRole('link', { name: 'Receive' }).first().waitFor();
  return words;
}
