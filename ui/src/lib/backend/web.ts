/** The daemon's loopback socket: the Api as JSON frames, reconnected for as long as the page is open. */
import { pick, saveText } from './browser';
import { patiently, unanswered, USUAL_MS } from './patience';
import {
  Failure, type ApiError, type AssetSize, type Backend, type BringOptions, type Connection, type Event, type Method, type Source,
  type Wanted,
} from './types';

/** First wait before trying again; doubles up to {@link LONGEST_WAIT_MS}. */
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;
/** Refusals in a row after which the token, not the daemon, is taken to be at fault. */
const REFUSALS = 2;
/** A hash that nothing has. */
const NO_HASH = '0'.repeat(64);
const TOKEN_KEY = 'musicdao.token';

type ServerFrame =
  | { ok: { id: number; response: { type: string; body: unknown } } }
  | { error: { id: number; error: ApiError } }
  | { event: Event };

interface Waiting {
  resolve(body: unknown): void;
  reject(failure: Failure): void;
}

/** Where the daemon is and what opens it. */
export interface Address {
  /** Such as `http://127.0.0.1:4000`. */
  origin: string;
  token: string;
}

/** Takes the token out of the address bar, so that it is neither seen nor shared; this tab remembers it. */
export function takeToken(location: Location, history: History, storage: Storage): string {
  const given = /^#token=([0-9a-f]+)$/.exec(location.hash)?.[1];
  if (given) {
    storage.setItem(TOKEN_KEY, given);
    history.replaceState(null, '', `${location.pathname}#/`);
  }
  return given ?? storage.getItem(TOKEN_KEY) ?? '';
}

