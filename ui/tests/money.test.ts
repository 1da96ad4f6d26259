import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it } from 'vitest';
import { Failure, type MoneyCommand, type Note, type Offer, type WalletCommand, type WalletStatus, type WalletTransaction } from '../src/lib/backend';
import IncomeChart from '../src/lib/components/money/IncomeChart.svelte';
import Offers from '../src/lib/components/money/Offers.svelte';
import SupportButton from '../src/lib/components/money/SupportButton.svelte';
import TipList from '../src/lib/components/money/TipList.svelte';
import { router } from '../src/lib/router.svelte';
import { figures, typed, withAmount, written } from '../src/lib/sats';
import { config } from '../src/lib/state/config.svelte';
import { node } from '../src/lib/state/status.svelte';
import { toasts } from '../src/lib/state/toasts.svelte';
import { wallet } from '../src/lib/state/wallet.svelte';
import Wallet from '../src/screens/Wallet.svelte';
import Bitcoin from '../src/screens/settings/Bitcoin.svelte';
import Money from '../src/screens/studio/money/Money.svelte';
import { TestNode } from './node';

const MARKUP = '<img src=x onerror="alert(1)">';
const ADDRESS = 'bcrt1pqqqqq';
const WORDS = Array.from({ length: 24 }, (_, place) => `word${place + 1}`);
const STATUS: WalletStatus = {
  exists: true, network: 'regtest', unlocked: true, words_confirmed: true, confirmed_sat: 150_000, pending_sat: 2_000, income_sat: 0,
  frozen_sat: 0, height: 1_234, synced: true, peers: 2, waiting: null, cap_sat: null,
};
const TX: WalletTransaction = {
  txid: 'aa11', net_sat: -5_141, fee_sat: 141, state: 'in_mempool', confirmations: 0, at_ms: Date.UTC(2026, 10, 1), purpose: 'tip', label: null,
  can_bump: true, replaced_by: null,
};
const OFFER: Offer = {
  offer_id: 'o1', artist_id: 'a1', artist: 'Noor', title: 'The second album', network: 'regtest', goal_sat: 1_000_000, raised_sat: 250_000,
  share_bp: 2_000, cap_percent: 150, floor_sat: 0, expiry_ms: Date.UTC(2027, 11, 31), expiry: '2027-12-31', splits: [], open: true,
  income_sat: 0, owed_sat: 0, paid_sat: 0, notes: [], example: [], waiting: null,
};
const NOTE: Note = {
  note_id: 'n1', offer_id: 'o1', artist_id: 'a1', artist: 'Noor', investor: 'i1', investor_name: 'Ilse', principal_sat: 100_000, cap_sat: 150_000,
  owed_sat: 20_000, paid_sat: 30_000, status: 'active', txid: 'bb22', expiry_ms: Date.UTC(2027, 11, 31),
};

type Answers<C extends { command: string }> = { [K in C['command']]?: (asked: Extract<C, { command: K }>) => unknown };

let server: TestNode;
let purse: Answers<WalletCommand>;
let trade: Answers<MoneyCommand>;

/** What one part of the node was told by one command, in order. */
function told<C extends string>(method: 'wallet' | 'money', command: C): object[] {
  return (server.params(method) as { command: string }[]).filter((asked) => asked.command === command);
}

