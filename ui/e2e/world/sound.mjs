/** A PulseAudio server of our own whose card leads nowhere, and a recorder at its end: what is heard really came out. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.mjs';

/** Of full scale; music is far above it and dither far below. */
const AUDIBLE = 0.01;

export class SoundServer {
  #folder;
  #children = [];
  #level = 0;

  /** @param {import('node:test').TestContext} test */
  static async start(test) {
    const server = new SoundServer();
    test.after(() => server.#end());
    await server.#start();
    return server;
  }

  async #start() {
    this.#folder = await mkdtemp(join(tmpdir(), 'musicdao-sound-'));
    const at = (name) => join(this.#folder, name);
    await mkdir(at('pulse'));
    await writeFile(at('asound.conf'), 'pcm.!default { type pulse }\nctl.!default { type pulse }\n');
    this.env = {
      XDG_RUNTIME_DIR: this.#folder, XDG_CONFIG_HOME: this.#folder, PULSE_RUNTIME_PATH: at('pulse'),
      PULSE_SERVER: `unix:${at('socket')}`, ALSA_CONFIG_PATH: at('asound.conf'),
    };
    this.#run('pulseaudio', [
      '-n', '--daemonize=no', '--use-pid-file=no', '--exit-idle-time=-1', '--disable-shm=yes',
      '--load=module-null-sink sink_name=card rate=44100',
      `--load=module-native-protocol-unix auth-anonymous=1 socket=${at('socket')}`,
    ]);
    const env = { ...process.env, ...this.env };
    await until('the sound server answers', () => spawnSync('pactl', ['info'], { env }).status === 0);
    const recorder = this.#run('parec', ['--device=card.monitor', '--rate=44100', '--channels=2', '--format=s16le', '--latency-msec=50']);
    recorder.stdout.on('data', (bytes) => (this.#level = loudest(bytes)));
  }

  /** Waits until music comes out. */
  async isHeard() {
    this.#level = 0;
    await until('sound comes out', () => this.#level > AUDIBLE);
  }

  /** Waits until nothing comes out. */
  async isSilent() {
    this.#level = 1;
    await until('the sound stops', () => this.#level < AUDIBLE);
  }

  #run(program, options) {
    const child = spawn(program, options, { env: { ...process.env, HOME: this.#folder, ...this.env }, stdio: ['ignore', 'pipe', 'ignore'] });
    this.#children.push(child);
    return child;
  }

  async #end() {
    for (const child of this.#children.reverse()) {
      if (child.exitCode === null && child.kill()) await once(child, 'exit');
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function loudest(bytes) {
  let most = 0;
  for (let at = 0; at + 1 < bytes.length; at += 2) most = Math.max(most, Math.abs(bytes.readInt16LE(at)));
  return most / 32_768;
}
