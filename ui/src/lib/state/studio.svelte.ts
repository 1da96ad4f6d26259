/**
 * The Studio: one draft, which outlives its screen and its window, and the publishing of it, which outlives them too.
 */
import {
  backend, Failure, type ApiError, type Credit, type Draft, type DraftCover, type ReleaseDetail, type ReleaseInfo, type Skipped, type Source,
} from '../backend';
import { ARCHIVES, ending, IMAGES, MOST_FILES, MUSIC } from '../backend/browser';
import { isId } from '../format';
import { t } from '../i18n/index.svelte';
import { LICENSES } from '../licenses';
import { releaseQuery } from './catalogue.svelte';
import { jobs, type Handle } from './jobs.svelte';
import { node } from './status.svelte';
import { toasts } from './toasts.svelte';

/** A song of the draft: a file, or a song of the release that is being edited. */
export interface Song {
  key: number;
  path: string | null;
  /** The number in the release that is edited. */
  track: number | null;
  title: string;
  /** Empty where it is the release's. */
  artist: string;
  duration_ms: number;
  codec: string;
  size: number;
  warnings: ApiError[];
  error: ApiError | null;
}

export interface ReleaseDraft {
  /** The release that is edited. */
  replaces: string | null;
  title: string;
  artist: string;
  date: string;
  license: string | null;
  tags: string[];
  description: string;
  /** Who else made it, as far as it is filled in. */
  credits: Credit[];
  /** A picture to publish; none keeps that of the release that is edited. */
  cover: DraftCover | null;
  /** The cover of the release that is edited. */
  kept: string | null;
  songs: Song[];
  skipped: Skipped[];
  rights: boolean;
  /** The publishing that is under way. */
  publishing: { job: string; since: number } | null;
}

/** A file on its way into the draft. */
export interface Arriving {
  name: string;
  /** 0 to 1; undefined before its turn. */
  share: number | undefined;
}

export interface Published {
  id: string;
  title: string;
  edited: boolean;
  warnings: string[];
}

const KEY = 'musicdao.draft';
/** A release found later counts as that of a publishing if it is no older than this; clocks differ. */
const SLACK_MS = 60_000;
const DATE = /^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$/;
/** People who can be named beside the artist. */
export const MOST_CREDITS = 20;
/** Files brought over at once. */
const AT_ONCE = 3;

class Studio {
  draft = $state<ReleaseDraft>();
  /** Files on their way in; undefined where none are. */
  arriving = $state<Arriving[]>();
  /** The work that brings them, to be cancelled. */
  arrivingJob = $state('');
  published = $state.raw<Published>();
  /** Whether files are held over the window. */
  hovered = $state(false);
  #lastKey = 0;

  readonly publishing = $derived(this.draft?.publishing ? jobs.find(this.draft.publishing.job) : undefined);

  start(go: () => void): () => void {
    this.draft = read();
    this.#lastKey = Math.max(0, ...(this.draft?.songs ?? []).map(({ key }) => key));
    const stops = [
      $effect.root(() => {
        $effect(() => write(this.draft));
      }),
      backend().onDrag(({ phase, sources }) => {
        this.hovered = phase === 'enter' || (phase !== 'leave' && phase !== 'drop' && this.hovered);
        if (phase === 'drop') go(), void this.add(sources);
      }),
      backend().onEvent((event) => {
        if (event.event === 'job_ended') this.#ended(event.job, event.release_id);
      }),
      backend().onConnection((connection) => connection === 'open' && void this.settle()),
    ];
    return () => stops.forEach((stop) => stop());
  }

  /** Takes files into the draft. */
  async add(sources: Source[]): Promise<void> {
    const wanted = pick(sources);
    if (!wanted.length || this.arriving) return;
    this.published = undefined;
    this.arriving = wanted.map(({ name }) => ({ name, share: undefined }));
    const subject = this.draft?.title || wanted[0]!.name;
    try {
      const found = await jobs.run('inspect', subject, (job, handle) => this.#look(job, wanted, handle));
      if (found) this.#take(found);
    } catch {
      // It was told by the job; what is in the draft already stays.
    } finally {
      this.arriving = undefined;
    }
  }

  async #look(job: string, wanted: Source[], handle: Handle): Promise<Draft> {
    this.arrivingJob = job;
    const paths = await this.#bring(wanted, handle);
    const stop = backend().onEvent((event) => {
      if (event.event === 'progress' && event.job === job && event.item) this.#arrived(event.item, event.total ? event.done / event.total : 0);
    });
    if (this.arriving) this.arriving = this.arriving.map(({ name }) => ({ name, share: undefined }));
    try {
      return await backend().call('inspect', { paths, job });
    } finally {
      stop();
    }
  }

