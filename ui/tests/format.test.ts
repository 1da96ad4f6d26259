import { describe, expect, it } from 'vitest';
import { ago, bytes, clock, releaseDate } from '../src/lib/format';

describe('times and sizes', () => {
  it.each([[0, '0:00'], [187_000, '3:07'], [3_723_000, '1:02:03'], [-5, '0:00']])('%i ms reads %s', (ms, read) => {
    expect(clock(ms)).toBe(read);
  });

  it.each([[0, '0 bytes'], [999, '999 bytes'], [4_230_000, '4.2 MB'], [52_000_000_000, '52 GB']])('%i is %s', (count, read) => {
    expect(bytes(count, 'en')).toBe(read);
  });

  it.each([['1999', '1999'], ['1999-03', 'March 1999'], ['1999-03-07', 'March 7, 1999'], ['soon', 'soon']])('%s is %s', (date, read) => {
    expect(releaseDate(date, 'en')).toBe(read);
  });

  it('says how long ago', () => {
    expect(ago(0, 5 * 60_000, 'en')).toBe('5 minutes ago');
    expect(ago(0, 26 * 3_600_000, 'en')).toBe('yesterday');
  });
});
