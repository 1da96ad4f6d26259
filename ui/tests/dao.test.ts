import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it } from 'vitest';
import { Failure, type Dao as DaoPage, type DaoCommand, type DaoMember, type DaoProposal, type DaoSummary, type WalletStatus } from '../src/lib/backend';
import { router } from '../src/lib/router.svelte';
import { addsUp, blocksTake, letters, personOf, share } from '../src/lib/state/dao.svelte';
import { openLink } from '../src/lib/state/links.svelte';
import { node } from '../src/lib/state/status.svelte';
import { toasts } from '../src/lib/state/toasts.svelte';
import { wallet } from '../src/lib/state/wallet.svelte';
import Dao from '../src/screens/Dao.svelte';
import Daos from '../src/screens/Daos.svelte';
import { screenOf } from '../src/screens';
import { TestNode } from './node';

const MARKUP = '<img src=x onerror="alert(1)">';
const ME = '11'.repeat(32);
const BRAM = '22'.repeat(32);
const STATUS: WalletStatus = {
  exists: true, network: 'regtest', unlocked: true, words_confirmed: true, confirmed_sat: 500_000, pending_sat: 0, income_sat: 0,
  frozen_sat: 0, height: 300, synced: true, peers: 1, waiting: null, cap_sat: null,
};

function member(change: Partial<DaoMember> = {}): DaoMember {
  return {
    peer_id: ME, name: 'Ilse', claim_sat: 100_000, reserved_sat: 0, counted: true, keyholder: true, state: 'counted', vouches: 2, vouched_by_me: false, ...change,
  };
}

function dao(change: Partial<DaoPage> = {}): DaoPage {
  return {
    dao_id: 'd1', name: 'Harbour Street', purpose: 'Three records a year', network: 'regtest', creator: ME, invite: 'musicdao:dao/d1?from=x', code: 'musicdao:dao/c1', stage: 'active',
    membership: 'counted',
    charter: {
      name: 'Harbour Street', purpose: 'Three records a year', fee_sat: 50_000, threshold_percent: 60, founders: 3, vouches: 2, recovery_blocks: 144, depth: 1,
      policy: 'open', construction: 'multi_a', spending_percent: 100, season_blocks: 0, growth_percent: 0,
    },
    epoch: 1, threshold: 2, keys: 2, members: [member(), member({ peer_id: BRAM, name: 'Bram', claim_sat: 200_000 })], coin: 'ff:0', confirmations: 3,
    treasury_sat: 302_500, claims_sum_sat: 300_000, unassigned_sat: 500, reserve_sat: 2_000, unprotected_sat: 0, under_old_keys_sat: 0, claim_sat: 100_000, gini: 0.17, nakamoto: 1,
    turnout: 0.5, delegate: null, signing: null, turns: [], refund_height: 444, refunded: null, incidents: [], waiting: null, ...change,
  };
}

function proposal(change: Partial<DaoProposal> = {}): DaoProposal {
  return {
    proposal_id: 'p1', dao_id: 'd1', author: BRAM, author_name: 'Bram', title: 'A tape for Noor', words: null, kind: 'pay',
    intent: { kind: 'pay', outputs: [{ address: 'bcrt1qq', amount_sat: 30_000 }] }, outputs: [{ address: 'bcrt1qq', amount_sat: 30_000 }], state: 'open',
    yes: 1, no: 0, abstain: 0, electorate: 2, needed: 2, my_vote: null, may_vote: true, expiry: 1_300, txid: null, confirmations: 0, note_id: null,
    my_part_sat: 10_000, parts: [{ peer_id: BRAM, sat: 20_000, left_sat: 180_000 }, { peer_id: ME, sat: 10_000, left_sat: 90_000 }], voted_twice: [], at_ms: 0, ...change,
  };
}

type Asked<K> = Extract<DaoCommand, { command: K }>;

let server: TestNode;
let answers: { [K in DaoCommand['command']]?: (asked: Asked<K>) => unknown };
let page: DaoPage;
let proposals: DaoProposal[];

/** What was asked by one command, in order. */
function told(command: DaoCommand['command']): object[] {
  return (server.params('dao') as DaoCommand[]).filter((asked) => asked.command === command);
}