beforeEach(() => {
  localStorage.clear();
  for (const { id } of toasts.list) toasts.dismiss(id);
  wallet.status = wallet.chain = wallet.failure = undefined;
  const sent = { txid: 't1', fee_sat: 141, vsize: 141, sat_per_vb: 1, amount_sat: 5_000, change_sat: 0, coins: [], warnings: [], dry_run: true };
  purse = {
    status: () => STATUS,
    chain: () => ({ network: 'regtest', height: 1_234, block_hash: 'ff', synced: true, peers: [], waiting: null, fees: { fast: 8, normal: 4, slow: 1 } }),
    history: () => ({ transactions: [TX], total: 1 }), coins: () => ({ coins: [] }), send: () => sent, bump: () => sent, label: () => ({}),
    address: () => ({ address: ADDRESS, index: 1, uri: `bitcoin:${ADDRESS}` }),
    parse: ({ text }) => {
      if (text !== ADDRESS) throw new Failure('address_network', 'of another network');
      return { address: ADDRESS, amount_sat: 5_000, label: MARKUP, message: null };
    },
  };
  trade = {
    notes: () => ({ notes: [] }), payments: () => ({ payments: [], total: 0 }), offers: () => ({ offers: [OFFER] }), offer_show: () => OFFER,
    income: () => ({ confirmed_sat: 0, pending_sat: 0, owed_sat: 0, days: [], releases: [], supporters: [] }),
    tip: ({ amount_sat, pay }) => ({ payment_id: null, txid: pay.dry_run ? null : 't2', fee_sat: 200, amount_sat, artist: 'Noor', waiting: false, warnings: [] }),
  };
  const answer = (table: object) => (asked: { command: string }) => {
    const known = (table as Record<string, ((asked: object) => unknown) | undefined>)[asked.command];
    if (!known) throw new Failure('not_asked_for', asked.command);
    return known(asked);
  };
  server = new TestNode({ wallet: answer(purse) as never, money: answer(trade) as never, status: () => ({ peer_id: 'me' }), releases: () => ({ releases: [], total: 0 }) });
  node.status = { peer_id: 'a1' } as never;
});

function at(hash: string): void {
  location.hash = hash;
  router.start()();
}

describe('an amount', () => {
  it('is read as people type it, and nothing else is taken for one', () => {
    for (const text of ['5000', '5 000', '5.000', '5,000', ' 5000 sat', '5000sats', '0.00005btc', '0,00005 BTC']) expect(typed(text, 'sat'), text).toBe(5_000);
    expect(typed('0.5', 'btc')).toBe(50_000_000);
    for (const text of ['', '-1', '1.5', '5.00', '0.000000001btc', '21000001btc', '1e3', 'all', '99999999999999999999']) expect(typed(text, 'sat'), text).toBeUndefined();
  });

  it('is shown in sats or in bitcoin, exactly', () => {
    expect(figures(1_234_567, 'sat', 'en')).toBe('1,234,567');
    expect(figures(1, 'btc', 'en')).toBe('0.00000001');
    expect(written(150_000, 'btc')).toBe('0.0015');
    expect(withAmount(`bitcoin:${ADDRESS}?label=a%20b`, 1_000)).toBe(`bitcoin:${ADDRESS}?label=a%20b&amount=0.00001`);
  });
});

describe('a new wallet', () => {
  it('shows its words, asks for their order and says when one is wrong', async () => {
    let made = false;
    purse.status = () => ({ ...STATUS, exists: made, words_confirmed: false });
    purse.create = () => ((made = true), { words: WORDS, network: 'regtest' });
    purse.words_confirmed = () => ({});
    at('#/wallet');
    render(Wallet);
    expect(await screen.findByText('Regtest')).toBeInTheDocument();
    await userEvent.type(screen.getByLabelText(/^Passphrase for this device/), 'long enough');
    expect(screen.getByRole('button', { name: 'Show me the words' })).toBeDisabled();
    await userEvent.type(screen.getByLabelText(/^Passphrase again/), 'long enough');
    await userEvent.click(screen.getByRole('button', { name: 'Show me the words' }));
    expect(within(await screen.findByRole('list')).getAllByRole('listitem')).toHaveLength(24);
    await userEvent.click(screen.getByRole('button', { name: 'I wrote them down' }));
    for (let asked = 0; asked < 3; asked += 1) {
      const place = Number(/(\d+)/.exec(screen.getByText(/^Which is word/).textContent ?? '')?.[1]);
      const wrong = screen.getAllByRole('button', { name: /^word\d+$/ }).find((one) => one.textContent !== `word${place}`);
      await userEvent.click(wrong!);
      expect(screen.getByRole('alert')).toHaveTextContent(`word ${place} is another one`);
      await userEvent.click(screen.getByRole('button', { name: `word${place}` }));
    }
    await waitFor(() => expect(told('wallet', 'words_confirmed')).toHaveLength(1));
    expect(await screen.findByRole('link', { name: 'Receive' })).toBeInTheDocument();
    expect(screen.queryByText('word7')).toBeNull();
    expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toMatch(/word\d|long enough/);
  });

  it('comes back from words, however they were typed', async () => {
    purse.status = () => ({ ...STATUS, exists: false });
    purse.restore = () => ({});
    at('#/wallet');
    render(Wallet);
    await userEvent.click(await screen.findByRole('radio', { name: 'From words' }));
    await userEvent.type(screen.getByLabelText(/^Your words/), `  Word ${'word '.repeat(11)}`);
    await userEvent.type(screen.getByLabelText(/^Passphrase for this device/), 'long enough');
    await userEvent.type(screen.getByLabelText(/^Passphrase again/), 'long enough');
    await userEvent.click(screen.getByRole('button', { name: 'Restore' }));
    await waitFor(() => expect(told('wallet', 'restore')).toMatchObject([{ words: Array(12).fill('word').join(' '), birthday: null }]));
  });
});

