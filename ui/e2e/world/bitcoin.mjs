/** Throw-away regtest nodes: Bitcoin Core's daemon as `cargo xtask bitcoind` finds or builds it, on the loopback interface alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { until } from './until.mjs';

/** Blocks after which a miner can spend. */
const MATURE = 100;
/** Whoever can spend what is mined here, it is nobody's wallet. */
const NOBODY = 'raw(51)';
const COIN = 100_000_000;
/** What a payment from nobody's coins costs. */
const FEE_SAT = 500;
/** Nobody is let go as silent when the clock leaps. */
const FOREVER_S = 1_000_000_000;

export class Bitcoin {
  #process;
  #folder;
  #ports;
  /** Blocks from the first whose coins are spent. */
  #spent = 0;
  /** What the last payment from them left, at an address that everybody can spend from. */
  #rest;

  constructor(child, folder, ports) {
    this.#process = child;
    this.#folder = folder;
    this.#ports = ports;
  }

  /**
   * @param {import('node:test').TestContext} test ends it
   * @param {{ at?: number }} options what its clock says, in Unix seconds, where that is not today
   */
  static async start(test, { at } = {}) {
    const [folder, program] = await Promise.all([mkdtemp(join(tmpdir(), 'musicdao-bitcoin-')), programOf()]);
    const [p2p, rpc] = await freePorts();
    const child = spawn(program, [
      '-regtest', '-server', '-listen', '-listenonion=0', '-discover=0', '-dnsseed=0', '-fixedseeds=0', '-natpmp=0', '-blockfilterindex=1',
      '-peerblockfilters=1', '-printtoconsole=0', '-whitelist=noban@127.0.0.1', `-peertimeout=${FOREVER_S}`, '-par=1', '-dbcache=16', `-datadir=${folder}`,
      `-rpcport=${rpc}`, `-bind=127.0.0.1:${p2p}`,
    ], { stdio: ['ignore', 'ignore', 'inherit'] });
    const node = new Bitcoin(child, folder, { p2p, rpc });
    test.after(() => node.#remove());
    await until('bitcoind answers', () => node.rpc('getblockcount').then(() => true, () => false));
    if (at) await node.at(at);
    // With a block of today it is past its initial download, and relays.
    await node.mine(1);
    return node;
  }

  /** Where other nodes find it. */
  get address() {
    return `127.0.0.1:${this.#ports.p2p}`;
  }

  async rpc(method, ...params) {
    const cookie = await readFile(join(this.#folder, 'regtest/.cookie'), 'utf8');
    const answer = await fetch(`http://127.0.0.1:${this.#ports.rpc}/`, {
      method: 'POST', headers: { authorization: `Basic ${btoa(cookie)}` }, body: JSON.stringify({ id: 1, method, params }),
    });
    const { result, error } = await answer.json();
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** Mines what waits; the blocks pay nobody. */
  async mine(count) {
    if (count) await this.rpc('generatetodescriptor', count, NOBODY);
    await until('the filters', async () => {
      const [{ 'basic block filter index': index }, height] = await Promise.all([this.rpc('getindexinfo'), this.rpc('getblockcount')]);
      return index.synced && index.best_block_height === height;
    });
  }

  /** Sets the clock, of which the next blocks are. */
  async at(unix) {
    await this.rpc('setmocktime', Math.round(unix));
  }

  /**
   * Pays from nobody's coins, which everybody can spend, in a block of its own.
   * @param {Record<string, number>} outputs satoshis for each address
   */
  async pay(outputs) {
    const place = (this.#spent += 1);
    const missing = place + MATURE - (await this.rpc('getblockcount'));
    if (missing > 0) await this.mine(missing);
    const { tx: [{ txid, vout: [{ value }] }] } = await this.rpc('getblock', await this.rpc('getblockhash', place), 2);
    const { hash } = await this.rpc('generateblock', NOBODY, [await this.#draw({ txid, vout: 0, sat: Math.round(value * COIN) }, outputs)]);
    const { tx: [, paid] } = await this.rpc('getblock', hash, 2);
    this.#rest = { txid: paid.txid, vout: paid.vout.length - 1, sat: Math.round(paid.vout.at(-1).value * COIN) };
    await this.mine(0);
  }

  /** Pays from what the last such payment left; it waits for a block. */
  async offer(outputs) {
    if (!this.#rest) await this.pay({});
    const bare = await this.#draw(this.#rest, outputs);
    // A witness of one element, the script that is always true.
    const [version, body, time] = [bare.slice(0, 8), bare.slice(8, -8), bare.slice(-8)];
    return this.rpc('sendrawtransaction', `${version}0001${body}010151${time}`);
  }

  async #draw({ txid, vout, sat }, outputs) {
    const paid = Object.entries(outputs);
    const rest = sat - FEE_SAT - paid.reduce((sum, [, part]) => sum + part, 0);
    const { segwit: { address: nobody } } = await this.rpc('decodescript', '51');
    return this.rpc('createrawtransaction', [{ txid, vout }], [...paid, [nobody, rest]].map(([address, part]) => ({ [address]: (part / COIN).toFixed(8) })));
  }

  /** Waits until somebody's payment is here. */
  waits(txid) {
    return until(`${txid} waits for a block`, () => this.rpc('getmempoolentry', txid).catch(() => undefined));
  }

  /** Waits until so many payments are here. */
  pending(count) {
    return until(`${count} payments wait for a block`, async () => (await this.rpc('getrawmempool')).length >= count);
  }

  async #remove() {
    const ended = once(this.#process, 'exit');
    if (this.#process.kill('SIGKILL')) await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The daemon of the machine, else the one that was built. */
async function programOf() {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'musicdao');
  const built = (await readdir(cache).catch(() => [])).filter((name) => /^bitcoin-[\d.]+$/.test(name)).map((name) => join(cache, name, 'bin'));
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...built]) {
    const program = join(folder, 'bitcoind');
    if (await access(program).then(() => true, () => false)) return program;
  }
  throw new Error('there is no bitcoind: run `cargo xtask bitcoind`');
}

/** Two ports that are free now. */
async function freePorts() {
  const servers = [createServer(), createServer()];
  await Promise.all(servers.map((server) => new Promise((opened) => server.listen(0, '127.0.0.1', opened))));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