function open(part?: string): void {
  location.hash = part ? `#/dao/d1/${part}` : '#/dao/d1';
  router.route = { path: ['dao', 'd1', ...(part ? [part] : [])], query: new URLSearchParams() };
  render(Dao);
}

beforeEach(() => {
  for (const { id } of toasts.list) toasts.dismiss(id);
  wallet.status = wallet.chain = wallet.failure = undefined;
  node.status = { peer_id: ME } as typeof node.status;
  [page, proposals] = [dao(), [proposal()]];
  answers = {
    show: () => page, proposals: () => ({ proposals }), list: () => ({ daos: [] }), vote: () => proposals[0],
    refunds: () => ({ refunds: [{ txid: 'r', spendable_at: 444, sat: 300_000, claims: 2 }], my_part_sat: 99_000 }),
    leave: () => ({}), recover: () => ({ txid: 'r' }), vouch: () => ({}), delegate: () => page, propose: () => proposals[0],
    join: () => ({ dao_id: 'd1', peer_id: ME, state: 'requested', txid: null, amount_sat: 50_000, fee_sat: 321, warnings: [] }),
  };
  server = new TestNode({
    dao: (asked: DaoCommand) => {
      const answer = answers[asked.command] as ((asked: DaoCommand) => unknown) | undefined;
      if (!answer) throw new Failure('not_asked_for', asked.command);
      return answer(asked);
    },
    wallet: ({ command }: { command: string }) => (command === 'status' ? STATUS : command === 'parse' ? { address: 'bcrt1qgood', amount_sat: null } : { fees: { fast: 8, normal: 4, slow: 1 } }),
    money: () => ({ offers: [] }),
    open: () => ({ kind: 'dao', id: 'd1', known: true, unreachable: null }),
    status: () => ({ peer_id: ME }),
  });
});

describe('what is counted', () => {
  it('adds up to the satoshi, also member by member', () => {
    expect(addsUp(dao())).toBe(true);
    expect(addsUp(dao({ treasury_sat: 302_501 }))).toBe(false);
    expect(addsUp(dao({ members: [member(), member({ claim_sat: 199_999 })] }))).toBe(false);
  });

  it('shares a payment by claims, never above one', () => {
    expect(share(30_000, dao())).toBe(10_000);
    expect(share(10, dao({ claims_sum_sat: 0 }))).toBe(0);
    expect(share(400_000, dao())).toBe(100_000);
    // 21 million coins times 21 million coins is no safe integer.
    expect(share(2_100_000_000_000_000, dao({ claim_sat: 2_100_000_000_000_000, claims_sum_sat: 2_100_000_000_000_000 }))).toBe(2_100_000_000_000_000);
  });

  it('knows a person by a link or an identity, and nobody by anything else', () => {
    expect(personOf(`musicdao:artist/${BRAM}?from=x`)).toBe(BRAM);
    expect(personOf(` musicdao://artist/${BRAM} `)).toBe(BRAM);
    expect(personOf(BRAM.toUpperCase())).toBe(BRAM);
    for (const no of ['', `musicdao:release/${BRAM}`, BRAM.slice(1), `${BRAM}0`, `https://a.b/${BRAM}`]) expect(personOf(no)).toBeUndefined();
    expect(letters(BRAM)).toBe('2222 2222 2222');
  });

  it('says how long blocks take', () => {
    expect(blocksTake(6)).toBe('1 hour');
    expect(blocksTake(144)).toBe('1 day');
    expect(blocksTake(25_920)).toBe('6 months');
  });

  it('keeps one screen for the parts of a DAO', () => {
    const key = (...path: string[]) => screenOf({ path, query: new URLSearchParams() }).key;
    expect(key('dao', 'd1', 'members')).toBe(key('dao', 'd1'));
    expect(key('dao', 'd1', 'board')).not.toBe(key('dao', 'd1'));
    expect(key('dao', 'd2')).not.toBe(key('dao', 'd1'));
  });
});

