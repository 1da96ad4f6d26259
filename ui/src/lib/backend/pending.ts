/** What the node's bindings do not have yet; each line goes when they do. */
import type { ApiError, Credit, Publish, ReleaseRef } from '../../../../crates/node/bindings/api';

/** What was found in files that may become a release. */
export interface Draft {
  title: string | null;
  artist: string | null;
  date: string | null;
  license: string | null;
  tags: string[];
  cover: DraftCover | null;
  tracks: DraftTrack[];
  skipped: SkippedFile[];
}

export interface DraftCover {
  path: string;
  /** Names its bytes for `asset`. */
  hash: string;
}

export interface DraftTrack {
  path: string;
  title: string;
  artist: string | null;
  album: string | null;
  number: number | null;
  duration_ms: number;
  codec: string;
  size: number;
  warnings: string[];
  error: ApiError | null;
}

export interface SkippedFile {
  path: string;
  error: ApiError;
}

/** A song of a release that is published: a file, or one of the release that is replaced, by its number there. */
export interface PublishTrack {
  path: string | null;
  track: number | null;
  title: string;
  artist: string | null;
}

export type PublishDraft = Publish & {
  tracks: PublishTrack[];
  description: string | null;
  collaborators: Credit[];
  rights_declared: boolean;
  replaces: string | null;
  no_cover: boolean;
};

export interface BlockList {
  list: string;
  name: string;
  author: string;
  author_name: string | null;
  count: number;
}

export type PendingRequest =
  | { method: 'inspect'; params: { paths: string[]; job: string | null } }
  | { method: 'publish'; params: PublishDraft }
  | { method: 'discard'; params: { paths: string[] } }
  | { method: 'share'; params: { release: string | null } }
  | { method: 'open'; params: { link: string } }
  | { method: 'block'; params: { command: 'unsubscribe'; list: string } };

export interface PendingAnswers {
  inspect: Draft;
  discard: Record<symbol, never>;
  share: { link: string };
  open: { kind: 'joined' | 'release' | 'artist'; id: string | null };
}

export type PendingBlocked = { lists?: BlockList[]; blocked: { kind: string; id: string; title?: string | null }[] };
export type { ReleaseRef };
