import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { words } from '../src/lib/i18n/failures';
import { en } from '../src/lib/i18n/en';
import { nl } from '../src/lib/i18n/nl';
import { setLocale, t } from '../src/lib/i18n/index.svelte';

/** Every message of a table by its path, functions called with something to show. */
function flat(table: object, path = ''): [string, string][] {
  return Object.entries(table).flatMap(([name, value]: [string, unknown]) => {
    const here = `${path}${name}`;
    if (typeof value === 'function') return [[here, String(value('X', 'Y', 'Z'))]];
    if (typeof value === 'object' && value !== null) return flat(value, `${here}.`);
    return [[here, String(value)]];
  });
}

describe('the words', () => {
  it('are all there in both languages, and none is empty', () => {
    const [english, dutch] = [flat(en), flat(nl)];
    expect(dutch.map(([path]) => path)).toEqual(english.map(([path]) => path));
    for (const [path, text] of [...english, ...dutch]) expect(text, path).not.toBe('');
  });

  it('show what they are given, in both languages', () => {
    const shows = (table: object) => flat(table).filter(([, text]) => text.includes('X')).map(([path]) => path);
    expect(shows(nl)).toEqual(shows(en));
  });

  it('change with the language', async () => {
    expect(t.nav.search).toBe('Search');
    await setLocale('nl');
    expect(t.nav.search).toBe('Zoeken');
    expect(document.documentElement.lang).toBe('nl');
    await setLocale('en');
  });
});

describe('the guides', () => {
  const said = [...flat(en).map(([, text]) => text), en.network.people(0)];

  for (const guide of ['listeners', 'artists']) {
    it(`call things as the screens do: ${guide}`, () => {
      const page = readFileSync(`../docs/guide/${guide}.md`, 'utf8');
      const named = [...page.matchAll(/\*\*([^*]+)\*\*/g)].map(([, words]) => words!.replace(/\s+/g, ' '));
      expect(named.length).toBeGreaterThan(15);
      // A long message may be named by its beginning.
      const unknown = named.filter((words) => words !== 'bold' && !said.some((text) => text.startsWith(words)));
      expect(unknown).toEqual([]);
    });
  }
});

describe('a failure in words', () => {
  it('has our own where the code is known', () => {
    expect(words({ code: 'disk_full', message: 'os error 28' }).what).toBe('The disk is full.');
  });

  it('has the node’s where it is not', () => {
    expect(words({ code: 'from_the_future', message: 'the moon is full' })).toEqual({ what: 'the moon is full' });
  });

  it('has at least the code where there is nothing', () => {
    expect(words({ code: 'from_the_future', message: '' }).what).toContain('from_the_future');
  });
});
