/** The hash router: `#/release/ID?x=y` becomes a path of parts and a query. */

export interface Route {
  /** Decoded parts; Home has none. */
  path: string[];
  query: URLSearchParams;
}

export function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { path: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

/** Makes the hash of a path; parts are encoded. */
export function href(...parts: (string | number)[]): string {
  return `#/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}

class Router {
  route = $state.raw<Route>(parse(''));
  /** How far back one can go within the app. */
  depth = $state(0);

  start(): () => void {
    const read = () => this.#read();
    this.#read();
    addEventListener('hashchange', read);
    return () => removeEventListener('hashchange', read);
  }

  go(hash: string, options: { replace?: boolean } = {}): void {
    if (hash === location.hash) return;
    if (!options.replace) {
      location.hash = hash;
      return;
    }
    history.replaceState(history.state, '', hash);
    this.#read();
  }

  back(): void {
    if (this.depth > 0) history.back();
    else this.go('#/');
  }

  #read(): void {
    // A fresh link of the daemon pasted into this tab: its token is taken at the start of the page.
    if (location.hash.startsWith('#token=')) location.reload();
    const known = (history.state as { depth?: number } | null)?.depth;
    if (known === undefined) history.replaceState({ depth: this.#entries++ }, '');
    this.depth = (history.state as { depth: number }).depth;
    this.route = parse(location.hash);
  }

  #entries = 0;
}

export const router = new Router();

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
