/** The window: the node lives in the same process, behind one command and one event. */
import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { Failure, type Backend, type Connection, type Event, type Method, type Response } from './types';

export class TauriBackend implements Backend {
  readonly kind = 'tauri';
  readonly #events = new Set<(event: Event) => void>();
  readonly #watchers = new Set<(connection: Connection) => void>();
  #connection: Connection = 'connecting';

  constructor() {
    void this.#subscribe();
  }

  async call<M extends Method>(method: M, ...rest: unknown[]): Promise<never> {
    const request = rest.length ? { method, params: rest[0] } : { method };
    try {
      return (await invoke<Response>('rpc', { request })).body as never;
    } catch (thrown) {
      throw Failure.from(thrown);
    }
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

  async asset(hash: string): Promise<Blob> {
    try {
      return new Blob([await invoke<ArrayBuffer>('asset', { hash })]);
    } catch (thrown) {
      throw Failure.from(thrown);
    }
  }

  async #subscribe(): Promise<void> {
    await listen<Event>('event', ({ payload }) => {
      for (const hear of this.#events) hear(payload);
    });
    this.#connection = 'open';
    for (const hear of this.#watchers) hear('open');
  }
}