describe('the wallet', () => {
  it('says what there is, what is on the way and where the chain is', async () => {
    at('#/wallet');
    render(Wallet);
    expect(await screen.findByLabelText(/^Balance: 150,000/)).toBeInTheDocument();
    expect(screen.getByText(/^2,000.sats on the way$/)).toBeInTheDocument();
    expect(screen.getByRole('status')).toHaveTextContent('Up to date, at block 1,234. 2 Bitcoin nodes.');
    purse.status = () => ({ ...STATUS, synced: false, peers: 0 });
    server.tell({ event: 'wallet_changed' });
    await waitFor(() => expect(screen.getByRole('status')).toHaveTextContent('Waiting for a Bitcoin node.'));
  });

  it('gives one address until it is paid to, and asks for an amount in the link', async () => {
    let index = 0;
    purse.address = () => ({ address: `${ADDRESS}${++index}`, index, uri: `bitcoin:${ADDRESS}${index}` });
    at('#/wallet/receive');
    const { unmount } = render(Wallet);
    expect(await screen.findByText(`${ADDRESS}1`)).toBeInTheDocument();
    unmount();
    render(Wallet);
    expect(await screen.findByText(`${ADDRESS}1`)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Another address' }));
    expect(await screen.findByText(`${ADDRESS}2`)).toBeInTheDocument();
    expect(screen.getByRole('img', { name: 'QR code of the address' })).toBeInTheDocument();
  });

  it('pays only after the total was shown, with the passphrase where it is locked, and names the wish', async () => {
    purse.status = () => ({ ...STATUS, unlocked: false });
    at('#/wallet/send');
    render(Wallet);
    const to = await screen.findByRole('textbox', { name: 'To' });
    await userEvent.click(to);
    await userEvent.paste(ADDRESS);
    expect(await screen.findByText(`Asked for by ${MARKUP}`)).toBeInTheDocument();
    expect(document.querySelector('img[src="x"]')).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'Look it over' }));
    expect(await screen.findByText(/^5,141.sats$/)).toBeInTheDocument();
    const pay = screen.getByRole('button', { name: /^Send 5,000.sats$/ });
    expect(pay).toBeDisabled();
    await userEvent.type(screen.getByLabelText('The wallet’s passphrase'), 'open sesame');
    await userEvent.click(pay);
    await waitFor(() => expect(location.hash).toBe('#/wallet'));
    const paid = told('wallet', 'send').at(-1);
    expect(paid).toMatchObject({ dry_run: false, passphrase: 'open sesame', recipients: [{ address: ADDRESS, amount_sat: 5_000 }] });
    expect((paid as { key: string }).key).toMatch(/^[\w-]{36}$/);
    expect(told('wallet', 'send').slice(0, -1).every((tried) => (tried as { dry_run: boolean }).dry_run)).toBe(true);
  });

  it('says in words why an address does not do', async () => {
    at('#/wallet/send');
    render(Wallet);
    await userEvent.type(await screen.findByRole('textbox', { name: 'To' }), 'tb1q');
    expect(await screen.findByRole('alert')).toHaveTextContent('This address is of another Bitcoin network.');
    expect(screen.getByRole('button', { name: 'Look it over' })).toBeDisabled();
  });

  it('lists payments with their state, takes a word for one and speeds one up', async () => {
    at('#/wallet');
    render(Wallet);
    await userEvent.click(await screen.findByRole('button', { name: /^Tip/ }));
    expect(screen.getAllByText('Waiting for a block').length).toBeGreaterThan(0);
    await userEvent.type(screen.getByLabelText('Your word for it'), 'for the encore{Tab}');
    await waitFor(() => expect(told('wallet', 'label')).toMatchObject([{ of: 'aa11', label: 'for the encore' }]));
    await userEvent.click(screen.getByRole('button', { name: 'Speed up' }));
    await userEvent.click(screen.getByRole('radio', { name: 'Soon' }));
    await userEvent.click(await screen.findByRole('button', { name: /^Speed up 5,000/ }));
    await waitFor(() => expect(told('wallet', 'bump').at(-1)).toMatchObject({ txid: 'aa11', fee: { speed: 'fast' }, dry_run: false }));
  });
});

