/** Debian's Chromium, at the two sizes the app is made for. */
import { chromium } from 'playwright-core';
import { PATIENCE_MS, until } from './until.mjs';

export const DESKTOP = { name: 'desktop', width: 1280, height: 800 };
export const PHONE = { name: 'phone', width: 390, height: 844 };
export const SIZES = [DESKTOP, PHONE];

const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** @param {import('node:test').TestContext} test */
export async function startBrowser(test) {
  const browser = await chromium.launch({ executablePath: PROGRAM, args: ['--no-sandbox'] });
  test.after(() => browser.close());
  return browser;
}

/**
 * A window of its own: nothing is shared with others but the daemon. Whatever the page says on its console as an error, and any
 * dialog, is remembered in `page.complaints`.
 * @param {import('playwright-core').Browser} browser
 */
export async function openWindow(browser, link, { size = DESKTOP, theme = 'dark', ...more } = {}) {
  const { width, height } = size;
  const context = await browser.newContext({
    viewport: { width, height }, hasTouch: size === PHONE, isMobile: size === PHONE, colorScheme: theme,
    locale: 'en-GB', reducedMotion: 'reduce', ...more,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => (page.complaints.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
  page.on('console', (line) => {
    if (line.type() === 'error' || line.type() === 'warning') page.complaints.push(`${line.type()}: ${line.text()}`);
  });
  await page.goto(link);
  return page;
}

/** Goes to a place of the app and waits until it shows. */
export async function go(page, hash) {
  await page.evaluate((to) => (location.hash = to), hash);
  await settled(page);
}

/** Waits until the screen has its heading, nothing is drawn as a skeleton any more and every cover in sight has come. */
export async function settled(page) {
  await page.waitForFunction(() => {
    const main = document.querySelector('main');
    const covers = [...document.querySelectorAll('main img, footer img')];
    return main?.querySelector('h1') && !main.querySelector('.skeleton') && covers.every((cover) => cover.complete);
  });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

/** Milliseconds where the player is, as it tells those who cannot see. */
export async function position(page) {
  return Number(await page.getByRole('slider', { name: 'Place in the track' }).first().getAttribute('aria-valuenow'));
}

/** Waits until the place in the track has moved on by itself. */
export async function advances(page) {
  const before = await position(page);
  return until('the place in the track moves on', async () => (await position(page)) > before);
}
