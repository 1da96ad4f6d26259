import { describe, expect, it } from 'vitest';
import { lines, sung } from '../src/lib/lyrics';

describe('lyrics', () => {
  it('are lines where they are plain', () => {
    expect(lines('[ar:Noor]\nOne\r\n\nTwo')).toEqual([{ text: 'One' }, { text: '' }, { text: 'Two' }].map((line) => ({ ...line, at: undefined })));
  });

  it('follow their times, also where a line is sung twice', () => {
    const song = lines('[00:10.50]Chorus\n[00:05]Verse\n[00:20.5][01:02.123]Again\nuntimed');
    expect(song).toEqual([
      { text: 'Verse', at: 5_000 }, { text: 'Chorus', at: 10_500 }, { text: 'Again', at: 20_500 }, { text: 'Again', at: 62_123 },
    ]);
    expect([0, 5_000, 11_000, 99_000].map((at) => sung(song, at))).toEqual([-1, 0, 1, 3]);
  });

  it('that are plain have no line that is sung', () => {
    expect(sung(lines('One\nTwo'), 9_000)).toBe(-1);
  });
});