describe('the list', () => {
  it('says what to do where there is none', async () => {
    render(Daos);
    await screen.findByText('You are in no DAO yet');
    expect(screen.getByRole('button', { name: 'Found a DAO' })).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Open an invite' })).toBeTruthy();
  });

  it('says what one is in each, and shows names as text', async () => {
    const one: DaoSummary = { dao_id: 'd1', name: MARKUP, purpose: 'p', network: 'regtest', stage: 'active', membership: 'counted', members: 4, fee_sat: 10_000, treasury_sat: 90_000, claim_sat: 20_000 };
    answers.list = () => ({ daos: [one, { ...one, dao_id: 'd2', name: 'Second', stage: 'founding', membership: 'none' }] });
    render(Daos);
    await screen.findByText(MARKUP);
    expect(screen.getByText(/You are a member with a vote · 4 members/)).toBeTruthy();
    expect(screen.getByText(/Your claim: 20,000/)).toBeTruthy();
    expect(screen.getByText(/^from 10,000/)).toBeTruthy();
    expect(document.querySelector('img')).toBeNull();
  });
});

describe('a DAO', () => {
  it('is voted in once, for good', async () => {
    open();
    await screen.findByRole('article', { name: 'A tape for Noor' });
    expect(screen.getByText(/It takes 10,000.sats of your claim; 90,000.sats stay\./)).toBeTruthy();
    answers.vote = () => (proposals = [proposal({ my_vote: 'no', no: 1 })])[0];
    await userEvent.click(screen.getByRole('button', { name: 'No: A tape for Noor' }));
    await screen.findByText('You voted no');
    expect(told('vote')).toEqual([{ command: 'vote', dao: 'd1', proposal: 'p1', choice: 'no' }]);
    expect(screen.queryByRole('button', { name: /A tape for Noor$/ })).toBeNull();
  });

  it('says what a proposal takes from whom, and by which transaction it did', async () => {
    open();
    await userEvent.click(await screen.findByText('What it takes from whom, and what stays'));
    expect(screen.getByText(/^20,000.sats, then 180,000.sats stay$/)).toBeTruthy();
    proposals = [proposal({ state: 'confirmed', txid: 'ab'.repeat(32), confirmations: 2, parts: [{ peer_id: ME, sat: 10_000, left_sat: null }] })];
    server.tell({ event: 'dao_changed', dao_id: 'd1' });
    await screen.findByText('What it took from whom');
    expect(screen.getByText(/^It took 10,000.sats of your claim\.$/)).toBeTruthy();
    expect(screen.getByRole('button', { name: /Copy the transaction’s id: A tape for Noor$/ }).textContent).toMatch(/abababab…abababab/);
  });

  it('says that what was signed in part is not over yet', async () => {
    proposals = [proposal({ state: 'revocable', my_vote: 'yes' })];
    open();
    await screen.findByText('Being undone');
    expect(screen.getByText('It is over, but was signed in part. What it takes stays set aside until that is void.')).toBeTruthy();
    expect(screen.getByText(/It takes 10,000.sats of your claim/)).toBeTruthy();
  });

  it('shows what came in beside its coin, also under keys of before and after its end', async () => {
    page = dao({ unprotected_sat: 7_000, under_old_keys_sat: 3_000 });
    open('treasury');
    await screen.findByText(/^7,000.sats came in beside the coin/);
    expect(screen.getByText(/^3,000.sats of it came in under keys of before/)).toBeTruthy();
    page = dao({ stage: 'ended', coin: null, treasury_sat: 0, unprotected_sat: 7_000, refunded: 'r' });
    server.tell({ event: 'dao_changed', dao_id: 'd1' });
    await screen.findByText(/^7,000.sats came in after the end/);
    expect(screen.getByText('It has ended: everybody was paid their claim.')).toBeTruthy();
  });

  it('changes a rule by no more than may be at once', async () => {
    open('propose');
    await userEvent.selectOptions(await screen.findByRole('combobox', { name: 'What is to be done' }), 'set');
    await userEvent.type(screen.getByRole('textbox', { name: 'In a few words' }), 'More of us');
    await userEvent.selectOptions(screen.getByRole('combobox', { name: 'Which rule' }), 'threshold');
    const value = screen.getByRole('spinbutton', { name: /^To what/ });
    await userEvent.type(value, '71');
    await screen.findByText('It is 60 now; rules change in small steps, this one to between 50 and 70.');
    expect((screen.getByRole('button', { name: 'Propose' }) as HTMLButtonElement).disabled).toBe(true);
    await userEvent.clear(value);
    await userEvent.type(value, '70');
    await userEvent.click(screen.getByRole('button', { name: 'Propose' }));
    await waitFor(() => expect(told('propose')).toMatchObject([{ intent: { kind: 'set', parameter: 'threshold', value: 70 } }]));
  });

  it('follows its signatures', async () => {
    page = dao({ signing: { txid: 't', refund_ready: false, signed: 0, needed: 3, sent: false } });
    open();
    await screen.findByText('Everybody’s way out is signed first');
    page = dao({ signing: { txid: 't', refund_ready: true, signed: 1, needed: 3, sent: false } });
    server.tell({ event: 'dao_changed', dao_id: 'd1' });
    await screen.findByText('Waiting for 2 more signatures');
    page = dao({ signing: { txid: 't', refund_ready: true, signed: 3, needed: 3, sent: true } });
    server.tell({ event: 'dao_changed', dao_id: 'd1' });
    await screen.findByText('Sent. It waits for a block.');
  });

  it('asks who came by a link at once, and pays only after what can go wrong was read', async () => {
    page = dao({ membership: 'none', members: [member({ peer_id: BRAM, name: 'Bram' })] });
    expect(await openLink('musicdao:dao/d1?from=x')).toBe('#/dao/d1?join');
    router.route = { path: ['dao', 'd1'], query: new URLSearchParams('join') };
    render(Dao);
    const dialog = within(await screen.findByRole('dialog', { name: 'Join Harbour Street' }));
    const pay = await dialog.findByRole('button', { name: /^Join with 50,000/ });
    expect((pay as HTMLButtonElement).disabled).toBe(true);
    await userEvent.click(dialog.getByRole('checkbox', { name: 'I have read what can go wrong.' }));
    await waitFor(() => expect((pay as HTMLButtonElement).disabled).toBe(false));
    expect(told('join').every((asked) => (asked as Asked<'join'>).pay?.dry_run)).toBe(true);
    await userEvent.click(pay);
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(told('join').at(-1)).toMatchObject({ deposit_sat: 50_000, pay: { dry_run: false } });
  });

  it('does not ask less than the fee', async () => {
    page = dao({ membership: 'none' });
    open();
    await userEvent.click(await screen.findByRole('button', { name: 'Join' }));
    const field = within(await screen.findByRole('dialog')).getByRole('textbox', { name: 'How much you put in' });
    await userEvent.clear(field);
    await userEvent.type(field, '49999');
    await screen.findByText(/^That is less than the entrance fee of 50,000/);
    expect((screen.getByRole('button', { name: 'Join with' }) as HTMLButtonElement).disabled).toBe(true);
  });

  it('is vouched in only for whose code it is', async () => {
    page = dao({ members: [member(), member({ peer_id: BRAM, name: 'Bram', counted: false, keyholder: false, state: 'member', vouches: 1 })] });
    open('members');
    await userEvent.click(await screen.findByRole('button', { name: 'Vouch for Bram' }));
    const dialog = within(await screen.findByRole('dialog'));
    const vouch = dialog.getByRole('button', { name: 'Vouch for Bram' }) as HTMLButtonElement;
    expect(vouch.disabled).toBe(true);
    await userEvent.type(dialog.getByRole('textbox'), `musicdao:artist/${ME}`);
    await screen.findByText('This is the code of somebody else.');
    expect(vouch.disabled).toBe(true);
    await userEvent.clear(dialog.getByRole('textbox'));
    await userEvent.type(dialog.getByRole('textbox'), `musicdao:artist/${BRAM}`);
    await userEvent.click(vouch);
    await waitFor(() => expect(told('vouch')).toEqual([{ command: 'vouch', dao: 'd1', peer: BRAM }]));
  });

  it('forgets what was counted of another coin', async () => {
    answers.audit = () => ({ dao_id: 'd1', treasury_sat: 302_500, claims_sum_sat: 300_000, unassigned_sat: 500, reserve_sat: 2_000, ok: true, problems: [] });
    open('treasury');
    await userEvent.click(await screen.findByRole('button', { name: 'Check it against the chain' }));
    await screen.findByText(/^Recomputed from the charter/);
    page = dao({ confirmations: 9 });
    server.tell({ event: 'dao_changed', dao_id: 'd1' });
    await screen.findByText(/9 blocks on it/);
    expect(screen.getByText(/^Recomputed from the charter/)).toBeTruthy();
    page = dao({ coin: 'ee:0' });
    server.tell({ event: 'dao_changed', dao_id: 'd1' });
    await waitFor(() => expect(screen.queryByText(/^Recomputed from the charter/)).toBeNull());
  });

  it('says when it does not add up', async () => {
    page = dao({ reserve_sat: 1_999 });
    open('treasury');
    await screen.findByText('It does not add up');
    expect(screen.getByText(/^≠ 302,500/)).toBeTruthy();
  });

  it('is left with exactly the claim, and never by one press', async () => {
    open('exit');
    await userEvent.click(await screen.findByRole('button', { name: /^Leave with 100,000/ }));
    expect(told('leave')).toEqual([]);
    await userEvent.click(within(await screen.findByRole('dialog')).getByRole('button', { name: /^Leave with 100,000/ }));
    await waitFor(() => expect(told('leave')).toEqual([{ command: 'leave', dao: 'd1' }]));
  });

  it('lets its way out be sent when the next block may hold it, and not before', async () => {
    open('exit');
    const send = (await screen.findByRole('button', { name: 'Send the way out' })) as HTMLButtonElement;
    await screen.findByText(/from block 444 on, in about 1 day/);
    expect(send.disabled).toBe(true);
    wallet.status = { ...STATUS, height: 443 };
    await waitFor(() => expect(send.disabled).toBe(false));
  });

  it('is proposed to with what it takes, and not above what there is', async () => {
    open('propose');
    await userEvent.selectOptions(await screen.findByRole('combobox', { name: 'What is to be done' }), 'pay');
    await userEvent.type(screen.getByRole('textbox', { name: 'In a few words' }), 'A tape');
    await userEvent.type(screen.getByRole('textbox', { name: 'To which address' }), 'bcrt1qgood');
    const sum = screen.getByRole('textbox', { name: 'Amount' });
    await userEvent.type(sum, '300001');
    await screen.findByText(/^That is more than the treasury/);
    await userEvent.clear(sum);
    await userEvent.type(sum, '30000');
    await screen.findByText(/it takes about 10,000.sats of your claim/);
    await userEvent.click(screen.getByRole('button', { name: 'Propose' }));
    await waitFor(() => expect(told('propose')).toEqual([{
      command: 'propose', dao: 'd1', title: 'A tape', words: null, intent: { kind: 'pay', outputs: [{ address: 'bcrt1qgood', amount_sat: 30_000 }] }, expiry_blocks: 1_008,
    }]));
  });

  it('is on its way where it is not known yet', async () => {
    answers.show = answers.proposals = () => {
      throw new Failure('dao_unknown', 'no such DAO');
    };
    open();
    await screen.findByText('This DAO is on its way');
    answers.show = () => page;
    answers.proposals = () => ({ proposals });
    server.tell({ event: 'dao_changed', dao_id: 'd1' });
    await screen.findByRole('heading', { name: 'Harbour Street' });
  });

  it('says that a locked wallet signs nothing', async () => {
    wallet.status = undefined;
    server.answers.wallet = ({ command }: { command: string }) => (command === 'status' ? { ...STATUS, unlocked: false } : {});
    open();
    await screen.findByText('Your wallet is locked, so this device signs nothing for this DAO.');
    await userEvent.click(screen.getByRole('button', { name: 'Unlock' }));
    await screen.findByRole('dialog', { name: 'Unlock' });
  });

  it('shows a room who came, what there is and what is voted on', async () => {
    open('board');
    await screen.findByRole('img', { name: 'QR code of the invite' });
    expect(screen.getByText('Bram')).toBeTruthy();
    expect(screen.getByRole('status').textContent).toMatch(/302,500/);
    expect(screen.getByRole('img', { name: /Votes on A tape for Noor: 1 yes, 2 needed of 2/ })).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Show the code large' }));
    await userEvent.keyboard('{Escape}');
    expect(screen.getByRole('button', { name: 'Show the code large' })).toBeTruthy();
    expect(location.hash).toBe('#/dao/d1/board');
  });
});
