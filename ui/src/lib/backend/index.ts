/** The one backend of this page, chosen by where the page runs. */
import { TauriBackend } from './tauri';
import type { Backend } from './types';
import { WebBackend, takeToken } from './web';

export * from './types';

let chosen: Backend | undefined;

/** Replaces the backend before anything asked for it. */
export function provide(backend: Backend): void {
  chosen = backend;
}

export function backend(): Backend {
  chosen ??= '__TAURI_INTERNALS__' in window ? new TauriBackend() : web();
  return chosen;
}

function web(): WebBackend {
  return new WebBackend({ origin: location.origin, token: takeToken(location, history, sessionStorage) });
}
