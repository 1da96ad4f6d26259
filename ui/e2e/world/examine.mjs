/** One screen as people see it: usable with a screen reader, readable, no wider than the window; with SCREENS=1 pictured. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { settled } from './browser.mjs';
import { ROOT } from './daemon.mjs';

const PICTURES = join(ROOT, 'docs/screens');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** Pictured in the light theme, too. */
const MAIN = ['home', 'release', 'artist', 'playing', 'search', 'studio-draft', 'wallet-history', 'support', 'studio-money', 'dao', 'dao-board'];

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function examine(page, { name, size, theme }) {
  await settled(page);
  await page.evaluate(axe);
  const { violations } = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: 'tag', values } }), RULES);
  const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}\n${failureSummary}`));
  assert.deepEqual(found, [], `${name}, ${size.name}, ${theme}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name} is ${wide} pixels too wide, ${size.name}`);
  if (process.env.SCREENS === '1' && (theme === 'dark' || MAIN.includes(name))) await picture(page, `${name}-${size.name}-${theme}`);
}

async function picture(page, name) {
  await mkdir(PICTURES, { recursive: true });
  const [png, webp] = ['png', 'webp'].map((ending) => join(PICTURES, `${name}.${ending}`));
  await page.screenshot({ path: png });
  await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-i', png, '-c:v', 'libwebp', '-quality', '84', webp]);
  await rm(png);
}
