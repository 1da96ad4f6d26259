/** The sleeve of a release that came without one: grooves, drawn from its id, the same on every screen. */

export interface Grooves {
  ground: string;
  line: string;
  label: string;
  /** Where the grooves run round. */
  cx: number;
  cy: number;
  rings: { radius: number; width: number }[];
  labelRadius: number;
}

/** Ground, grooves and label: printed colours, two of them and the paper. */
const SLEEVES: [string, string, string][] = [
  ['#2b3a42', '#d9b382', '#c8553d'],
  ['#c8553d', '#2b1d19', '#f0d9b5'],
  ['#e0b04b', '#3a2a1a', '#7a3b2e'],
  ['#3f4f3a', '#dcd3b2', '#e0a44b'],
  ['#e6dccb', '#7b3f2a', '#33413f'],
  ['#4a3247', '#e3b7a0', '#e0b04b'],
  ['#6f8c86', '#1f2a2a', '#f0e3c8'],
  ['#1f2a44', '#c9cfd8', '#d9704a'],
  ['#b7793f', '#f3e6cf', '#2b2a28'],
  ['#8c3b3b', '#efc9a4', '#1f2424'],
  ['#d8cfc0', '#1f2a44', '#c8553d'],
  ['#2f4a46', '#e8c07a', '#e9e2d2'],
];

/** Places for the centre, in hundredths of the square. */
const CENTRES: [number, number][] = [[50, 50], [100, 100], [0, 100], [100, 0], [50, 100], [72, 34], [30, 66], [50, 0]];

export function grooves(id: string): Grooves {
  const bytes = spread(id);
  const [ground, line, label] = SLEEVES[bytes[0]! % SLEEVES.length]!;
  const [cx, cy] = CENTRES[bytes[1]! % CENTRES.length]!;
  const farthest = Math.hypot(Math.max(cx, 100 - cx), Math.max(cy, 100 - cy));
  const step = 3 + (bytes[2]! % 4);
  const labelRadius = 8 + (bytes[3]! % 10);
  const rings = [];
  for (let place = 0, radius = labelRadius + step; radius < farthest; place += 1, radius += step) {
    const byte = bytes[4 + (place % 28)]!;
    // A gap now and then, as between the songs of a side.
    if (byte % 7 === 0) continue;
    rings.push({ radius, width: 0.35 + ((byte % 16) / 15) * step * 0.55 });
  }
  return { ground, line, label, cx, cy, rings, labelRadius };
}

/** 32 bytes that differ wherever ids do. */
function spread(id: string): Uint8Array {
  const bytes = new Uint8Array(32);
  let state = 0x811c9dc5;
  for (const char of id) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193) >>> 0;
  for (let place = 0; place < bytes.length; place += 1) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
    state = Math.imul(state ^ (state >>> 12) ^ place, 0x297a2d39) >>> 0;
    bytes[place] = (state >>> 13) & 255;
  }
  return bytes;
}
