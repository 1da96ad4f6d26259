// @vitest-environment node
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import type { Connection, Event } from '../src/lib/backend';
import { WebBackend, takeToken } from '../src/lib/backend/web';

vi.stubGlobal('WebSocket', globalThis.WebSocket ?? WebSocket);

const TOKEN = 'ab12';

/** A daemon's socket: the frames of crates/node/src/server.rs over a real connection. */
class Daemon {
  readonly asked: unknown[] = [];
  sockets = new Set<WebSocket>();
  listening = 0;
  token = TOKEN;
  answer: (call: { method: string; params?: unknown }) => object = () => ({ type: 'done', body: {} });
  #http: Server | undefined;
  #port = 0;

  async start(): Promise<void> {
    const http = createServer((request, response) => this.#serve(request, response));
    const socket = new WebSocketServer({ noServer: true });
    http.on('upgrade', (request, stream, head) => {
      if (!request.url?.endsWith(`token=${this.token}`)) return stream.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n');
      socket.handleUpgrade(request, stream, head, (opened) => this.#opened(opened));
    });
    await new Promise<void>((done) => http.listen(this.#port, '127.0.0.1', done));
    this.#port = (http.address() as AddressInfo).port;
    this.#http = http;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  tell(event: object): void {
    for (const socket of this.sockets) socket.send(JSON.stringify({ event }));
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    this.sockets.clear();
    await new Promise((done) => this.#http?.close(done) ?? done(undefined));
  }

  #opened(socket: WebSocket): void {
    this.sockets.add(socket);
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data));
      if (frame.listen) this.listening += 1;
      if (!frame.call) return;
      this.asked.push(frame.call);
      const response = this.answer(frame.call);
      const error = 'code' in response;
      socket.send(JSON.stringify(error ? { error: { id: frame.id, error: response } } : { ok: { id: frame.id, response } }));
    });
  }

  #serve(request: IncomingMessage, response: import('node:http').ServerResponse): void {
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      response.writeHead(401).end();
    } else if (request.url === '/asset/here') {
      response.writeHead(200).end('bytes');
    } else {
      response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ code: 'blob_not_found', message: 'nobody has it' }));
    }
  }
}

let daemon: Daemon;
let backend: WebBackend | undefined;

beforeEach(async () => {
  daemon = new Daemon();
  await daemon.start();
});

afterEach(async () => {
  backend?.close();
  await daemon.stop();
});

function connect(token = TOKEN): { backend: WebBackend; told: Connection[]; until: (wanted: Connection) => Promise<void> } {
  const made = new WebBackend({ origin: daemon.origin, token });
  backend = made;
  const told: Connection[] = [];
  made.onConnection((connection) => told.push(connection));
  return { backend: made, told, until: (wanted) => vi.waitFor(() => expect(told.at(-1)).toBe(wanted), 10_000) };
}

describe('the socket to the daemon', () => {
  it('asks, answers and hears', async () => {
    const { backend, until } = connect();
    await until('open');
    daemon.answer = ({ params }) => ({ type: 'release', body: { echoed: params } });
    expect(await backend.call('show', { release: 'r1' })).toEqual({ echoed: { release: 'r1' } });
    expect(daemon.asked).toEqual([{ method: 'show', params: { release: 'r1' } }]);
    const heard: Event[] = [];
    backend.onEvent((event) => heard.push(event));
    await vi.waitFor(() => expect(daemon.listening).toBe(1));
    daemon.tell({ event: 'catalogue_changed' });
    await vi.waitFor(() => expect(heard).toEqual([{ event: 'catalogue_changed' }]));
  });

  it('answers out of order, each to its own question', async () => {
    const { backend, until } = connect();
    await until('open');
    daemon.answer = ({ method }) => ({ type: method, body: { method } });
    const answers = await Promise.all([backend.call('status'), backend.call('peers'), backend.call('stats')]);
    expect(answers).toEqual([{ method: 'status' }, { method: 'peers' }, { method: 'stats' }]);
  });

  it('hands a failure on with its code', async () => {
    const { backend, until } = connect();
    await until('open');
    daemon.answer = () => ({ code: 'release_unknown', message: 'no release' });
    await expect(backend.call('show', { release: 'r1' })).rejects.toMatchObject({ code: 'release_unknown', message: 'no release' });
  });

  it('fails what is under way when the daemon goes, finds it again, and listens again', async () => {
    const { backend, told, until } = connect();
    await until('open');
    for (const socket of daemon.sockets) socket.removeAllListeners('message');
    const asked = backend.call('status');
    const failed = expect(asked).rejects.toMatchObject({ code: 'app_connection_lost' });
    await daemon.stop();
    await failed;
    await until('lost');
    await expect(backend.call('status')).rejects.toMatchObject({ code: 'app_connection_lost' });
    await daemon.start();
    await until('open');
    expect(told).toEqual(['connecting', 'open', 'lost', 'open']);
    await vi.waitFor(() => expect(daemon.listening).toBe(2));
    expect(await backend.call('status')).toEqual({});
  });

  it('says that the token is wrong, and not that the daemon is gone', async () => {
    const { until } = connect('00');
    await until('refused');
  });

  it('fetches assets with the token in a header', async () => {
    const { backend } = connect();
    expect(await (await backend.asset('here', 'whole')).text()).toBe('bytes');
    await expect(backend.asset('gone', 'small')).rejects.toMatchObject({ code: 'blob_not_found' });
  });
});

describe('the token', () => {
  it('leaves the address bar and stays in this tab', () => {
    const stored = new Map<string, string>();
    const storage = { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, value: string) => void stored.set(key, value) } as unknown as Storage;
    const replaceState = vi.fn();
    const at = (hash: string) => ({ hash, pathname: '/' }) as Location;
    expect(takeToken(at('#token=beef'), { replaceState } as unknown as History, storage)).toBe('beef');
    expect(replaceState).toHaveBeenCalledWith(null, '', '/#/');
    expect(takeToken(at('#/library'), { replaceState } as unknown as History, storage)).toBe('beef');
    expect(replaceState).toHaveBeenCalledTimes(1);
  });
});