describe('support', () => {
  it('takes three presses at most', async () => {
    render(SupportButton, { artist: 'a9', name: 'Noor', release: 'r1' });
    await userEvent.click(screen.getByRole('button', { name: 'Support Noor' }));
    await userEvent.click(await screen.findByRole('button', { name: /^1,000.sats$/ }));
    await userEvent.click(await screen.findByRole('button', { name: /^Give 1,000.sats$/ }));
    await waitFor(() => expect(toasts.list.at(-1)?.text).toBe('Noor gets your tip. Thank you!'));
    expect(told('money', 'tip').at(-1)).toMatchObject({ artist: 'a9', release: 'r1', amount_sat: 1_000, memo: null, pay: { dry_run: false } });
  });

  it('says when a small tip waits for others', async () => {
    trade.tip = ({ amount_sat }) => ({ payment_id: 'p', txid: null, fee_sat: 0, amount_sat, artist: 'Noor', waiting: true, warnings: [] });
    render(SupportButton, { artist: 'a9', name: 'Noor' });
    await userEvent.click(screen.getByRole('button', { name: 'Support Noor' }));
    expect(await screen.findByText(/The fee would eat a good part of it/)).toBeInTheDocument();
    await userEvent.click(await screen.findByRole('button', { name: /^Give 5,000/ }));
    await waitFor(() => expect(toasts.list.at(-1)?.text).toMatch(/waits to go to Noor with others/));
  });

  it('leads to a wallet where there is none', async () => {
    purse.status = () => ({ ...STATUS, exists: false });
    render(SupportButton, { artist: 'a9', name: 'Noor' });
    await userEvent.click(screen.getByRole('button', { name: 'Support Noor' }));
    expect(await screen.findByRole('link', { name: 'Make a wallet' })).toHaveAttribute('href', '#/wallet');
  });

  it('is answered by the artist, whose words and the giver’s are text', async () => {
    const tip = {
      payment_id: 'p1', from: 'f1', from_name: MARKUP, artist_id: 'a1', artist: 'Noor', release_id: null, amount_sat: 1_000, memo: MARKUP, txid: 't',
      confirmations: 1, at_ms: 0, thanks: null, waiting: false,
    };
    trade.payments = () => ({ payments: [tip], total: 1 });
    trade.thank = () => ({});
    render(TipList, { empty: (() => {}) as never });
    await userEvent.click(await screen.findByRole('button', { name: `Say thanks: ${MARKUP}` }));
    await userEvent.type(screen.getByRole('textbox'), 'Means a lot{Enter}');
    await waitFor(() => expect(told('money', 'thank')).toMatchObject([{ payment: 'p1', text: 'Means a lot' }]));
    expect(document.querySelector('img')).toBeNull();
  });
});

