import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from '../src/lib/backend';
import JoinForm from '../src/lib/components/JoinForm.svelte';
import BackupDialog from '../src/lib/components/BackupDialog.svelte';
import RestoreDialog from '../src/lib/components/RestoreDialog.svelte';
import Toasts from '../src/lib/components/Toasts.svelte';
import { router } from '../src/lib/router.svelte';
import { config } from '../src/lib/state/config.svelte';
import { node } from '../src/lib/state/status.svelte';
import { toasts } from '../src/lib/state/toasts.svelte';
import { welcome } from '../src/lib/state/welcome.svelte';
import Welcome from '../src/screens/Welcome.svelte';
import Hidden from '../src/screens/settings/Hidden.svelte';
import Network from '../src/screens/settings/Network.svelte';
import Sound from '../src/screens/settings/Sound.svelte';
import { TestNode } from './node';
import { playing } from './things';

const ID = 'ab'.repeat(32);
const MARKUP = '<img src=x onerror="alert(1)"> مرحبا';
const STATUS = {
  peer_id: ID, name: null, fresh: true, peers: 2, nearby: 1, direct: 1, relayed: 1, searching: false, releases: 7, can_publish: true,
};
const SETTINGS = {
  dht: true, mdns: true, port_mapping: true, relay: 'auto', metered: false, cache_bytes: 5e9, upload_limit: 0, serve_played: false,
  announce_addresses: false, private_session: false, notify_releases: false,
};

let server: TestNode;

beforeEach(() => {
  localStorage.clear();
  for (const { id } of toasts.list) toasts.dismiss(id);
  server = new TestNode({
    status: () => STATUS, config_get: () => ({ config: SETTINGS }), config_set: () => ({ config: {} }), jobs: () => ({ jobs: [] }),
    peers: () => ({ peers: [{ peer_id: 'p1', name: MARKUP, path: 'direct', rtt_ms: 12 }, { peer_id: 'p2', name: null, path: 'relayed', rtt_ms: 80 }] }),
    profile_show: () => ({ peer_id: ID, name: null, bio: null, links: [], avatar: null }), profile_set: () => ({}),
    invite: () => ({ invite: 'musicdao:me' }), devices: () => ({ devices: ['Speakers'] }), player: () => playing(), open: () => ({ kind: 'joined', id: 'p1', known: true, unreachable: null }),
  });
  node.connection = 'open';
  node.status = STATUS as never;
  config.values = { ...SETTINGS } as never;
});

describe('a setting', () => {
  it('shows as chosen at once and is written', async () => {
    render(Network);
    const far = screen.getByRole('switch', { name: 'Find people far away' });
    expect(far).toBeChecked();
    await userEvent.click(far);
    expect(far).not.toBeChecked();
    await waitFor(() => expect(server.params('config_set')).toEqual([{ key: 'dht', value: 'false' }]));
    expect(toasts.list.at(-1)?.text).toBe('Counts from the next start of MusicDAO.');
  });

  it('goes back where the node refuses it', async () => {
    server.answers.config_set = () => {
      throw new Failure('disk_full', '');
    };
    render(Network);
    await userEvent.selectOptions(screen.getByRole('combobox', { name: 'Upload at most' }), '1000000');
    await waitFor(() => expect(screen.getByRole('combobox', { name: 'Upload at most' })).toHaveValue('0'));
    expect(toasts.list.at(-1)?.text).toMatch(/^The disk is full/);
  });

  it('of the sound goes to the player', async () => {
    render(Sound);
    await screen.findByRole('option', { name: 'Speakers' });
    await userEvent.selectOptions(screen.getByRole('combobox', { name: 'Output' }), 'Speakers');
    await userEvent.click(screen.getByRole('radio', { name: 'Every album' }));
    expect(server.params('player')).toEqual([{ command: 'output', device: 'Speakers' }, { command: 'replay_gain', mode: 'album' }]);
  });
});