  /** Brings files to where the node can read them. */
  async #bring(wanted: Source[], { signal, tell }: Handle): Promise<string[]> {
    const paths: string[] = new Array<string>(wanted.length).fill('');
    const left = wanted.keys();
    const worker = async () => {
      for (const place of left) {
        const source = wanted[place]!;
        paths[place] = await backend().bring(source, {
          signal,
          progress: (done, total) => {
            const share = total ? done / total : 1;
            this.#arrived(source.name, share, place);
            tell(source.name, (place + share) / wanted.length);
          },
        });
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    } catch (thrown) {
      const brought = paths.filter((path, place) => path && 'file' in wanted[place]!);
      if (brought.length) await backend().call('discard', { paths: brought }).catch(() => {});
      throw thrown;
    }
    return paths;
  }

  #arrived(name: string, share: number, place = this.arriving?.findIndex((one) => one.name === name) ?? -1): void {
    if (!this.arriving) return;
    if (place < 0) this.arriving.push({ name, share });
    else this.arriving[place] = { name, share };
  }

  #take(found: Draft): void {
    const songs = found.tracks.map((track): Song => ({
      key: ++this.#lastKey, path: track.path, track: null, title: track.title,
      artist: track.artist === found.artist ? '' : (track.artist ?? ''),
      duration_ms: track.duration_ms, codec: track.codec, size: track.size, warnings: track.warnings, error: track.error,
    }));
    if (!songs.length && !this.draft && !found.cover) {
      toasts.say(t.studio.drop.none);
      return;
    }
    if (!this.draft) {
      const license = LICENSES.find((one) => one === found.license) ?? null;
      this.draft = {
        replaces: null, title: found.title, artist: found.artist, date: found.date ?? '', license, tags: found.tags,
        description: '', credits: [], cover: found.cover, kept: null, songs, skipped: found.skipped, rights: false, publishing: null,
      };
      return;
    }
    this.draft.songs.push(...songs);
    this.draft.skipped.push(...found.skipped);
    if (found.cover && (!songs.length || !this.draft.cover)) this.draft.cover = found.cover;
  }

  /** Begins to edit a release that is out. */
  edit(release: ReleaseDetail): void {
    const before = this.draft;
    this.published = undefined;
    this.draft = {
      replaces: release.release_id, title: release.title, artist: release.artist, date: release.date ?? '',
      license: release.license, tags: release.tag_details.filter((tag) => tag.own && tag.track === null).map(({ tag }) => tag),
      description: release.description ?? '', credits: release.collaborators.map((credit) => ({ ...credit })), cover: null, kept: release.cover, skipped: [], rights: true, publishing: null,
      songs: release.tracks.map((track) => ({
        key: ++this.#lastKey, path: null, track: track.number, title: track.title,
        artist: track.artist && track.artist !== release.artist ? track.artist : '',
        duration_ms: track.duration_ms, codec: track.codec, size: track.size, warnings: [], error: null,
      })),
    };
    if (before && before.replaces !== release.release_id) toasts.say(t.studio.draft.discarded, () => (this.draft = before));
  }

  move(from: number, to: number): void {
    const songs = this.draft?.songs;
    const [song] = songs?.splice(from, 1) ?? [];
    if (song) songs?.splice(to, 0, song);
  }

  remove(place: number): void {
    const [song] = this.draft?.songs.splice(place, 1) ?? [];
    if (song) toasts.say(t.studio.songs.removed(song.title || t.studio.draft.untitled), () => this.draft?.songs.splice(place, 0, song));
  }

  /** Gives the draft up; its files go when it cannot be had back any more. */
  discard(): void {
    const before = this.draft;
    if (!before) return;
    this.draft = undefined;
    const forget = setTimeout(() => void backend().call('discard', { paths: pathsOf(before) }).catch(() => {}), FORGET_MS);
    toasts.say(t.studio.draft.discarded, () => {
      clearTimeout(forget);
      this.draft ??= before;
    });
  }

  async publish(): Promise<void> {
    const draft = this.draft;
    if (!draft || draft.publishing || problems(draft).length) return;
    const job = `publish-${crypto.randomUUID()}`;
    draft.publishing = { job, since: Date.now() };
    try {
      const done = await jobs.run('publish', draft.title, () => backend().call('publish', request(draft, job)), job);
      if (done) this.#out(done.release_id, done.warnings);
      else this.#stopped();
    } catch (thrown) {
      // Where only the way to the node was lost, the node goes on; how it ended is asked when it is back.
      if (Failure.from(thrown).code !== 'app_connection_lost') this.#stopped();
    }
  }

  /** Finds out how a publishing ended that this page did not see to its end. */
  async settle(): Promise<void> {
    const { publishing } = this.draft ?? {};
    if (!publishing || jobs.owns(publishing.job)) return;
    try {
      const { jobs: running } = await backend().call('jobs');
      if (running.some(({ job }) => job === publishing.job)) return;
      const found = await this.#find(publishing.since);
      if (this.draft?.publishing?.job !== publishing.job) return;
      if (found) return this.#out(found.release_id, []);
      this.#stopped();
      toasts.fail({ code: 'publish_unfinished', message: '' });
    } catch {
      // The connection is lost again: it is asked when it is back.
    }
  }

  /** A publishing that another window began, or that outlived the connection. */
  #ended(job: string, release: string | null): void {
    if (job !== this.draft?.publishing?.job || jobs.owns(job)) return;
    if (release) this.#out(release, []);
    else void this.settle();
  }

  async #find(since: number): Promise<ReleaseInfo | undefined> {
    const me = node.status?.peer_id ?? (await backend().call('status')).peer_id;
    const { releases } = await backend().call('releases', releaseQuery({ artist: me, limit: 20 }));
    const draft = this.draft;
    return releases.find((one) =>
      draft?.replaces
        ? one.release_id === draft.replaces && one.title === draft.title.trim() && one.track_count === draft.songs.length
        : one.title === draft?.title.trim() && one.published_at >= since - SLACK_MS,
    );
  }

  #out(id: string, warnings: string[]): void {
    this.published = { id, title: this.draft?.title ?? '', edited: !!this.draft?.replaces, warnings };
    this.draft = undefined;
    node.changed();
  }

  #stopped(): void {
    if (this.draft) this.draft.publishing = null;
  }
}

