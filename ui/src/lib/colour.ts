/** The accent of the cover that plays, made readable on either background. */

type Rgb = [number, number, number];

/** Where no cover says otherwise. */
export const MARIGOLD = 0xf2a33a;
/** WCAG AA for text. */
const CONTRAST = 4.5;

/** Makes a colour readable on a background: its lightness moves as little as it has to. */
export function readable(colour: number, background: number): string {
  const ground = unpack(background);
  const towards: Rgb = luminance(ground) > 0.18 ? [0, 0, 0] : [255, 255, 255];
  const raw = unpack(colour);
  for (let step = 0; step <= 20; step += 1) {
    const mixed = mix(raw, towards, step / 20);
    if (contrast(mixed, ground) >= CONTRAST) return css(mixed);
  }
  return css(towards);
}

/** Black or white, whichever reads better on a colour. */
export function ink(colour: number): string {
  const rgb = unpack(colour);
  return contrast(rgb, [0, 0, 0]) >= contrast(rgb, [255, 255, 255]) ? '#000000' : '#ffffff';
}

/** As styles write it. */
export function hex(colour: number): string {
  return css(unpack(colour));
}

export function contrast(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

export function unpack(colour: number): Rgb {
  return [(colour >> 16) & 255, (colour >> 8) & 255, colour & 255];
}

function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function mix(a: Rgb, b: Rgb, share: number): Rgb {
  return a.map((part, place) => Math.round(part + (b[place]! - part) * share)) as Rgb;
}

function css(rgb: Rgb): string {
  return `#${rgb.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}
