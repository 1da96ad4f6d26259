import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isKnown, words } from '../src/lib/i18n/failures';
import { en } from '../src/lib/i18n/en';
import { nl } from '../src/lib/i18n/nl';
import { setLocale, t } from '../src/lib/i18n/index.svelte';

/** Something to show, and something whose every part that a message may name is that. */
const SHOWN = Object.assign(new String('X'), { percent: 'X', sat: 'X', payees: 'X' });

/** Every message of a table by its path, functions called with something to show. */
function flat(table: object, path = ''): [string, string][] {
  return Object.entries(table).flatMap(([name, value]: [string, unknown]) => {
    const here = `${path}${name}`;
    if (typeof value === 'function') return [[here, String(value(SHOWN, 'Y', 'Z'))]];
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

/** Codes that the sources of the node and the window give to errors, each where it is made. */
function codes(): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of ['../crates', '../src-tauri/src']) {
    for (const name of readdirSync(part, { recursive: true, encoding: 'utf8' })) {
      const apart = name.split(/[\\/]/);
      if (!name.endsWith('.rs') || apart.some((one) => ['tests', 'tests.rs', 'benches', 'fuzz', 'examples', 'sim', 'cli'].includes(one))) continue;
      const [text = ''] = readFileSync(`${part}/${name}`, 'utf8').split(/\n#\[cfg\(test\)\]\nmod /);
      const tables = [...text.matchAll(/fn code\(&?self\) -> &'static str \{[^]*?\n {4}\}/g)].map(([table]) => table);
      const made = [...text.matchAll(/ApiError::new\(\s*"([a-z_]+)"/g), ...tables.flatMap((table) => [...table.matchAll(/=> "([a-z_]+)"/g)])];
      for (const [, code] of made) found.set(code!, name);
    }
  }
  return found;
}

/** What no page can meet. */
const ELSEWHERE = new Set([
  // Of the command line.
  'bench_failed', 'license_ambiguous',
  // Of records that others made: they are refused and nobody is asked.
  'record_key', 'record_kind', 'record_malformed', 'record_network', 'record_permanent', 'record_signature', 'record_too_many_refs',
  'record_version', 'message_malformed', 'message_too_long', 'message_version', 'unknown_slot', 'log_forked', 'offer_missing',
  'principal_without_note', 'too_many_windows',
  // What the Wallet says of the chain in words of its own: how far it is, and what became of a node.
  'connecting', 'waiting', 'headers', 'filters', 'synced', 'peer_no_filters', 'peer_other_network', 'peer_unhelpful',
  // What a payment is warned of has its own words.
  'fee_high', 'links_accounts',
  // Of requests that the page never makes: it chooses ids, keys and places itself, and sends none that were typed.
  'data_too_long', 'key_too_long', 'label_target', 'outpoint_malformed', 'payee_missing', 'txid_malformed', 'unknown_offer', 'window_invalid',
  'closed',
]);

describe('a failure in words', () => {
  it('has words for every code that a page can meet', () => {
    const all = codes();
    expect(all.size).toBeGreaterThan(200);
    const wordless = [...all].filter(([code]) => !isKnown(code) && !ELSEWHERE.has(code));
    expect(wordless).toEqual([]);
    expect([...ELSEWHERE].filter((code) => !all.has(code) || isKnown(code)), 'not to be listed').toEqual([]);
  });

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
