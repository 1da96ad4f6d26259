/** Sleeves for made-up records: a few printed-looking designs, drawn from their title and always the same. */
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './daemon.mjs';

const FOLDER = join(ROOT, 'target/e2e/covers');
const EDGE = 900;
const INKS = [
  ['#17324d', '#e9c46a', '#e76f51', '#f4ebd9'], ['#2b2118', '#d98e4a', '#f3d9a4', '#8c3b2a'], ['#0f3d3e', '#e2dcc8', '#f1985b', '#7fb3a2'],
  ['#3c1f3d', '#f2b5a7', '#e4572e', '#fbe9d0'], ['#e8e1d3', '#20262e', '#c8553d', '#588b8b'], ['#1c2b39', '#9ec1a3', '#f6e7cb', '#dd5e56'],
  ['#f2c14e', '#23395b', '#f78154', '#fdf3dc'], ['#273c2c', '#c7d59f', '#e9a178', '#f6f1d1'],
];

const DESIGNS = [
  // A low sun in bands over water.
  ([ground, one, two, light], dice) => {
    const bands = Array.from({ length: 9 }, (_, place) => `<rect y="${560 + place * 38}" width="900" height="${5 + place * 3}" fill="${place % 2 ? one : light}"/>`);
    return `<rect width="900" height="900" fill="${ground}"/><circle cx="${300 + dice() * 300}" cy="470" r="${190 + dice() * 60}" fill="${two}"/><rect y="540" width="900" height="360" fill="${ground}"/>${bands.join('')}`;
  },
  // Hills behind hills.
  ([ground, one, two, light], dice) => {
    const hill = (y, colour) => `<path d="M0 ${y}C${150 + dice() * 150} ${y - 220 * dice() - 60} ${350 + dice() * 150} ${y + 120 * dice()} 900 ${y - 180 * dice()}V900H0Z" fill="${colour}"/>`;
    return `<rect width="900" height="900" fill="${light}"/><circle cx="${600 + dice() * 150}" cy="${190 + dice() * 80}" r="84" fill="${two}"/>${hill(480, one)}${hill(610, two)}${hill(740, ground)}`;
  },
  // Quarter circles on a grid.
  (inks, dice) => {
    const tiles = Array.from({ length: 16 }, (_, place) => {
      const [x, y] = [(place % 4) * 225, Math.floor(place / 4) * 225];
      const pick = () => inks[Math.floor(dice() * inks.length)];
      return `<g transform="translate(${x} ${y}) rotate(${90 * Math.floor(dice() * 4)} 112.5 112.5)"><rect width="226" height="226" fill="${pick()}"/><path d="M0 0H225A225 225 0 0 1 0 225Z" fill="${pick()}"/></g>`;
    });
    return tiles.join('');
  },
  // Lines that a wind has moved.
  ([ground, one, two], dice) => {
    const phase = dice() * 6;
    const lines = Array.from({ length: 26 }, (_, row) => {
      const y = 60 + row * 31;
      const points = Array.from({ length: 31 }, (_, step) => `${step * 30} ${(y - 70 * Math.exp(-(((step - 15) / 6) ** 2)) * Math.sin(step / 2 + row / 3 + phase)).toFixed(1)}`);
      return `<polyline points="${points.join(' ')}" fill="none" stroke="${row % 7 === 3 ? two : one}" stroke-width="9"/>`;
    });
    return `<rect width="900" height="900" fill="${ground}"/>${lines.join('')}`;
  },
  // Two discs that share a part.
  ([ground, one, two, light], dice) => {
    const [x, y] = [330 + dice() * 60, 380 + dice() * 80];
    return `<rect width="900" height="900" fill="${light}"/><clipPath id="c"><circle cx="${x}" cy="${y}" r="260"/></clipPath><circle cx="${x}" cy="${y}" r="260" fill="${two}"/><circle cx="${x + 210}" cy="${y + 120}" r="260" fill="${one}"/><circle cx="${x + 210}" cy="${y + 120}" r="260" fill="${ground}" clip-path="url(#c)"/>`;
  },
];

/**
 * @param {import('playwright-core').Browser} browser draws it
 * @param {number} place among other sleeves: neighbours look different
 * @returns {Promise<string>} a JPEG file
 */
export async function cover(browser, title, place) {
  const file = join(FOLDER, `${[...title].map((sign) => sign.codePointAt(0).toString(36)).join('').slice(0, 100)}-${place}.jpg`);
  if (await access(file).then(() => true, () => false)) return file;
  await mkdir(FOLDER, { recursive: true });
  const dice = dices(title);
  const design = DESIGNS[place % DESIGNS.length];
  const inks = INKS[place % INKS.length];
  const page = await browser.newPage({ viewport: { width: EDGE, height: EDGE } });
  await page.setContent(`<style>body{margin:0}</style><svg width="${EDGE}" height="${EDGE}" viewBox="0 0 900 900">${design(inks, dice)}</svg>`);
  await page.screenshot({ path: file, type: 'jpeg', quality: 88 });
  await page.close();
  return file;
}

/** Numbers from 0 to 1 that follow from a text. */
function dices(text) {
  let state = [...text].reduce((sum, sign) => Math.imul(sum ^ sign.codePointAt(0), 16_777_619), 2_166_136_261) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
