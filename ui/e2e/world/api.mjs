/** The Api over the daemon's socket: what a test prepares, or looks up behind the page's back. */
import { WebSocket } from 'ws';

export class Api {
  #socket;
  #lastId = 0;
  #waiting = new Map();

  static async open(link) {
    const { host, hash } = new URL(link);
    const socket = new WebSocket(`ws://${host}/ws?token=${hash.replace('#token=', '')}`);
    await new Promise((opened, failed) => socket.once('open', opened).once('error', failed));
    return new Api(socket);
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(JSON.parse(data)));
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the daemon closed the socket'));
      this.#waiting.clear();
    });
  }

  /** @returns {Promise<any>} */
  call(method, params) {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error('the daemon closed the socket'));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, call: params === undefined ? { method } : { method, params } }));
    });
  }

  close() {
    this.#socket.terminate();
  }

  #receive({ ok, error }) {
    const { id } = ok ?? error ?? {};
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (ok) waiting?.resolve(ok.response.body);
    else if (error) waiting?.reject(Object.assign(new Error(error.error.message), { code: error.error.code }));
  }
}

/** All that `releases` can be asked, with nothing narrowed. */
export const ALL = {
  tag: null, artist: null, license: null, followed: false, liked: false, similar_to: null, sort: 'new', limit: null, offset: 0,
};
