import { describe, expect, it } from 'vitest';
import { href, parse } from '../src/lib/router.svelte';

describe('routes', () => {
  it('survive every character', () => {
    const tag = 'drum & bass/50% #1 é 音';
    expect(parse(href('tag', tag)).path).toEqual(['tag', tag]);
  });

  it('have a query', () => {
    const { path, query } = parse('#/search?q=two%20words');
    expect(path).toEqual(['search']);
    expect(query.get('q')).toBe('two words');
  });

  it('keep what is not encoded well', () => {
    expect(parse('#/tag/100%').path).toEqual(['tag', '100%']);
  });
});
