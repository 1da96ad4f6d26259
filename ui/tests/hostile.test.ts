/** What others wrote, and what comes from outside: shown and asked about, never believed. */
import { render, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import App from '../src/App.svelte';
import LinerNotes from '../src/lib/components/LinerNotes.svelte';
import TagEditor from '../src/lib/components/TagEditor.svelte';
import { links } from '../src/lib/state/links.svelte';
import { toasts } from '../src/lib/state/toasts.svelte';
import { screenOf } from '../src/screens';
import Artist from '../src/screens/Artist.svelte';
import Playlist from '../src/screens/Playlist.svelte';
import Release from '../src/screens/Release.svelte';
import { parse, router } from '../src/lib/router.svelte';
import { Failure } from '../src/lib/backend';
import { TestNode } from './node';
import { detail, playing, release } from './things';

const A = 'a'.repeat(64);
const R = 'b'.repeat(64);
const profile = (change = {}) => ({
  peer_id: A, name: 'Noor', bio: null, links: [], avatar: null, followed: false, followers: 0, mine: false, reports: [], ...change,
});
const report = { peer_id: A, name: 'Ilse', reason: 'spam', note: null, own: false };

let node: TestNode;

beforeEach(() => {
  node = new TestNode({
    profile_show: () => profile(), releases: () => ({ releases: [release({ release_id: R, artist_id: A })], total: 1 }),
    show: () => detail({ release_id: R, artist_id: A }), block: () => ({ blocked: [], lists: [] }),
    player: () => playing(), money: () => ({ offers: [] }),
  });
  for (const { id } of toasts.list) toasts.dismiss(id);
});

function at(hash: string): void {
  router.route = parse(hash);
}

describe('what is written twice', () => {
  it('is shown twice on an artist’s page, whose menu stays', async () => {
    const links = ['https://noor.example', 'https://noor.example', 'javascript:alert(1)'];
    node.answers.profile_show = () => profile({ links, reports: [report, report] });
    at(`#/artist/${A}`);
    render(Artist);
    expect(await screen.findAllByRole('link', { name: 'https://noor.example' })).toHaveLength(2);
    expect(screen.queryByRole('link', { name: 'javascript:alert(1)' })).toBeNull();
    expect(screen.getByRole('button', { name: 'More for Noor' })).toBeInTheDocument();
  });

  it('is shown twice on a release', async () => {
    const credit = { name: 'Jory', role: 'harmonium', peer_id: null };
    node.answers.show = () => detail({ release_id: R, collaborators: [credit, credit], tags: ['folk', 'folk'], reports: [report, report] as never });
    at(`#/release/${R}`);
    render(Release);
    expect(await screen.findAllByText('Jory')).toHaveLength(2);
    expect(screen.getAllByRole('link', { name: 'folk' })).toHaveLength(2);
  });

  it('is shown twice where names and roles only look alike', () => {
    const notes = { description: null, terms: 'CC0-1.0', tags: (() => {}) as never };
    render(LinerNotes, { ...notes, collaborators: [{ name: 'ab', role: 'c', peer_id: null }, { name: 'a', role: 'bc', peer_id: null }] });
    expect(screen.getByText('ab')).toBeInTheDocument();
  });
});

describe('a screen that breaks', () => {
  it('says so, and can be tried again', async () => {
    at('#/');
    location.hash = `#/release/${R}`;
    node.answers.show = () => detail({ release_id: R, reports: null as never });
    const { unmount } = render(App);
    expect(await screen.findByText('Something went wrong in the app.')).toBeInTheDocument();
    node.answers.show = () => detail({ release_id: R });
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('heading', { name: 'Barometer' })).toBeInTheDocument();
    unmount();
    location.hash = '';
  });
});

describe('an address that leads nowhere', () => {
  it('shows Home, whatever objects have by birth', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) expect(screenOf(parse(`#/${name}`)).name).toBe('home');
  });

  it('is a release or an artist that is not known', async () => {
    at('#/release/abc');
    const { unmount } = render(Release);
    expect(await screen.findByText('This release is not known here.')).toBeInTheDocument();
    unmount();
    at('#/artist/abc');
    render(Artist);
    expect(await screen.findByText('This artist is not known here.')).toBeInTheDocument();
    expect(node.asked).toEqual([]);
  });

  it('is a playlist that is gone', async () => {
    node.answers.playlist = () => {
      throw new Failure('playlist_unknown', 'there is no playlist 7');
    };
    at('#/playlist/7');
    render(Playlist);
    expect(await screen.findByRole('link', { name: 'Playlists' })).toHaveAttribute('href', '#/library/playlists');
  });
});

