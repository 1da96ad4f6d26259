/** The node as a whole: the connection to it, who it is, and a pulse when its catalogue changes. */
import { backend, type Connection, type Event, type Status } from '../backend';
import { locale, t } from '../i18n/index.svelte';
import { toasts } from './toasts.svelte';

/** Many records can arrive at once; screens read anew at most this often. */
const PULSE_MS = 400;
const STATUS_MS = 10_000;

class NodeState {
  connection = $state<Connection>('connecting');
  /** Goes up when what screens show may have changed: read it in a loader to load again. */
  catalogue = $state(0);
  /** Goes up with every connection. */
  session = $state(0);
  status = $state.raw<Status>();
  readOnly = $state(false);
  /** Whether this machine has no network at all. */
  offline = $state(false);
  #pulse: ReturnType<typeof setTimeout> | undefined;
  #wasLost = false;

  start(): () => void {
    const stops = [
      backend().onConnection((connection) => this.#connected(connection)),
      backend().onEvent((event) => this.#hear(event)),
    ];
    const online = () => {
      this.offline = !navigator.onLine;
      void this.refresh();
    };
    online();
    addEventListener('online', online);
    addEventListener('offline', online);
    const timer = setInterval(() => void this.refresh(), STATUS_MS);
    return () => {
      clearInterval(timer);
      removeEventListener('online', online);
      removeEventListener('offline', online);
      for (const stop of stops) stop();
    };
  }

  async refresh(): Promise<void> {
    if (this.connection !== 'open') return;
    try {
      this.status = await backend().call('status');
    } catch {
      // The connection says so itself.
    }
  }

  /** Something on the screens changed. */
  changed(): void {
    this.catalogue += 1;
  }

  #connected(connection: Connection): void {
    this.connection = connection;
    if (connection === 'lost' && !this.#wasLost) this.#wasLost = true;
    if (connection !== 'open') return;
    this.session += 1;
    this.catalogue += 1;
    void this.refresh();
    if (this.#wasLost) toasts.say(t.connection.back);
    this.#wasLost = false;
  }

  #hear(event: Event): void {
    switch (event.event) {
      case 'release':
      case 'release_gone':
      case 'catalogue_changed':
        this.#pulse ??= setTimeout(() => {
          this.#pulse = undefined;
          this.catalogue += 1;
        }, PULSE_MS);
        break;
      case 'library_changed':
        // Somebody did something, here or in another window, and looks at it.
        this.changed();
        break;
      case 'dropped':
        // What was missed may have been anything.
        this.changed();
        void this.refresh();
        break;
      case 'peer_up':
      case 'peer_down':
        void this.refresh();
        break;
      case 'payment':
        if (!event.confirmations) toasts.say(t.money.wallet.came(event.amount_sat.toLocaleString(locale())));
        break;
      case 'warning':
        toasts.fail(event);
        break;
      case 'identity_in_use_elsewhere':
        this.readOnly = true;
        toasts.fail({ code: 'identity_in_use_elsewhere', message: '' });
        break;
    }
  }
}

export const node = new NodeState();