describe('an offer', () => {
  it('says that all can be lost before anything is paid', async () => {
    trade.invest = ({ amount_sat }) => ({ note_id: null, txid: null, fee_sat: 300, principal_sat: amount_sat, cap_sat: 150_000, warnings: [] });
    render(Offers, { artist: 'a1', mine: false });
    await userEvent.click(await screen.findByRole('button', { name: 'Invest' }));
    expect(await screen.findByText('You can lose all of it.')).toBeInTheDocument();
    await userEvent.type(screen.getByRole('textbox', { name: 'Amount' }), '100000');
    expect(screen.getByText(/You get at most 150,000.sats back. Your part of the income: 2%/)).toBeInTheDocument();
    const pay = await screen.findByRole('button', { name: /^Invest 100,000/ });
    expect(pay).toBeDisabled();
    await userEvent.click(screen.getByRole('checkbox', { name: 'I can afford to lose it' }));
    await userEvent.click(pay);
    await waitFor(() => expect(told('money', 'invest').at(-1)).toMatchObject({ offer: 'o1', amount_sat: 100_000, pay: { dry_run: false } }));
  });

  it('is previewed in numbers, and shares above the whole are refused in words', async () => {
    trade.offer_create = () => ({ ...OFFER, example: [{ income_sat: 1_000, investors_sat: 250, collaborators_sat: 0, artist_sat: 750 }] });
    at('#/studio/money/offer');
    render(Money);
    await userEvent.type(await screen.findByRole('textbox', { name: 'How much you need' }), '1000000');
    expect(await screen.findByRole('cell', { name: /^750.sats$/ })).toBeInTheDocument();
    const share = screen.getByRole('spinbutton', { name: /^Part of your income/ });
    await userEvent.clear(share);
    await userEvent.type(share, '25');
    await waitFor(() => expect(told('money', 'offer_create').at(-1)).toMatchObject({ share_bp: 2_500, cap_percent: 150, goal_sat: 1_000_000, dry_run: true }));
    await userEvent.clear(share);
    await userEvent.type(share, '101');
    expect(screen.getByRole('alert')).toHaveTextContent('All parts together are more than everything.');
    expect(screen.getByRole('button', { name: 'Publish the offer' })).toBeDisabled();
  });

  it('is paid back with every line in sight first', async () => {
    const line = { note_id: 'n1', peer: 'i1', name: 'Ilse', address: ADDRESS, sat: 20_000 };
    trade.payout = ({ pay }) => ({ txid: pay.dry_run ? null : 't3', fee_sat: 200, lines: [line], warnings: [] });
    at('#/studio/money/payout/o1');
    render(Money);
    expect(await screen.findByText('Ilse')).toBeInTheDocument();
    expect(screen.getByText(`investment · ${ADDRESS}`)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: /^Pay out 20,000/ }));
    await waitFor(() => expect(told('money', 'payout').at(-1)).toMatchObject({ offer: 'o1', amount_sat: null, pay: { dry_run: false } }));
    expect(location.hash).toBe('#/studio/money');
  });
});

describe('what was invested', () => {
  it('shows how much of its cap came back', async () => {
    trade.notes = () => ({ notes: [NOTE, { ...NOTE, note_id: 'n2', status: 'complete', paid_sat: 150_000, owed_sat: 0 }] });
    at('#/wallet/notes');
    render(Wallet);
    expect(await screen.findByText('Paid back 1 of 2')).toBeInTheDocument();
    expect(screen.getAllByRole('progressbar', { name: 'Paid back: Noor' })[0]).toHaveAttribute('aria-valuenow', '20');
    expect(screen.getByText('Paid in full')).toBeInTheDocument();
  });
});

describe('income', () => {
  it('is a picture and a table of the same figures', async () => {
    const days = [{ id: '2026-11-01', name: '', sat: 3_000, count: 2 }, { id: '2026-11-04', name: '', sat: 1_500, count: 1 }];
    render(IncomeChart, { days });
    expect(screen.getByRole('img').querySelectorAll('rect')).toHaveLength(2);
    expect(screen.getByRole('img')).toHaveAccessibleName(/3,000/);
    await userEvent.click(screen.getByRole('button', { name: 'As a table' }));
    expect(screen.getAllByRole('row')).toHaveLength(3);
  });
});

describe('real money', () => {
  it('is only reached through plain words', async () => {
    config.values = { network: 'signet', bitcoin_peers: [], bitcoin_proxy: null } as never;
    server.answers.config_set = () => ({ config: {} });
    render(Bitcoin);
    await userEvent.selectOptions(screen.getByRole('combobox', { name: 'Network' }), 'mainnet');
    expect(await screen.findByText(/nobody has audited it/)).toBeInTheDocument();
    expect(server.params('config_set')).toEqual([]);
    expect(screen.getByRole('button', { name: 'Use real money' })).toBeDisabled();
    await userEvent.click(screen.getByRole('checkbox'));
    await userEvent.click(screen.getByRole('button', { name: 'Use real money' }));
    await waitFor(() => expect(server.params('config_set')).toEqual([{ key: 'mainnet', value: 'I can lose real money' }, { key: 'network', value: 'mainnet' }]));
  });
});
