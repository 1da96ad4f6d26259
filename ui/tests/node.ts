/** A node that answers as a test says, and remembers what it was asked. */
import {
  Failure, provide, type Backend, type BringOptions, type Connection, type Event, type Method, type Opened, type ShellWords, type Source,
} from '../src/lib/backend';

type Answer = (params: never) => unknown;

export class TestNode implements Backend {
  readonly kind = 'web';
  readonly asked: { method: Method; params: unknown }[] = [];
  answers: Partial<Record<Method, Answer>> = {};
  assets = new Map<string, Blob>();
  /** What the person chooses next. */
  chosen: Source[] = [];
  /** How a file is brought over. */
  carry: (source: Source, options: BringOptions) => Promise<string> = async ({ name }) => `/brought/${name}`;
  #events = new Set<(event: Event) => void>();
  #openings = new Set<(opened: Opened) => void>();

  constructor(answers: Partial<Record<Method, Answer>> = {}) {
    this.answers = answers;
    provide(this);
  }

  async call(method: Method, ...rest: unknown[]): Promise<never> {
    this.asked.push({ method, params: rest[0] });
    const answer = this.answers[method];
    if (!answer) throw new Failure('not_asked_for', method);
    return answer(rest[0] as never) as never;
  }

  /** What was asked by one method, in order. */
  params(method: Method): unknown[] {
    return this.asked.filter((asked) => asked.method === method).map(({ params }) => params);
  }

  tell(event: Event): void {
    for (const hear of this.#events) hear(event);
  }

  onEvent(hear: (event: Event) => void): () => void {
    this.#events.add(hear);
    return () => this.#events.delete(hear);
  }

  onConnection(hear: (connection: Connection) => void): () => void {
    hear('open');
    return () => {};
  }

  async asset(hash: string): Promise<Blob> {
    const found = this.assets.get(hash);
    if (!found) throw new Failure('blob_not_found', hash);
    return found;
  }

  async choose(): Promise<Source[]> {
    return this.chosen;
  }

  bring(source: Source, options: BringOptions): Promise<string> {
    return this.carry(source, options);
  }

  onDrag(): () => void {
    return () => {};
  }

  onOpened(hear: (opened: Opened) => void): () => void {
    this.#openings.add(hear);
    return () => this.#openings.delete(hear);
  }

  /** What the system opens with the app. */
  open(opened: Opened): void {
    for (const hear of this.#openings) hear(opened);
  }

  /** What the tray was told. */
  said: ShellWords | undefined;

  say(words: ShellWords): void {
    this.said = words;
  }

  async saveBackup(passphrase: string): Promise<boolean> {
    await this.call('identity_backup', { passphrase });
    return true;
  }

  async restoreBackup(_: Source, passphrase: string): Promise<void> {
    await this.call('identity_restore', { text: 'backup', passphrase });
  }
}
