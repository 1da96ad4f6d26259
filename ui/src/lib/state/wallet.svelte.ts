/** The Bitcoin wallet: how it is, how amounts are shown, and what can be asked about money. */
import { backend, Failure } from '../backend';
import type * as money from '../backend/types';
import { locale, t } from '../i18n/index.svelte';
import { figures, type Unit } from '../sats';
import { attempt, Pulse } from './pulse.svelte';
import { toasts } from './toasts.svelte';

/** What each command answers. */
interface WalletAnswers {
  create: money.NewWallet;
  words: { words: string[] };
  drill: money.Drill;
  address: money.Receive;
  parse: money.PayTo;
  send: money.Sent;
  bump: money.Sent;
  history: money.WalletHistory;
  history_csv: money.TextFile;
  labels_export: money.TextFile;
  backup: money.TextFile;
  coins: money.Coins;
  labels_import: money.Labels;
  chain: money.ChainStatus;
  status: money.WalletStatus;
}

interface MoneyAnswers {
  tip: money.Tipped;
  send_tips: money.Tipped;
  payments: money.Payments;
  offer_create: money.Offer;
  offer_show: money.Offer;
  offers: money.Offers;
  invest: money.Invested;
  notes: money.Notes;
  payout: money.PaidOut;
  refund: money.PaidOut;
  income: money.Income;
  audit: money.Audit;
}

type Answer<A, C> = C extends keyof A ? A[C] : unknown;
const KEY = 'musicdao.unit';

/** Asks the wallet. */
export function askWallet<C extends money.WalletCommand>(command: C): Promise<Answer<WalletAnswers, C['command']>> {
  return backend().call('wallet', command) as Promise<Answer<WalletAnswers, C['command']>>;
}

/** Asks about money for music. */
export function askMoney<C extends money.MoneyCommand>(command: C): Promise<Answer<MoneyAnswers, C['command']>> {
  return backend().call('money', command) as Promise<Answer<MoneyAnswers, C['command']>>;
}

/** Does what `work` does; a failure is told in words and answers nothing. */
export function trying<T>(work: () => Promise<T>): Promise<T | undefined> {
  return attempt(work, wallet);
}

/** Publishes where the artist here is paid; what was published before stays. */
export async function bePaid(): Promise<void> {
  await trying(async () => {
    await backend().call('profile_set', { name: null, bio: null, links: null, avatar: null });
    toasts.say(t.money.studio.payable);
  });
}

class Wallet extends Pulse {
  status = $state.raw<money.WalletStatus>();
  chain = $state.raw<money.ChainStatus>();
  failure = $state.raw<Failure>();
  unit = $state<Unit>('sat');

  constructor() {
    super(['wallet_changed', 'payment', 'catalogue_changed', 'dropped']);
  }

  override changed(): void {
    super.changed();
    void this.refresh();
  }

  protected override begin(): void {
    this.unit = read() === 'btc' ? 'btc' : 'sat';
  }

  refresh = async (): Promise<void> => {
    try {
      this.status = await askWallet({ command: 'status' });
      this.failure = undefined;
      // Who has no wallet never meets Bitcoin: asking the chain would look for its nodes.
      if (this.status.exists) this.chain = await askWallet({ command: 'chain' });
    } catch (thrown) {
      this.failure ??= Failure.from(thrown);
    }
  };

  setUnit(unit: Unit): void {
    this.unit = unit;
    try {
      localStorage.setItem(KEY, unit);
    } catch {
      // A browser that stores nothing still counts.
    }
  }
}

export const wallet = new Wallet();

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** `1,234 sats`, in the chosen unit. */
export function amount(sat: number): string {
  const unit = wallet.unit === 'sat' && Math.abs(sat) === 1 ? 'one' : wallet.unit;
  return `${figures(sat, wallet.unit, locale())}\u00a0${t.money.unit[unit]}`;
}

/** `2.5 %` of hundredths of a per cent. */
export function percent(bp: number): string {
  return (bp / 10_000).toLocaleString(locale(), { style: 'percent', maximumFractionDigits: 2 });
}

/** A day as people write it. */
export function day(ms: number): string {
  return new Date(ms).toLocaleDateString(locale(), { dateStyle: 'medium' });
}

/** A network's word and what it means. */
export function networkWords(network: string): string[] {
  return t.money.networks[network as keyof typeof t.money.networks] ?? [network, ''];
}