/** As long as the way back is offered. */
const FORGET_MS = 12_000;

export const studio = new Studio();

/** What still keeps a draft from being published, in words. */
export function problems(draft: ReleaseDraft): string[] {
  const need = t.studio.publish;
  return [
    !draft.title.trim() && need.needTitle,
    !draft.artist.trim() && need.needArtist,
    !isDate(draft.date) && need.needDate,
    draft.credits.some(({ name, role, peer_id }) => !isPerson(peer_id) || (!name.trim() && !!(role.trim() || peer_id))) && need.needCredits,
    !draft.songs.length && need.needSongs,
    draft.songs.some(({ title, error }) => !error && !title.trim()) && need.needSongTitles,
    draft.songs.some(({ error }) => error) && need.needBroken,
    !draft.license && need.needLicense,
    !draft.rights && need.needRights,
  ].filter((problem) => problem !== false);
}

/** Whether it is somebody's identity, or nobody's. */
export function isPerson(id: string | null): boolean {
  return id === null || isId(id);
}

/** Those that are named, as they are published. */
export function creditsOf(draft: ReleaseDraft): Credit[] {
  const named = draft.credits.filter(({ name }) => name.trim());
  return named.map(({ name, role, peer_id }) => ({ name: name.trim(), role: role.trim(), peer_id }));
}

export function isDate(text: string): boolean {
  return !text.trim() || DATE.test(text.trim());
}

/** What the node is asked for; what is not said of an edited release stays as it was. */
export function request(draft: ReleaseDraft, job: string) {
  return {
    paths: [],
    tracks: draft.songs.map(({ path, track, title, artist }) => ({ path, track, title: title.trim(), artist: artist.trim() })),
    replaces: draft.replaces, title: draft.title.trim(), artist: draft.artist.trim(), license: draft.license,
    date: draft.date.trim(), tags: [...draft.tags], description: draft.description.trim(), collaborators: creditsOf(draft),
    cover: draft.cover?.path ?? null, no_cover: !draft.cover && !draft.kept, rights_declared: draft.rights, job,
  };
}

/** Keeps what can be music, many at once, or a picture; says what it leaves out. */
function pick(sources: Source[]): Source[] {
  const taken = sources.slice(0, MOST_FILES);
  if (taken.length < sources.length || sources.length === MOST_FILES) toasts.say(t.studio.drop.tooMany(MOST_FILES));
  const known = new Set([...MUSIC, ...ARCHIVES, ...IMAGES]);
  // A path may be a folder; only the node can tell.
  const wanted = taken.filter((source) => 'path' in source || known.has(ending(source.name)));
  const left = taken.filter((source) => !wanted.includes(source));
  if (!wanted.length && taken.length) toasts.say(t.studio.drop.none);
  else if (left[0]) toasts.say(t.studio.drop.some(left[0].name, left.length - 1));
  return wanted;
}

function pathsOf(draft: ReleaseDraft): string[] {
  return [...draft.songs.map(({ path }) => path), draft.cover?.path].filter((path) => typeof path === 'string');
}

function read(): ReleaseDraft | undefined {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? 'null') as ReleaseDraft | null;
    // A draft of an earlier version names nobody, and has its warnings without codes.
    const coded = (odd: ApiError | string) => (typeof odd === 'string' ? { code: '', message: odd } : odd);
    const songs = (stored?.songs ?? []).map((song) => ({ ...song, warnings: song.warnings.map(coded) }));
    return stored ? { ...stored, songs, credits: stored.credits ?? [] } : undefined;
  } catch {
    return undefined;
  }
}

function write(draft: ReleaseDraft | undefined): void {
  try {
    if (draft) localStorage.setItem(KEY, JSON.stringify(draft));
    else localStorage.removeItem(KEY);
  } catch {
    // A browser that stores nothing keeps the draft for as long as the page is open.
  }
}
