import { render, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure, type Draft, type PublishTrack, type Source } from '../src/lib/backend';
import Toasts from '../src/lib/components/Toasts.svelte';
import { router } from '../src/lib/router.svelte';
import { jobs } from '../src/lib/state/jobs.svelte';
import { node } from '../src/lib/state/status.svelte';
import { problems, studio } from '../src/lib/state/studio.svelte';
import { toasts } from '../src/lib/state/toasts.svelte';
import Studio from '../src/screens/Studio.svelte';
import Mine from '../src/screens/studio/Mine.svelte';
import { TestNode } from './node';
import { detail, release } from './things';

const MARKUP = '<img src=x onerror="alert(1)"> مرحبا 🎧';

function found(change: Partial<Draft> = {}): Draft {
  const tracks = ['One', MARKUP, 'Three'].map((title, place) => ({
    path: `/music/${place}.flac`, title, artist: 'Noor', album: 'Barometer', number: place + 1, duration_ms: 60_000, codec: 'flac',
    size: 100, loudness: -12, warnings: [], error: null,
  }));
  return { title: 'Barometer', artist: 'Noor', date: '2026', license: null, tags: ['ambient'], cover: null, tracks, skipped: [], ...change };
}

function files(...names: string[]): Source[] {
  return names.map((name) => ({ name, file: new File(['x'], name) }));
}

let server: TestNode;
let stops: (() => void)[] = [];

/** As when the window opens. */
function open(): void {
  stops.push(jobs.start(), studio.start(() => router.go('#/studio/draft')));
}

function close(): void {
  for (const stop of stops.splice(0)) stop();
}

beforeEach(() => {
  localStorage.clear();
  location.hash = '#/studio/draft';
  router.start()();
  for (const { id } of toasts.list) toasts.dismiss(id);
  studio.published = undefined;
  server = new TestNode({
    inspect: () => found(), jobs: () => ({ jobs: [] }), releases: () => ({ releases: [], total: 0 }), discard: () => ({}),
    status: () => ({ peer_id: 'me' }), show: () => detail(), share: () => ({ link: 'musicdao:release/r1' }), cancel: () => ({}),
    publish: () => ({ release_id: 'r1', tracks: [], warnings: [] }),
  });
  open();
});

afterEach(close);

async function edited(): Promise<void> {
  await studio.add(files('a.flac', 'b.flac', 'c.flac'));
  render(Studio);
}

describe('what is dropped', () => {
  it('is brought over and becomes a draft; what is neither music nor a picture is left out, and said', async () => {
    await studio.add(files('a.flac', 'notes.pdf', 'cover.jpg'));
    expect(server.params('inspect')).toMatchObject([{ paths: ['/brought/a.flac', '/brought/cover.jpg'] }]);
    expect(toasts.list.map(({ text }) => text)).toEqual(['notes.pdf was left out: neither music nor a picture.']);
    expect(studio.draft).toMatchObject({ title: 'Barometer', artist: 'Noor', date: '2026', tags: ['ambient'], license: null });
    // An artist who is the release's needs no second mention.
    expect(studio.draft?.songs.map(({ artist }) => artist)).toEqual(['', '', '']);
  });

  it('can be stopped on its way, and leaves nothing behind', async () => {
    server.carry = ({ name }, { signal }) =>
      name === 'a.flac'
        ? Promise.resolve('/brought/a.flac')
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Failure('cancelled', ''))));
    const adding = studio.add(files('a.flac', 'b.flac'));
    render(Studio);
    await userEvent.click(await screen.findByRole('button', { name: 'Cancel' }));
    await adding;
    expect(studio.draft).toBeUndefined();
    expect(server.params('discard')).toEqual([{ paths: ['/brought/a.flac'] }]);
    expect(server.params('inspect')).toEqual([]);
    expect(toasts.list).toEqual([]);
  });

  it('adds to the draft that is there', async () => {
    await studio.add(files('a.flac'));
    await studio.add(files('b.flac'));
    expect(studio.draft?.songs).toHaveLength(6);
    expect(new Set(studio.draft?.songs.map(({ key }) => key)).size).toBe(6);
  });

  it('tells each file’s progress while it is read', async () => {
    let end = (_: Draft) => {};
    server.answers.inspect = () => new Promise<Draft>((resolve) => (end = resolve));
    const adding = studio.add(files('a.flac', 'b.flac'));
    render(Studio);
    await vi.waitFor(() => expect(server.params('inspect')).toHaveLength(1));
    const { job } = server.params('inspect')[0] as { job: string };
    server.tell({ event: 'progress', job, stage: 'reading', item: 'b.flac', done: 50, total: 200 } as never);
    await vi.waitFor(() => expect(screen.getByRole('progressbar', { name: 'b.flac' })).toHaveAttribute('value', '0.25'));
    end(found());
    await adding;
  });
});

