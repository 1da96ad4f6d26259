/** What every shell offers the app. Components talk to this, never to a transport. */
import type * as api from '../../../../crates/node/bindings/api';

export type * from '../../../../crates/node/bindings/api';

/** What lists show of a track or a private file. */
export type Listed = Omit<api.QueueEntry, 'entry' | 'release' | 'track' | 'file'>;

type Params<R> = R extends { params: infer P } ? P : undefined;

/** The names of everything that can be asked. */
export type Method = api.Request['method'];

/** What a method takes. */
export type ParamsOf<M extends Method> = Params<Extract<api.Request, { method: M }>>;

/** What a method answers. */
export interface Answers {
  status: api.Status;
  invite: api.Invite;
  share: api.Link;
  open: api.Opened;
  peers: api.Peers;
  join: api.Done;
  profile_set: api.Profile;
  profile_show: api.Profile;
  inspect: api.Draft;
  discard: api.Done;
  publish: api.Published;
  releases: api.Releases;
  search: api.SearchResults;
  show: api.ReleaseDetail;
  play: api.Played;
  player: api.PlayerState;
  download: api.Downloaded;
  downloads: api.Downloads;
  lyrics: api.Lyrics;
  tag: api.Tags;
  like: api.ReleaseRef;
  withdraw: api.ReleaseRef;
  block: api.Blocked;
  follow: api.Follows;
  follows: api.Follows;
  library: api.Library;
  playlist: api.Playlists;
  seed: api.Seeds;
  stats: api.Stats;
  doctor: api.Doctor;
  /** By its command: see `askWallet`. */
  wallet: unknown;
  /** By its command: see `askMoney`. */
  money: unknown;
  /** By its command: see `askDao`. */
  dao: unknown;
  config_get: api.ConfigValues;
  config_set: api.ConfigValues;
  identity_export: api.IdentityRef;
  identity_import: api.IdentityRef;
  identity_take_over: api.IdentityRef;
  tags_top: api.TagsTop;
  queue: api.Queue;
  devices: api.Devices;
  hide: api.Hidden;
  report: api.Done;
  identity_backup: api.Backup;
  identity_words: api.Words;
  identity_restore: api.IdentityRef;
  jobs: api.Jobs;
  cancel: api.Done;
  shutdown: api.Done;
}

/** How the way to the node is: `refused` means that the link's token is not (or no longer) right. */
export type Connection = 'connecting' | 'open' | 'lost' | 'refused';

/** A way to a node. */
export interface Backend {
  readonly kind: 'web' | 'tauri';
  /** Asks; rejects with a {@link Failure}, such as `unanswered` where no answer comes. */
  call<M extends Method>(method: M, ...params: ParamsOf<M> extends undefined ? [] : [ParamsOf<M>]): Promise<Answers[M]>;
  /** Hears events until the returned function is called. */
  onEvent(hear: (event: api.Event) => void): () => void;
  /** Hears of the connection, at once and whenever it changes. */
  onConnection(hear: (connection: Connection) => void): () => void;
  /** Fetches a cover, an avatar or waveforms by hash, or the cover within an own file by `file-` and its number. */
  asset(name: string, size: AssetSize): Promise<Blob>;
  /** Lets a person choose files or a folder; empty where they changed their mind. */
  choose(wanted: Wanted): Promise<Source[]>;
  /** Brings a chosen file to where the node can read it, and says where that is. */
  bring(source: Source, options: BringOptions): Promise<string>;
  /** Hears of files that are dragged over the window, where the page itself does not. */
  onDrag(hear: (drag: Drag) => void): () => void;
  /** Hears of links and files that the system opened with this app. */
  onOpened(hear: (opened: Opened) => void): () => void;
  /** Keeps the encrypted identity where the person wants it; whether they did. */
  saveBackup(passphrase: string): Promise<boolean>;
  /** Replaces the identity by that of a chosen file. */
  restoreBackup(source: Source, passphrase: string): Promise<void>;
  /** Says what lies outside the page, such as the tray, in the page's language. */
  say(words: ShellWords): void;
}

/** A picture as it is, or as lists show it. */
export type AssetSize = 'whole' | 'small';

/** What may be chosen. */
export type Wanted = 'music' | 'folder' | 'image' | 'backup';

/** The words of what lies outside the page. */
export interface ShellWords {
  /** Brings the window back. */
  show: string;
  /** Ends the app. */
  quit: string;
  /** Heads the notification of a release. */
  released: string;
}

/** A chosen or dropped file: where it is for the node, or what it is for the browser. */
export type Source = { name: string; path: string } | { name: string; file: File };

export interface BringOptions {
  signal: AbortSignal;
  /** Hears how many bytes are there already. */
  progress: (done: number, total: number) => void;
}

export interface Drag {
  phase: 'enter' | 'drop' | 'leave';
  sources: Source[];
}

export interface Opened {
  links: string[];
  files: Source[];
}

/** An error with a code that stays the same for programs, and words for people. */
export class Failure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'Failure';
    this.code = code;
  }

  /** Makes any thrown thing a failure. */
  static from(thrown: unknown): Failure {
    if (thrown instanceof Failure) return thrown;
    if (isApiError(thrown)) return new Failure(thrown.code, thrown.message);
    return new Failure('unexpected', thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function isApiError(thrown: unknown): thrown is api.ApiError {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'message' in thrown;
}
