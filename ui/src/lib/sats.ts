/** Amounts as people read and type them. */

export type Unit = 'sat' | 'btc';

const SATS = 100_000_000;
/** All the coins there will ever be. */
export const MOST_SAT = 21_000_000 * SATS;

/** The figures of an amount, without their unit. */
export function figures(sat: number, unit: Unit, locale: string): string {
  const value = unit === 'sat' ? sat : sat / SATS;
  const digits = unit === 'sat' ? 0 : 8;
  // A minus as long as a plus.
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace('-', '−');
}

/** What was typed, in satoshis: `5000`, `5 000`, `5.000`, `5000sat`, `0,0001 btc`; nothing where it is no amount. */
export function typed(text: string, unit: Unit): number | undefined {
  const sat = counted(text, unit);
  return sat !== undefined && sat <= MOST_SAT ? sat : undefined;
}

/** Why what was typed cannot be paid: it is no amount, nothing, or more than there will ever be. */
export function wrong(text: string, unit: Unit): 'none' | 'zero' | 'much' | undefined {
  if (!text.trim()) return undefined;
  const sat = counted(text, unit);
  return sat === undefined ? 'none' : sat > MOST_SAT ? 'much' : sat ? undefined : 'zero';
}

function counted(text: string, unit: Unit): number | undefined {
  const [, number, named] = /^\s*([\d.,'\s\u00a0\u202f]*\d)\s*(sats?|btc)?\s*$/i.exec(text) ?? [];
  if (!number) return undefined;
  const btc = named ? named.toLowerCase() === 'btc' : unit === 'btc';
  return btc ? coins(number) : whole(number);
}

/** An amount as it stands in a field. */
export function written(sat: number, unit: Unit): string {
  return unit === 'sat' ? String(sat) : (sat / SATS).toFixed(8).replace(/\.?0+$/, '');
}

/** A `bitcoin:` link with an amount (BIP 21). */
export function withAmount(uri: string, sat: number | undefined): string {
  const [address = '', query = ''] = uri.split('?', 2);
  const parts = new URLSearchParams(query);
  if (sat) parts.set('amount', written(sat, 'btc'));
  else parts.delete('amount');
  const rest = parts.toString().replaceAll('+', '%20');
  return rest ? `${address}?${rest}` : address;
}

/** Groups of three may stand apart, anything else is a mistake. */
function whole(text: string): number | undefined {
  const [first = '', ...groups] = text.split(/[.,'\s\u00a0\u202f]/);
  if (groups.length && (first.length > 3 || groups.some((group) => group.length !== 3))) return undefined;
  const digits = [first, ...groups].join('');
  return digits.length < 17 ? Number(digits) : undefined;
}

function coins(text: string): number | undefined {
  const [, before, after = ''] = /^(\d{1,8})(?:[.,](\d{1,8}))?$/.exec(text) ?? [];
  return before ? Number(before) * SATS + Number(after.padEnd(8, '0')) : undefined;
}