describe('the draft', () => {
  it('shows names as text, and what cannot be used in words', async () => {
    const broken = { ...found().tracks[0]!, title: 'Broken', error: { code: 'file_damaged', message: 'x' } };
    server.answers.inspect = () => found({ tracks: [...found().tracks, broken], skipped: [{ path: '/x/notes.pdf', error: { code: 'not_audio', message: '' } }] });
    await edited();
    expect(screen.getByRole('textbox', { name: 'Title of song 2' })).toHaveValue(MARKUP);
    expect(screen.getByText(/This file is damaged/)).toBeInTheDocument();
    expect(screen.getByText('1 file could not be used')).toBeInTheDocument();
    expect(document.querySelector('img[src="x"]')).toBeNull();
  });

  it('is put in order by the keyboard', async () => {
    await edited();
    screen.getByRole('button', { name: /^Move One/ }).focus();
    await userEvent.keyboard('{ArrowDown}{ArrowDown}{ArrowDown}');
    expect(studio.draft?.songs.map(({ title }) => title)).toEqual([MARKUP, 'Three', 'One']);
    expect(screen.getByRole('button', { name: /^Move One/ })).toHaveFocus();
  });

  it('gives a song back that was taken out', async () => {
    await edited();
    render(Toasts);
    await userEvent.click(screen.getByRole('button', { name: 'Take One out' }));
    expect(studio.draft?.songs.map(({ title }) => title)).toEqual([MARKUP, 'Three']);
    await userEvent.click(screen.getByRole('button', { name: 'Undo' }));
    expect(studio.draft?.songs.map(({ title }) => title)).toEqual(['One', MARKUP, 'Three']);
  });

  it('outlives the window', async () => {
    await edited();
    await userEvent.clear(screen.getByRole('textbox', { name: 'Title' }));
    await userEvent.type(screen.getByRole('textbox', { name: 'Title' }), 'Changed');
    close();
    studio.draft = undefined;
    open();
    expect(studio.draft).toMatchObject({ title: 'Changed', songs: [{ title: 'One' }, { title: MARKUP }, { title: 'Three' }] });
  });

  it('comes back when it was discarded by mistake', async () => {
    await edited();
    render(Toasts);
    await userEvent.click(screen.getByRole('button', { name: 'Discard' }));
    expect(studio.draft).toBeUndefined();
    await userEvent.click(screen.getByRole('button', { name: 'Undo' }));
    expect(studio.draft).toMatchObject({ title: 'Barometer' });
    expect(server.params('discard')).toEqual([]);
  });
});

