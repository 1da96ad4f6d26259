/** The window: the node, or the way to it, lives in the same process, behind commands and one channel. */
import { Channel, invoke } from '@tauri-apps/api/core';
import { ARCHIVES, IMAGES, MUSIC } from './browser';
import { patiently, USUAL_MS, within } from './patience';
import {
  Failure, type ApiError, type AssetSize, type Backend, type BringOptions, type Connection, type Drag, type Event, type Method,
  type Opened, type Response, type ShellWords, type Source, type Wanted,
} from './types';

/** What happens to the window, beside what the node tells. */
type Happening =
  | { event: 'connection'; state: Connection; daemon: boolean; error: ApiError | null }
  | { event: 'opened'; links: string[]; files: string[] }
  | { event: 'drag'; phase: Drag['phase']; paths: string[] };

type Message = Event | Happening;

interface Filter {
  name: string;
  extensions: string[];
}

const FILTERS: Record<Wanted, Filter[]> = {
  music: [{ name: 'Music', extensions: [...MUSIC, ...ARCHIVES, ...IMAGES] }],
  folder: [],
  image: [{ name: 'JPEG, PNG', extensions: IMAGES }],
  backup: [],
};

class Hearers<T> {
  readonly #hearers = new Set<(told: T) => void>();

  add(hear: (told: T) => void): () => void {
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  }

  tell(told: T): void {
    for (const hear of this.#hearers) hear(told);
  }

  get size(): number {
    return this.#hearers.size;
  }
}

export class TauriBackend implements Backend {
  readonly kind = 'tauri';
  readonly #events = new Hearers<Event>();
  readonly #watchers = new Hearers<Connection>();
  readonly #drags = new Hearers<Drag>();
  readonly #openings = new Hearers<Opened>();
  /** What was opened before anybody listened. */
  #waiting: Opened[] = [];
  #connection: Connection = 'connecting';

  constructor() {
    const events = new Channel<Message[]>();
    events.onmessage = (messages) => {
      for (const message of messages) this.#hear(message);
    };
    void invoke('listen', { events });
  }

  async call<M extends Method>(method: M, ...rest: unknown[]): Promise<never> {
    const request = rest.length ? { method, params: rest[0] } : { method };
    const asked = ask<Response>('rpc', { request });
    return (await patiently(method, rest[0], asked, () => this.call('jobs'))).body as never;
  }

  onEvent(hear: (event: Event) => void): () => void {
    return this.#events.add(hear);
  }

  onConnection(hear: (connection: Connection) => void): () => void {
    hear(this.#connection);
    return this.#watchers.add(hear);
  }

  onDrag(hear: (drag: Drag) => void): () => void {
    return this.#drags.add(hear);
  }

  onOpened(hear: (opened: Opened) => void): () => void {
    for (const opened of this.#waiting.splice(0)) hear(opened);
    return this.#openings.add(hear);
  }

  async asset(name: string, size: AssetSize): Promise<Blob> {
    return new Blob([await within(USUAL_MS, ask<ArrayBuffer>('asset', { name, size }))]);
  }

  async choose(wanted: Wanted): Promise<Source[]> {
    const options = { multiple: wanted === 'music', directory: wanted === 'folder', filters: FILTERS[wanted] };
    const chosen = await ask<string | string[] | null>('plugin:dialog|open', { options });
    return [chosen ?? []].flat().map(source);
  }

  /** Android lends files by addresses that only the shell can open. */
  bring(source: Source, _?: BringOptions): Promise<string> {
    const path = 'path' in source ? source.path : source.name;
    return path.startsWith('content:') ? ask<string>('bring', { uri: path }) : Promise.resolve(path);
  }

  async saveBackup(passphrase: string): Promise<boolean> {
    const file = await ask<string | null>('plugin:dialog|save', { options: { defaultPath: 'musicdao-identity.age' } });
    if (!file) return false;
    await this.call('identity_export', { file, passphrase });
    return true;
  }

  async restoreBackup(from: Source, passphrase: string): Promise<void> {
    const file = await this.bring(from);
    await this.call('identity_import', { file, passphrase: passphrase || null });
  }

  say(words: ShellWords): void {
    void invoke('say', { words });
  }

  #hear(message: Message): void {
    switch (message.event) {
      case 'connection':
        this.#connection = message.state;
        this.#watchers.tell(message.state);
        break;
      case 'drag':
        this.#drags.tell({ phase: message.phase, sources: message.paths.map(source) });
        break;
      case 'opened': {
        const opened = { links: message.links, files: message.files.map(source) };
        if (this.#openings.size) this.#openings.tell(opened);
        else this.#waiting.push(opened);
        break;
      }
      default:
        this.#events.tell(message);
    }
  }
}

async function ask<T>(command: string, args: Record<string, unknown>): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (thrown) {
    throw Failure.from(thrown);
  }
}

function source(path: string): Source {
  const last = path.split(/[\\/]/).pop() || path;
  return { name: path.startsWith('content:') ? last.replace(/%3A/gi, ':') : last, path };
}
