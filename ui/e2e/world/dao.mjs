/** People with wallets and coins who keep a treasury, over daemons and a Bitcoin node that are real. */
import { Bitcoin } from './bitcoin.mjs';
import { Daemon } from './daemon.mjs';
import { until } from './until.mjs';
import { PASSPHRASE } from './wallet.mjs';

const PATIENCE_MS = 90_000;

export class Circle {
  /**
   * @param {import('node:test').TestContext} test ends it
   * @param {string[]} names one for each
   */
  static async start(test, names) {
    const bitcoin = await Bitcoin.start(test);
    const settings = `network = "regtest"\nbitcoin_peers = ["${bitcoin.address}"]\n`;
    const daemons = await Promise.all(names.map(() => Daemon.start(test, { settings })));
    for (const [at, { api }] of daemons.entries()) await api.call('profile_set', { name: names[at], bio: null, links: null, avatar: null });
    return new Circle(bitcoin, daemons);
  }

  constructor(bitcoin, daemons) {
    this.bitcoin = bitcoin;
    this.daemons = daemons;
  }

  /** Asks somebody's wallet. */
  wallet({ api }, command) {
    return api.call('wallet', command);
  }

  async balance(daemon) {
    return (await this.wallet(daemon, { command: 'status' })).confirmed_sat;
  }

  /** Makes a wallet for each, without a page. */
  async makeWallets() {
    for (const daemon of this.daemons) await this.wallet(daemon, { command: 'create', passphrase: PASSPHRASE, words_passphrase: null, words: 12 });
  }

  /** Gives each a coin that is deep enough to join with. */
  async fund(sat) {
    for (const daemon of this.daemons) {
      const { address } = await this.wallet(daemon, { command: 'address', label: null, amount_sat: null });
      await this.bitcoin.pay({ [address]: sat });
    }
    await this.mine(2);
    for (const daemon of this.daemons) await until('the coins are there', async () => (await this.balance(daemon)) === sat);
  }

  /** Mines what waits, and waits until everybody has seen it. */
  async mine(count) {
    await this.bitcoin.mine(count);
    const tip = await this.bitcoin.rpc('getblockcount');
    for (const daemon of this.daemons) await until('the block is seen', async () => (await this.wallet(daemon, { command: 'status' })).height >= tip);
  }

  /** Mines whenever something waits, until what is waited for is so. */
  mineUntil(what, ask) {
    return until(what, async () => {
      if ((await this.bitcoin.rpc('getrawmempool')).length) await this.mine(1);
      return ask();
    }, PATIENCE_MS);
  }

  /** A DAO that these founded, all at once. */
  async found(founders, charter) {
    const [creator] = founders;
    const dao = (daemon, command) => daemon.api.call('dao', command);
    const { dao_id, invite } = await dao(creator, { command: 'create', purpose: '', policy: 'open', construction: 'multi_a', depth: 1, ...charter });
    const pay = { dry_run: false, passphrase: PASSPHRASE };
    for (const founder of founders) {
      if (founder !== creator) await founder.api.call('open', { link: invite, wait_ms: null });
      await dao(founder, { command: 'join', dao: dao_id, deposit_sat: null, pay });
    }
    const show = (daemon) => dao(daemon, { command: 'show', dao: dao_id });
    await until('all founders are there', async () => (await show(creator)).members.length === founders.length);
    await dao(creator, { command: 'start', dao: dao_id, passphrase: null });
    await this.mineUntil('it is founded', async () => (await Promise.all(founders.map(show))).every(({ membership }) => membership === 'counted'));
    return { dao: dao_id, invite };
  }
}