export class WebBackend implements Backend {
  readonly kind = 'web';
  readonly #address: Address;
  readonly #waiting = new Map<number, Waiting>();
  readonly #events = new Set<(event: Event) => void>();
  readonly #watchers = new Set<(connection: Connection) => void>();
  #socket: WebSocket | undefined;
  #connection: Connection = 'connecting';
  #lastId = 0;
  #wait = FIRST_WAIT_MS;
  #refusals = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(address: Address) {
    this.#address = address;
    this.#connect();
  }

  call<M extends Method>(method: M, ...rest: unknown[]): Promise<never> {
    const id = ++this.#lastId;
    const request = rest.length ? { method, params: rest[0] } : { method };
    const asked = new Promise<never>((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(lost());
        return;
      }
      this.#waiting.set(id, { resolve: resolve as (body: unknown) => void, reject });
      this.#socket.send(JSON.stringify({ id, call: request }));
    });
    // An answer that comes too late finds nobody.
    return patiently(method, rest[0], asked, () => this.call('jobs')).finally(() => this.#waiting.delete(id));
  }

  onEvent(hear: (event: Event) => void): () => void {
    this.#events.add(hear);
    return () => this.#events.delete(hear);
  }

  onConnection(hear: (connection: Connection) => void): () => void {
    this.#watchers.add(hear);
    hear(this.#connection);
    return () => this.#watchers.delete(hear);
  }

  async asset(name: string, size: AssetSize): Promise<Blob> {
    const url = `${this.#address.origin}/asset/${name}${size === 'small' ? '?size=small' : ''}`;
    const response = await fetch(url, { headers: this.#headers(), signal: AbortSignal.timeout(USUAL_MS) }).catch((thrown: unknown) => {
      throw thrown instanceof DOMException && thrown.name === 'TimeoutError' ? unanswered() : lost();
    });
    if (!response.ok) throw await refusal(response);
    return response.blob();
  }

  choose(wanted: Wanted): Promise<Source[]> {
    return pick(wanted);
  }

  /** Uploads; `fetch` does not tell how far an upload is. */
  bring(source: Source, { signal, progress }: BringOptions): Promise<string> {
    if ('path' in source) return Promise.resolve(source.path);
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(cancelled());
      const request = new XMLHttpRequest();
      request.open('POST', `${this.#address.origin}/upload?name=${encodeURIComponent(source.name)}`);
      request.setRequestHeader('authorization', `Bearer ${this.#address.token}`);
      let stalled = false;
      const stall = () => ((stalled = true), request.abort());
      let timer = setTimeout(stall, USUAL_MS);
      request.upload.onprogress = ({ loaded, total }) => {
        clearTimeout(timer);
        timer = setTimeout(stall, USUAL_MS);
        progress(loaded, total);
      };
      request.onloadend = () => clearTimeout(timer);
      request.onload = () => {
        if (request.status === 200) resolve((JSON.parse(request.responseText) as { path: string }).path);
        else reject(refused(request.status, request.responseText));
      };
      request.onerror = () => reject(lost());
      request.onabort = () => reject(stalled ? unanswered() : cancelled());
      signal.addEventListener('abort', () => request.abort(), { once: true });
      request.send(source.file);
    });
  }

  /** A page hears of drags by itself. */
  onDrag(): () => void {
    return () => {};
  }

  onOpened(): () => void {
    return () => {};
  }

  async saveBackup(passphrase: string): Promise<boolean> {
    const { name, text } = await this.call('identity_backup', { passphrase });
    saveText(name, text);
    return true;
  }

  async restoreBackup(source: Source, passphrase: string): Promise<void> {
    const text = 'file' in source ? await source.file.text() : '';
    await this.call('identity_restore', { text, passphrase: passphrase || null });
  }

  /** A browser has no tray. */
  say(): void {}

  /** Tries again now instead of at the end of the wait. */
  retry(): void {
    if (this.#connection === 'open' || this.#closed) return;
    clearTimeout(this.#timer);
    this.#refusals = 0;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #headers(): HeadersInit {
    return { authorization: `Bearer ${this.#address.token}` };
  }

  #connect(): void {
    const url = `${this.#address.origin.replace(/^http/, 'ws')}/ws?token=${this.#address.token}`;
    const socket = new WebSocket(url);
    let opened = false;
    this.#socket = socket;
    socket.onopen = () => {
      opened = true;
      this.#refusals = 0;
      this.#wait = FIRST_WAIT_MS;
      socket.send(JSON.stringify({ id: ++this.#lastId, listen: true }));
      this.#tell('open');
    };
    socket.onmessage = (message) => this.#receive(String(message.data));
    // The close that follows says it.
    socket.onerror = () => {};
    socket.onclose = () => void this.#ended(socket, opened);
  }

  async #ended(socket: WebSocket, opened: boolean): Promise<void> {
    if (socket !== this.#socket || this.#closed) return;
    for (const { reject } of this.#waiting.values()) reject(lost());
    this.#waiting.clear();
    // A browser does not say why an upgrade failed; any other address that wants the token does.
    if (!opened && (await this.#isRefused())) this.#refusals += 1;
    if (socket !== this.#socket || this.#closed) return;
    this.#tell(this.#refusals >= REFUSALS ? 'refused' : 'lost');
    this.#timer = setTimeout(() => this.#connect(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }

  async #isRefused(): Promise<boolean> {
    try {
      const answer = await fetch(`${this.#address.origin}/asset/${NO_HASH}`, { headers: this.#headers() });
      return answer.status === 401 || answer.status === 403;
    } catch {
      return false;
    }
  }

  #receive(text: string): void {
    const frame = JSON.parse(text) as ServerFrame;
    if ('event' in frame) {
      for (const hear of this.#events) hear(frame.event);
    } else if ('ok' in frame) {
      this.#answered(frame.ok.id)?.resolve(frame.ok.response.body);
    } else {
      const { code, message } = frame.error.error;
      this.#answered(frame.error.id)?.reject(new Failure(code, message));
    }
  }

  #answered(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #tell(connection: Connection): void {
    if (connection === this.#connection) return;
    this.#connection = connection;
    for (const hear of this.#watchers) hear(connection);
  }
}

function lost(): Failure {
  return new Failure('app_connection_lost', 'the connection to the node was lost');
}

/** The daemon answers refused uploads and assets with an error as in the Api. */
async function refusal(response: Response): Promise<Failure> {
  return refused(response.status, await response.text());
}

function refused(status: number, body: string): Failure {
  try {
    return Failure.from(JSON.parse(body));
  } catch {
    return new Failure(`http_${status}`, body.slice(0, 200));
  }
}

function cancelled(): Failure {
  return new Failure('cancelled', 'it was cancelled');
}