describe('publishing', () => {
  it('says what is missing, and asks for nothing before it is there', async () => {
    await edited();
    const publish = screen.getByRole('button', { name: 'Publish' });
    await userEvent.click(publish);
    expect(screen.getByText('Choose a licence. Say that you may publish it.')).toBeInTheDocument();
    const date = screen.getByRole('textbox', { name: /^Released/ });
    await userEvent.clear(date);
    await userEvent.type(date, '2026-13');
    expect(screen.getByRole('alert')).toHaveTextContent('Write a year');
    expect(server.params('publish')).toEqual([]);
  });

  it('sends the edited table in its order with the rights declared, and shows the link', async () => {
    await edited();
    await userEvent.click(screen.getByRole('radio', { name: /CC BY-SA 4.0/ }));
    await userEvent.click(screen.getByRole('checkbox', { name: /I made this music/ }));
    await userEvent.type(screen.getByRole('textbox', { name: 'Artist of song 3' }), 'Ada');
    await userEvent.type(screen.getByRole('textbox', { name: 'Tags' }), 'Coastal{Enter}');
    studio.move(2, 0);
    await userEvent.click(screen.getByRole('button', { name: 'Publish' }));
    expect(await screen.findByRole('textbox', { name: 'Link' })).toHaveValue('musicdao:release/r1');
    const [sent] = server.params('publish') as { tracks: PublishTrack[] }[];
    expect(sent).toMatchObject({ title: 'Barometer', license: 'CC-BY-SA-4.0', rights_declared: true, replaces: null, tags: ['ambient', 'coastal'] });
    expect(sent?.tracks).toEqual([
      { path: '/music/2.flac', track: null, title: 'Three', artist: 'Ada' },
      { path: '/music/0.flac', track: null, title: 'One', artist: '' },
      { path: '/music/1.flac', track: null, title: MARKUP, artist: '' },
    ]);
    expect(localStorage.getItem('musicdao.draft')).toBeNull();
  });

  it('keeps the draft when it fails, and says why', async () => {
    server.answers.publish = () => {
      throw new Failure('disk_full', '');
    };
    await edited();
    Object.assign(studio.draft!, { license: 'CC0-1.0', rights: true });
    await userEvent.click(screen.getByRole('button', { name: 'Publish' }));
    await vi.waitFor(() => expect(toasts.list.at(-1)?.text).toMatch(/^The disk is full/));
    expect(studio.draft).toMatchObject({ title: 'Barometer', publishing: null });
  });

  it('goes on when the window closes; the next window shows it and its end', async () => {
    server.answers.publish = () => {
      throw new Failure('app_connection_lost', '');
    };
    await edited();
    Object.assign(studio.draft!, { license: 'CC0-1.0', rights: true });
    await studio.publish();
    const { job } = server.params('publish')[0] as { job: string };
    expect(JSON.parse(localStorage.getItem('musicdao.draft')!)).toMatchObject({ publishing: { job } });

    // Another window knows nothing but what was stored and what the node says.
    close();
    server.answers.jobs = () => ({ jobs: [{ job, kind: 'publish', running_ms: 5, progress: null }] });
    open();
    await vi.waitFor(() => expect(jobs.list).toMatchObject([{ id: job, kind: 'publish' }]));
    expect(screen.getByText('You can leave this screen, or close the window: it goes on.')).toBeInTheDocument();

    server.answers.jobs = () => ({ jobs: [] });
    server.tell({ event: 'job_ended', job, release_id: 'r9', error: null });
    await vi.waitFor(() => expect(studio.published).toMatchObject({ id: 'r9', title: 'Barometer' }));
    expect(jobs.list).toEqual([]);
  });

  it('is found by its title when it ended while no window was open', async () => {
    await studio.add(files('a.flac'));
    studio.draft!.publishing = { job: 'publish-away', since: Date.now() };
    server.answers.releases = () => ({ releases: [release({ release_id: 'r9', title: 'Barometer', published_at: Date.now() })], total: 1 });
    await studio.settle();
    expect(studio.published).toMatchObject({ id: 'r9' });
  });

  it('names who else made it, and nobody who is only half filled in', async () => {
    await edited();
    Object.assign(studio.draft!, { license: 'CC0-1.0', rights: true });
    await userEvent.click(screen.getByRole('button', { name: 'Add a person' }));
    await userEvent.type(screen.getByLabelText('What person 1 did'), 'bass');
    expect(problems(studio.draft!)).toHaveLength(1);
    await userEvent.type(screen.getByLabelText('Name of person 1'), MARKUP);
    await userEvent.click(screen.getByRole('button', { name: 'Add a person' }));
    expect(problems(studio.draft!)).toEqual([]);
    await studio.publish();
    expect(server.params('publish')).toMatchObject([{ collaborators: [{ name: MARKUP, role: 'bass', peer_id: null }] }]);
  });

  it('gives the draft back when the node knows nothing of it any more', async () => {
    await studio.add(files('a.flac'));
    studio.draft!.publishing = { job: 'publish-lost', since: Date.now() };
    await studio.settle();
    expect(studio.draft).toMatchObject({ publishing: null, title: 'Barometer' });
    expect(toasts.list.at(-1)?.text).toMatch(/did not come to its end/);
  });
});

describe('what is out', () => {
  it('is edited with its songs kept by their numbers', async () => {
    studio.edit(detail({ cover: 'c1', description: 'Notes' }));
    render(Studio);
    await userEvent.type(screen.getByRole('textbox', { name: 'Title of song 1' }), '!');
    await userEvent.click(screen.getByRole('button', { name: 'Publish the changes' }));
    await vi.waitFor(() => expect(studio.published).toMatchObject({ id: 'r1', edited: true }));
    expect(server.params('publish')).toMatchObject([
      { replaces: 'r1', cover: null, no_cover: false, description: 'Notes', tracks: [{ path: null, track: 1, title: 'Falling!' }, { track: 2 }, { track: 3 }] },
    ]);
  });

  it('is withdrawn only when there is no way back any more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      server.answers.withdraw = () => ({ release_id: 'r1' });
      const { withdrawals } = await import('../src/lib/state/withdrawals.svelte');
      withdrawals.begin(release());
      toasts.list.at(-1)?.undo?.();
      await vi.advanceTimersByTimeAsync(20_000);
      expect(server.params('withdraw')).toEqual([]);
      withdrawals.begin(release());
      await vi.advanceTimersByTimeAsync(20_000);
      expect(server.params('withdraw')).toEqual([{ release: 'r1' }]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is listed with a way to edit it', async () => {
    server.answers.releases = () => ({ releases: [release({ title: MARKUP, mine: true })], total: 1 });
    node.status = { peer_id: 'me' } as never;
    render(Mine);
    const list = await screen.findByRole('list', { name: 'Your releases' });
    expect(within(list).getByRole('link', { name: `Edit: ${MARKUP}` })).toHaveAttribute('href', '#/studio/edit/r1');
    expect(server.params('releases').at(-1)).toMatchObject({ artist: 'me' });
  });
});
