/** Real daemons: each has its own data folder, and nothing but the loopback interface. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Api } from './api.mjs';

export const ROOT = resolve(import.meta.dirname, '../../..');
const PROGRAM = process.env.MUSICDAO ?? join(ROOT, 'target/debug/musicdao');
/** No card at all: ALSA finds an empty configuration. */
const SILENT = '/dev/null';

export class Daemon {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process;
  #sound;
  #disk;
  #alone;
  #exit;
  #errors = '';
  /** @type {Api} */
  api;
  /** The link that opens the app. */
  web = '';
  /** The link that lets a friend in. */
  invite = '';
  id = '';

  constructor(folder, sound, { disk, alone }) {
    this.folder = folder;
    this.#sound = sound;
    this.#disk = disk;
    this.#alone = alone;
  }

  /**
   * @param {import('node:test').TestContext} test ends it
   * @param {{ sound?: import('./sound.mjs').SoundServer, settings?: string, disk?: string, alone?: boolean }} options
   *   `disk`: its folder is on a disk of that size, such as `40m`; `alone`: it looks for others as it does by default
   */
  static async start(test, { sound, settings = '', disk = '', alone = true } = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'musicdao-e2e-'));
    const daemon = new Daemon(folder, sound, { disk, alone });
    test.after(() => daemon.#remove());
    if (settings) await writeFile(join(folder, 'config.toml'), settings);
    await daemon.start();
    return daemon;
  }

  async start() {
    const quiet = this.#alone ? ['--no-dht', '--no-mdns', '--listen', '127.0.0.1:0'] : [];
    const options = [...quiet, '--web', '127.0.0.1:0'];
    const env = { ...process.env, ...(this.#sound?.env ?? { ALSA_CONFIG_PATH: SILENT }) };
    const command = [PROGRAM, '--data', this.folder, '--json', 'daemon', ...options];
    // A disk of its own for one process and its end: nobody else sees it.
    const small = ['unshare', '-rm', 'sh', '-c', 'mount -t tmpfs -o "size=$1" small "$2" && shift 2 && exec "$@"', 'sh', this.#disk, this.folder];
    const [program, ...rest] = this.#disk ? [...small, ...command] : command;
    const child = spawn(program, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.#exit = once(child, 'exit');
    child.stderr.on('data', (text) => (this.#errors += text));
    const ready = await Promise.race([firstLine(child.stdout), this.#exit.then(() => undefined)]);
    if (!ready) throw new Error(`the daemon ended at once: ${this.#errors}`);
    this.web = ready.web;
    this.invite = ready.invite;
    this.id = ready.peer_id;
    this.api = await Api.open(this.web);
  }

  get origin() {
    return new URL(this.web).origin;
  }

  get token() {
    return new URL(this.web).hash.replace('#token=', '');
  }

  /** Lets it hang, or go on. */
  hang(on) {
    this.#process.kill(on ? 'SIGSTOP' : 'SIGCONT');
  }

  /** Ends it as `kill` does, or as a power cut does. */
  async stop(signal = 'SIGTERM') {
    this.api?.close();
    if (this.#process?.exitCode !== null || !this.#process.kill(signal)) return;
    await this.#exit;
  }

  async #remove() {
    await this.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Reads on after the first line, so that the pipe never fills. */
function firstLine(stream) {
  return new Promise((answer) => {
    createInterface({ input: stream }).on('line', (line) => {
      const told = JSON.parse(line);
      if (told.event === 'ready') answer(told);
    });
  });
}