describe('whom one blocked', () => {
  it('is said to be, and can be unblocked', async () => {
    const nobody = () => profile({ name: null });
    node.answers.profile_show = nobody;
    node.answers.releases = () => ({ releases: [], total: 0 });
    let blocked = [{ kind: 'artist', id: A }];
    node.answers.block = ({ command }: { command: string }) => {
      if (command === 'remove') {
        blocked = [];
        node.answers.profile_show = () => profile();
      }
      return { blocked, lists: [] };
    };
    at(`#/artist/${A}`);
    render(Artist);
    expect(await screen.findByText('You blocked this')).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Follow' })).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'Unblock' }));
    expect(await screen.findByRole('heading', { name: 'Noor' })).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Follow' })).toBeInTheDocument();
  });

  it('is told from somebody of whom nothing is known', async () => {
    node.answers.profile_show = () => profile({ name: null });
    node.answers.releases = () => ({ releases: [], total: 0 });
    at(`#/artist/${A}`);
    render(Artist);
    expect(await screen.findByText('Unnamed artist')).toBeInTheDocument();
    await vi.waitFor(() => expect(node.params('block')).toHaveLength(1));
    expect(screen.queryByText('You blocked this')).toBeNull();
  });

  it('goes for a release, too', async () => {
    node.answers.show = () => {
      throw new Failure('release_unknown', '');
    };
    node.answers.block = () => ({ blocked: [{ kind: 'release', id: R }], lists: [] });
    at(`#/release/${R}`);
    render(Release);
    expect(await screen.findByText('You blocked this')).toBeInTheDocument();
  });
});

describe('what the system opens with the app', () => {
  it('is a link that is asked about, one at a time', async () => {
    node.answers.open = () => ({ kind: 'artist', id: A, known: true, unreachable: null });
    const { unmount } = render(App);
    node.open({ links: ['musicdao:join/one', 'musicdao:join/two'], files: [] });
    node.open({ links: ['musicdao:join/three'], files: [] });
    const dialog = await screen.findByRole('dialog', { name: 'Open this link?' });
    expect(within(dialog).getByRole('textbox')).toHaveValue('musicdao:join/one');
    expect(node.params('open')).toEqual([]);
    await userEvent.click(within(dialog).getByRole('button', { name: 'Join' }));
    await vi.waitFor(() => expect(location.hash).toBe(`#/artist/${A}`));
    expect(node.params('open')).toEqual([{ link: 'musicdao:join/one', wait_ms: null }]);
    unmount();
    location.hash = '';
  });

  it('is a link that can be refused', async () => {
    const { unmount } = render(App);
    node.open({ links: ['musicdao:join/one'], files: [] });
    await screen.findByRole('dialog', { name: 'Open this link?' });
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(node.params('open')).toEqual([]);
    unmount();
  });

  it('is songs that are heard, not published', async () => {
    const file = { file: 7, path: '/music/a.flac', title: 'Salt', artist: 'Noor', album: null, duration_ms: 60_000 };
    node.answers.library = () => ({ saved: [], files: [file, { ...file, file: 9 }], history: [], totals: { saved: 0, files: 2, history: 0 } });
    const stop = links.start();
    node.open({ links: [], files: [{ name: 'a.flac', path: '/music/a.flac' }, { name: 'b.flac', path: '/music/b.flac' }] });
    await vi.waitFor(() => expect(node.params('player')).toContainEqual({ command: 'play', items: [{ file: 7 }, { file: 9 }], start: 0 }));
    expect(node.params('library')[0]).toMatchObject({ command: 'add_files', paths: ['/brought/a.flac', '/brought/b.flac'] });
    expect(node.params('inspect')).toEqual([]);
    expect(location.hash).not.toContain('studio');
    stop();
  });
});

describe('a tag of one letter', () => {
  it('is told to be too short', async () => {
    render(TagEditor, { release: R, tags: [], own: [] });
    await userEvent.click(screen.getByRole('button', { name: 'Add a tag' }));
    await userEvent.type(screen.getByRole('textbox', { name: 'Add a tag' }), 'x{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('A tag has at least 2 letters.');
    await userEvent.type(screen.getByRole('textbox', { name: 'Add a tag' }), 'y');
    expect(screen.queryByRole('alert')).toBeNull();
  });
});

describe('the first run', () => {
  it('has the keyboard to itself', async () => {
    location.hash = '#/welcome';
    node.answers.profile_show = () => profile({ name: null });
    const { unmount } = render(App);
    expect(await screen.findByLabelText(/^Your name/)).toHaveFocus();
    (document.activeElement as HTMLElement).blur();
    await userEvent.keyboard('sr?');
    expect(node.params('player')).toEqual([{ command: 'state' }]);
    expect(screen.queryByRole('dialog')).toBeNull();
    unmount();
    location.hash = '';
  });
});
