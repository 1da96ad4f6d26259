import { describe, expect, it } from 'vitest';
import { contrast, ink, readable, unpack } from '../src/lib/colour';

const GROUNDS = [0x121110, 0x1b1a18, 0x272522, 0xfaf8f5, 0xf3efe9, 0xe9e3da];
const parse = (colour: string) => unpack(Number.parseInt(colour.slice(1), 16));

describe('the accent', () => {
  it('reads on every ground, whatever the cover', () => {
    for (let colour = 0; colour <= 0xffffff; colour += 0x01_37_5b) {
      for (const ground of GROUNDS) {
        const accent = readable(colour, ground);
        expect(contrast(parse(accent), unpack(ground))).toBeGreaterThanOrEqual(4.5);
      }
      expect(contrast(parse(ink(colour)), unpack(colour))).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('stays as it is where it reads already', () => {
    expect(readable(0xf2a33a, 0x121110)).toBe('#f2a33a');
  });
});
