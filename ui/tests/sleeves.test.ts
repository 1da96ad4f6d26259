import { describe, expect, it } from 'vitest';
import { grooves } from '../src/lib/grooves';
import { imageType } from '../src/lib/state/assets';

describe('grooves', () => {
  it('are the same for an id wherever they are drawn', () => {
    expect(grooves('abc')).toEqual(grooves('abc'));
  });

  it('differ between ids that are close', () => {
    const drawn = new Set(Array.from({ length: 200 }, (_, place) => JSON.stringify(grooves(`id${place}`))));
    expect(drawn.size).toBeGreaterThan(195);
  });
});

describe('what is shown as a picture', () => {
  it.each([[[0xff, 0xd8, 0xff, 0xe0], 'image/jpeg'], [[0x89, 0x50, 0x4e, 0x47], 'image/png'], [[0x3c, 0x73, 0x76, 0x67], undefined], [[], undefined]])('%j is %s', (head, type) => {
    expect(imageType(new Uint8Array(head))).toBe(type);
  });
});
