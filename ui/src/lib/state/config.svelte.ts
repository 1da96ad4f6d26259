/** The node's settings as this window sees them: shown as chosen at once, put back where the node refuses. */
import { backend, Failure } from '../backend';
import { node } from './status.svelte';
import { toasts } from './toasts.svelte';

export type Relay = 'auto' | 'on' | 'off';

/** The settings that the app shows; the names are the node's. */
export interface Config {
  dht: boolean;
  mdns: boolean;
  port_mapping: boolean;
  relay: Relay;
  metered: boolean;
  cache_bytes: number;
  upload_limit: number;
  serve_played: boolean;
  announce_addresses: boolean;
  private_session: boolean;
  notify_releases: boolean;
  network: string;
  bitcoin_peers: string[];
  bitcoin_proxy: string | null;
}

class Settings {
  values = $state.raw<Config>();
  failure = $state.raw<Failure>();

  load = async (): Promise<void> => {
    try {
      const { config } = await backend().call('config_get', { key: null });
      this.values = config as unknown as Config;
      this.failure = undefined;
    } catch (thrown) {
      this.failure = Failure.from(thrown);
    }
  };

  async set<K extends keyof Config>(key: K, value: Config[K]): Promise<void> {
    const before = this.values;
    if (before) this.values = { ...before, [key]: value };
    try {
      await backend().call('config_set', { key, value: typeof value === 'object' ? JSON.stringify(value) : String(value) });
      await node.refresh();
    } catch (thrown) {
      if (before && this.values?.[key] === value) this.values = { ...this.values, [key]: before[key] };
      toasts.fail(Failure.from(thrown));
    }
  }
}

export const config = new Settings();
