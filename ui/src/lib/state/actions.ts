/** What a person does to music here: done at once, told in a toast, with a way back. */
import {
  backend, Failure, type HideTarget, type Method, type ParamsOf, type ReleaseInfo, type ReportReason,
} from '../backend';
import { t } from '../i18n/index.svelte';
import { catalogue, itemsOf } from './catalogue.svelte';
import { jobs } from './jobs.svelte';
import { player } from './player.svelte';
import { node } from './status.svelte';
import { toasts } from './toasts.svelte';

/** Asks, tells a failure in words; whether it went well. */
export async function attempt<M extends Method>(
  method: M,
  ...params: ParamsOf<M> extends undefined ? [] : [ParamsOf<M>]
): Promise<boolean> {
  try {
    await backend().call(method, ...params);
    node.changed();
    return true;
  } catch (thrown) {
    toasts.fail(Failure.from(thrown));
    return false;
  }
}

export async function save(release: string, keep = true): Promise<void> {
  const done = await attempt('library', { command: keep ? 'save' : 'remove', release });
  if (done) toasts.say(keep ? t.done.saved : t.done.unsaved, () => void attempt('library', { command: keep ? 'remove' : 'save', release }));
}

export async function like(release: string, remove = false): Promise<void> {
  const done = await attempt('like', { release, track: null, remove });
  if (done) toasts.say(remove ? t.done.unliked : t.done.liked, () => void attempt('like', { release, track: null, remove: !remove }));
}

export async function follow(artist: string, name: string, remove = false): Promise<void> {
  const done = await attempt('follow', { artist, public: false, remove });
  if (done) {
    const text = remove ? t.done.unfollowed(name) : t.done.followed(name);
    toasts.say(text, () => void attempt('follow', { artist, public: false, remove: !remove }));
  }
}

export async function tag(release: string, word: string, remove = false): Promise<boolean> {
  const done = await attempt('tag', { release, track: null, tag: word, remove });
  if (done) {
    const text = remove ? t.done.untagged(word) : t.done.tagged(word);
    toasts.say(text, () => void attempt('tag', { release, track: null, tag: word, remove: !remove }));
  }
  return done;
}

/** Blocks an artist or a release. */
export async function block(id: string, name: string): Promise<void> {
  if (await attempt('block', { command: 'add', id })) {
    toasts.say(t.done.blocked(name), () => void attempt('block', { command: 'remove', id }));
  }
}

/** Plays a release that so far is only a card. */
export async function playRelease(id: string, from = 0): Promise<void> {
  try {
    await player.playRelease(catalogue.peek(id) ?? (await catalogue.fetch(id)), from);
  } catch (thrown) {
    toasts.fail(Failure.from(thrown));
  }
}

export async function enqueueRelease(id: string, next: boolean): Promise<void> {
  try {
    const release = catalogue.peek(id) ?? (await catalogue.fetch(id));
    await player.enqueue(itemsOf(release), next);
    toasts.say(next ? t.done.playsNext(release.title) : t.done.queued(release.title));
  } catch (thrown) {
    toasts.fail(Failure.from(thrown));
  }
}

/** Keeps a release on this disk. */
export async function keepOffline(release: ReleaseInfo): Promise<void> {
  const work = (job: string) => backend().call('seed', { release: release.release_id, remove: false, job });
  // A failure was told by the job.
  const kept = await jobs.run('keep', release.title, work).catch(() => undefined);
  if (kept) {
    node.changed();
    toasts.say(t.done.kept(release.title));
  }
}

/** Saves a release's files into a folder of its own in the music folder. */
export async function saveFiles(release: ReleaseInfo): Promise<void> {
  const work = (job: string) => backend().call('download', { release: release.release_id, to: null, job });
  // A failure was told by the job.
  const saved = await jobs.run('download', release.title, work).catch(() => undefined);
  const path = saved?.files[0]?.path;
  if (!path) return;
  node.changed();
  toasts.say(t.done.filesSaved(path.replace(/[\\/][^\\/]*$/, '')));
}

export async function copy(text: string, told: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.say(told);
  } catch {
    toasts.fail({ code: 'clipboard_refused', message: '' });
  }
}

export async function likeTrack(release: string, track: number, remove: boolean): Promise<void> {
  const done = await attempt('like', { release, track, remove });
  if (done) toasts.say(remove ? t.done.unliked : t.done.liked, () => void attempt('like', { release, track, remove: !remove }));
}

/** Keeps something out of one's own lists. */
export async function hide(what: HideTarget, name: string): Promise<void> {
  if (await attempt('hide', { command: 'add', what })) {
    toasts.say(t.done.hidden(name), () => void attempt('hide', { command: 'remove', what }));
  }
}

/** Tells one's followers that something is wrong. */
export async function report(
  about: { release: string | null; artist: string | null },
  reason: ReportReason,
  note: string | null,
  name: string,
): Promise<boolean> {
  const sent = await attempt('report', { ...about, reason, note, remove: false });
  if (sent) {
    toasts.say(t.done.reported(name), () => void attempt('report', { ...about, reason, note, remove: true }));
  }
  return sent;
}
