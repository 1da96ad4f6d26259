/** DAOs: what can be asked of them, and a pulse when one changes. */
import { backend } from '../backend';
import type * as api from '../backend/types';
import { locale } from '../i18n/index.svelte';
import { href } from '../router.svelte';
import { attempt, Pulse } from './pulse.svelte';
import { node } from './status.svelte';
import { wallet } from './wallet.svelte';

/** What each command answers. */
interface Answers {
  create: api.DaoCreated;
  list: api.Daos;
  show: api.Dao;
  join: api.DaoMembership;
  start: api.DaoStarted;
  vouch: api.DaoMembership;
  leave: api.DaoMembership;
  propose: api.DaoProposal;
  proposals: api.DaoProposals;
  vote: api.DaoProposal;
  delegate: api.Dao;
  refunds: api.DaoRefunds;
  recover: api.DaoRecovered;
  bump: api.Sent;
  audit: api.DaoAudit;
}

const BLOCK_S = 600;
const DAY_S = 86_400;
const SHOWN_LETTERS = 12;

/** Asks about DAOs. */
export function askDao<C extends api.DaoCommand>(command: C): Promise<Answers[C['command']]> {
  return backend().call('dao', command) as Promise<Answers[C['command']]>;
}

/** Goes up when a DAO or the chain may have changed. */
export const daos = new Pulse(['dao_changed', 'chain', 'wallet_changed', 'dropped']);

/** Does what `work` does; a failure is told in words and answers nothing. */
export function doing<T>(work: () => Promise<T>): Promise<T | undefined> {
  return attempt(work, daos, wallet);
}

/** Where a DAO, or a part of it, is shown. */
export function place(dao: string, part?: string): string {
  return part ? href('dao', dao, part) : href('dao', dao);
}

/** Whether it is the person at this device. */
export function isMe(peer: string): boolean {
  return peer === node.status?.peer_id;
}

/** The accounts as they must be: what all have, what nobody has, and what is kept. */
export function sum({ claims_sum_sat, unassigned_sat, reserve_sat }: Pick<api.Dao, 'claims_sum_sat' | 'unassigned_sat' | 'reserve_sat'>): number {
  return claims_sum_sat + unassigned_sat + reserve_sat;
}

/** Whether the accounts add up, also member by member. */
export function addsUp(dao: Pick<api.Dao, 'claims_sum_sat' | 'unassigned_sat' | 'reserve_sat' | 'treasury_sat' | 'members'>): boolean {
  const claims = dao.members.reduce((all, { claim_sat }) => all + claim_sat, 0);
  return sum(dao) === dao.treasury_sat && claims === dao.claims_sum_sat;
}

/** How many are in it: founders as they register, then those who have a claim. */
export function count({ stage, members }: Pick<api.Dao, 'stage' | 'members'>): number {
  const outside: api.DaoState[] = stage === 'founding' ? [] : ['none', 'requested', 'signing'];
  return members.filter(({ state }) => !outside.includes(state)).length;
}

/** What an amount that all bear takes from one claim, as it is counted before the claims are frozen. */
export function share(amount_sat: number, { claim_sat, claims_sum_sat }: Pick<api.Dao, 'claim_sat' | 'claims_sum_sat'>): number {
  if (!claims_sum_sat) return 0;
  // Two safe integers may make a product that is none.
  const part = (BigInt(amount_sat) * BigInt(claim_sat)) / BigInt(claims_sum_sat);
  return Math.min(claim_sat, Number(part));
}

/** Who a link or a typed identity is about. */
export function personOf(text: string): string | undefined {
  return /^(?:musicdao:(?:\/\/)?artist\/)?([0-9a-f]{64})(?:[?#/].*)?$/i.exec(text.trim())?.[1]?.toLowerCase();
}

/** The beginning of an identity, in groups that two people compare aloud. */
export function letters(peer: string): string {
  return peer.slice(0, SHOWN_LETTERS).match(/.{1,4}/g)?.join(' ') ?? '';
}

/** How long so many blocks take, in words. */
export function blocksTake(blocks: number): string {
  const seconds = Math.max(0, blocks) * BLOCK_S;
  const [count, unit] = seconds >= 60 * DAY_S ? [seconds / (30.4 * DAY_S), 'month'] : seconds >= DAY_S ? [seconds / DAY_S, 'day'] : [seconds / 3600, 'hour'];
  return new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 0 }).format(Math.max(1, Math.round(count)));
}

/** A block by its number. */
export function block(height: number): string {
  return height.toLocaleString(locale());
}

/** The names of those whom a DAO's history tells of and who are in it no more. */
export async function goneFrom({ members, turns }: api.Dao): Promise<Map<string, string>> {
  const told = new Set(turns.flatMap(({ joined, left }) => [...joined, ...left]));
  for (const { peer_id } of members) told.delete(peer_id);
  const named = [...told].map(async (peer) => {
    const profile = await backend().call('profile_show', { peer }).catch(() => undefined);
    return [peer, profile?.name ?? ''] as const;
  });
  return new Map(await Promise.all(named));
}

/** `a, b and c`. */
export function names(list: string[]): string {
  return new Intl.ListFormat(locale(), { type: 'conjunction' }).format(list);
}

/** Names peers by what a DAO knows of them, and those who are in it no more by what else is known. */
export function naming(members: api.DaoMember[], someone: string, gone?: Map<string, string>): (peer: string) => string {
  const known = new Map([...(gone ?? []), ...members.map(({ peer_id, name }) => [peer_id, name] as const)]);
  return (peer) => known.get(peer) || (known.has(peer) ? `${someone} ${peer.slice(0, 4)}` : someone);
}