describe('people', () => {
  it('are told in words, and their names are text', async () => {
    render(Network);
    expect(screen.getByText('2 people connected')).toBeInTheDocument();
    expect(screen.getByText('1 nearby, 1 through somebody else')).toBeInTheDocument();
    expect(await screen.findByRole('link', { name: MARKUP })).toHaveAttribute('href', '#/artist/p1');
    expect(screen.getByText(/Through somebody else, sealed/)).toBeInTheDocument();
    expect(document.querySelector('img[src="x"]')).toBeNull();
  });

  it('are not reached by what is no invite, and it is said what to do', async () => {
    server.answers.open = () => {
      throw new Failure('invite_malformed', '');
    };
    render(JoinForm);
    await userEvent.type(screen.getByRole('textbox', { name: 'Invite' }), 'hello{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('This is not an invite. It begins with “musicdao:”. Copy all of it.');
    expect(screen.getByRole('textbox', { name: 'Invite' })).toHaveValue('hello');
  });
});

describe('the identity', () => {
  it('is backed up with a passphrase that was typed twice', async () => {
    server.answers.identity_backup = () => ({ name: 'x', text: 'y' });
    const ondone = vi.fn();
    render(BackupDialog, { open: true, ondone });
    const save = await screen.findByRole('button', { name: 'Save the file' });
    await userEvent.type(screen.getByLabelText(/^Passphrase At least/), 'long enough');
    await userEvent.type(screen.getByLabelText(/^Passphrase again/), 'long enouph');
    expect(screen.getByRole('alert')).toHaveTextContent('The two are not the same.');
    expect(save).toBeDisabled();
    await userEvent.type(screen.getByLabelText(/^Passphrase again/), '{Backspace}{Backspace}gh');
    await userEvent.clear(screen.getByLabelText(/^Passphrase again/));
    await userEvent.type(screen.getByLabelText(/^Passphrase again/), 'long enough');
    await userEvent.click(save);
    expect(server.params('identity_backup')).toEqual([{ passphrase: 'long enough' }]);
    expect(ondone).toHaveBeenCalledOnce();
  });

  it('shows its words only when asked', async () => {
    server.answers.identity_words = () => ({ words: Array.from({ length: 24 }, (_, place) => `word${place}`) });
    render(BackupDialog, { open: true });
    await userEvent.click(await screen.findByRole('radio', { name: 'As 24 words' }));
    expect(server.params('identity_words')).toEqual([]);
    await userEvent.click(screen.getByRole('button', { name: 'Show the words' }));
    expect(within(await screen.findByRole('list')).getAllByRole('listitem')).toHaveLength(24);
  });

  it('comes back from its words, however they were typed', async () => {
    server.answers.identity_restore = () => ({});
    render(RestoreDialog, { open: true });
    await userEvent.click(await screen.findByRole('radio', { name: 'From words' }));
    const words = Array.from({ length: 24 }, () => 'Abandon');
    await userEvent.type(screen.getByRole('textbox'), words.slice(1).join(' '));
    expect(screen.getByRole('button', { name: 'Restore' })).toBeDisabled();
    await userEvent.type(screen.getByRole('textbox'), '  abandon');
    await userEvent.click(screen.getByRole('button', { name: 'Restore' }));
    expect(server.params('identity_restore')).toEqual([{ text: words.join(' ').toLowerCase(), passphrase: null }]);
  });
});

describe('what is hidden and blocked', () => {
  it('is listed by name, and shown again with a way back', async () => {
    const what = { release: 'r1' };
    server.answers.hide = () => ({ hidden: [{ what, title: MARKUP }] });
    const list = { list: 'cd'.repeat(32), name: MARKUP, author_id: 'p1', author: 'Ilse', count: 2 };
    // An id of which nothing is known may be anything.
    server.answers.block = () => ({ blocked: ['artist', 'blob', 'release'].map((kind) => ({ kind, id: ID })), lists: [list] });
    server.answers.profile_show = () => ({ peer_id: ID, name: 'Noor' });
    render(Hidden);
    render(Toasts);
    await userEvent.click(await screen.findByRole('button', { name: `Show again: ${MARKUP}` }));
    await userEvent.click(await screen.findByRole('button', { name: 'Undo' }));
    await userEvent.click((await screen.findAllByRole('button', { name: 'Unblock: Noor' }))[0]!);
    expect(screen.getByText(/2 entries/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: `Unfollow: ${MARKUP}` }));
    const hides = server.params('hide').filter((asked) => (asked as { command: string }).command !== 'list');
    expect(hides).toEqual([{ command: 'remove', what }, { command: 'add', what }]);
    expect(server.params('block')).toContainEqual({ command: 'remove', id: ID });
    expect(server.params('block')).toContainEqual({ command: 'unsubscribe', list: list.list });
  });
});

describe('the first run', () => {
  it('greets whoever opens Home of a fresh node, once', async () => {
    location.hash = '#/';
    router.start()();
    const stop = welcome.start();
    await waitFor(() => expect(location.hash).toBe('#/welcome'));
    welcome.end();
    await waitFor(() => expect(location.hash).toBe('#/'));
    stop();
    const again = welcome.start();
    await Promise.resolve();
    expect(location.hash).toBe('#/');
    again();
  });

  it('takes a name, says who sees what, joins, and ends at music', async () => {
    location.hash = '#/welcome';
    router.start()();
    render(Welcome);
    await userEvent.type(screen.getByRole('textbox', { name: /^Your name/ }), ' Ada ');
    await userEvent.click(screen.getByRole('button', { name: 'Continue' }));
    expect(await screen.findByRole('heading', { name: 'Who can see what' })).toHaveFocus();
    expect(server.params('profile_set')).toEqual([{ name: 'Ada', bio: null, links: null, avatar: null }]);
    await userEvent.click(screen.getByRole('switch', { name: 'Find people far away' }));
    expect(server.params('config_set')).toEqual([{ key: 'dht', value: 'false' }]);
    await userEvent.click(screen.getByRole('button', { name: 'Continue' }));
    await userEvent.type(screen.getByRole('textbox', { name: 'Invite' }), ' musicdao:friend {Enter}');
    await waitFor(() => expect(server.params('open')).toEqual([{ link: 'musicdao:friend', wait_ms: null }]));
    expect(screen.getByText('7 releases to listen to, and more arriving.')).toBeInTheDocument();
    expect(await screen.findByRole('img', { name: 'QR code of the link' })).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Go to the music' }));
    expect(location.hash).toBe('#/');
  });

  it('offers the backup, and needs no name', async () => {
    render(Welcome);
    expect(screen.getByRole('button', { name: 'Back up' })).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Continue' }));
    expect(await screen.findByRole('heading', { name: 'Who can see what' })).toBeInTheDocument();
    expect(server.params('profile_set')).toEqual([]);
  });
});
