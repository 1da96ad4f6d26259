/** Short messages at the edge, some with a way back. */
import { words } from '../i18n/failures';

const SHOWN_MS = 5_000;
/** Long enough to read and to reach for Undo. */
const UNDO_MS = 10_000;
const MOST = 3;

export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'bad';
  undo?: () => void;
}

class Toasts {
  list = $state.raw<Toast[]>([]);
  #lastId = 0;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  say(text: string, undo?: () => void): void {
    this.#show({ id: ++this.#lastId, text, tone: 'plain', ...(undo && { undo }) });
  }

  fail(failure: { code: string; message: string }): void {
    const { what, remedy } = words(failure);
    const text = remedy ? `${what} ${remedy}` : what;
    if (this.list.some((toast) => toast.text === text)) return;
    this.#show({ id: ++this.#lastId, text, tone: 'bad' });
  }

  dismiss(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  /** Stays while somebody points at it or has it focused. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
  }

  release(toast: Toast): void {
    this.hold(toast.id);
    this.#timers.set(toast.id, setTimeout(() => this.dismiss(toast.id), toast.undo ? UNDO_MS : SHOWN_MS));
  }

  #show(toast: Toast): void {
    for (const old of this.list.slice(0, Math.max(0, this.list.length - MOST + 1))) this.dismiss(old.id);
    this.list = [...this.list, toast];
    this.release(toast);
  }
}

export const toasts = new Toasts();
