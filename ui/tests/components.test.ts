import { render, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import JobsTray from '../src/lib/components/JobsTray.svelte';
import ReleaseCard from '../src/lib/components/ReleaseCard.svelte';
import TagEditor from '../src/lib/components/TagEditor.svelte';
import Toasts from '../src/lib/components/Toasts.svelte';
import TrackRow from '../src/lib/components/TrackRow.svelte';
import WaveformSeek from '../src/lib/components/WaveformSeek.svelte';
import { save } from '../src/lib/state/actions';
import { jobs } from '../src/lib/state/jobs.svelte';
import { player } from '../src/lib/state/player.svelte';
import { toasts } from '../src/lib/state/toasts.svelte';
import { TestNode } from './node';
import { detail, playing, release } from './things';

const MARKUP = '<img src=x onerror="alert(1)"><b>bold</b> مرحبا 🎧';

let node: TestNode;

beforeEach(() => {
  node = new TestNode({ player: () => playing(), show: () => detail(), library: () => ({}), tag: () => ({}), cancel: () => ({}) });
  for (const { id } of toasts.list) toasts.dismiss(id);
});

describe('a release in a list', () => {
  it('plays by its button and leads to itself and its artist', async () => {
    render(ReleaseCard, { release: release() });
    expect(screen.getByRole('link', { name: 'Barometer' })).toHaveAttribute('href', '#/release/r1');
    expect(screen.getByRole('link', { name: 'Noor' })).toHaveAttribute('href', '#/artist/a1');
    await userEvent.click(screen.getByRole('button', { name: 'Play Barometer' }));
    await vi.waitFor(() => expect(node.params('player').at(-1)).toMatchObject({ command: 'play', start: 0 }));
  });

  it('shows what peers wrote as text', () => {
    const { container } = render(ReleaseCard, { release: release({ title: MARKUP, artist: MARKUP }) });
    expect(screen.getAllByRole('link', { name: MARKUP })).toHaveLength(2);
    expect(container.querySelector('b, img[src="x"]')).toBeNull();
  });
});

describe('a song in a list', () => {
  it('is played by its name, and has its menu', async () => {
    const onplay = vi.fn();
    const run = vi.fn();
    render(TrackRow, { title: MARKUP, number: 2, durationMs: 61_000, onplay, menu: [{ text: 'Play next', icon: JobsTray as never, run }] });
    await userEvent.click(screen.getByRole('button', { name: `Play ${MARKUP}` }));
    expect(onplay).toHaveBeenCalledOnce();
    expect(screen.getByText('1:01')).toBeInTheDocument();
    expect(screen.getByRole('button', { name: `More for ${MARKUP}` })).toHaveAttribute('aria-haspopup', 'menu');
  });
});

describe('tags', () => {
  it('are put on, and only one’s own can be taken off', async () => {
    render(TagEditor, { release: 'r1', tags: ['ambient', 'mine'], own: ['mine'] });
    expect(screen.queryByRole('button', { name: /tag ambient off/ })).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'Take your tag mine off' }));
    await userEvent.click(screen.getByRole('button', { name: 'Add a tag' }));
    await userEvent.type(screen.getByRole('textbox', { name: 'Add a tag' }), '  coastal {Enter}');
    expect(node.params('tag')).toEqual([
      { release: 'r1', track: null, tag: 'mine', remove: true }, { release: 'r1', track: null, tag: 'coastal', remove: false },
    ]);
  });

  it('are not sent where they are too short', async () => {
    render(TagEditor, { release: 'r1', tags: [], own: [] });
    await userEvent.click(screen.getByRole('button', { name: 'Add a tag' }));
    await userEvent.type(screen.getByRole('textbox', { name: 'Add a tag' }), 'x{Enter}');
    expect(node.params('tag')).toEqual([]);
  });
});

describe('a toast', () => {
  it('has the way back', async () => {
    render(Toasts);
    await save('r1');
    await userEvent.click(await screen.findByRole('button', { name: 'Undo' }));
    await vi.waitFor(() => expect(node.params('library')).toEqual([{ command: 'save', release: 'r1' }, { command: 'remove', release: 'r1' }]));
    expect(screen.queryByText('Saved to your library.')).toBeNull();
  });

  it('says what failed', async () => {
    delete node.answers.library;
    render(Toasts);
    await save('r1');
    expect(await within(screen.getByRole('status')).findByText('library')).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Undo' })).toBeNull();
  });
});

describe('long work', () => {
  it('shows how far it is, and can be cancelled', async () => {
    const stop = jobs.start();
    render(JobsTray);
    let id = '';
    let finish = () => {};
    const done = jobs.run('keep', 'Barometer', (job) => {
      id = job;
      return new Promise<void>((end) => (finish = end));
    });
    expect(await screen.findByText('Keeping: Barometer')).toBeInTheDocument();
    node.tell({ event: 'progress', job: id, stage: 'fetching', item: '01.mp3', done: 30, total: 120, unit: 'bytes' });
    await vi.waitFor(() => expect(screen.getByRole('progressbar')).toHaveAttribute('value', '0.25'));
    await userEvent.click(screen.getByRole('button', { name: 'Cancel Barometer' }));
    expect(node.params('cancel')).toEqual([{ job: id }]);
    finish();
    await done;
    await vi.waitFor(() => expect(screen.queryByText('Keeping: Barometer')).toBeNull());
    stop();
  });
});

describe('the place in the track', () => {
  it('is a slider that keys move', async () => {
    const stop = player.start();
    render(WaveformSeek);
    await vi.waitFor(() => expect(screen.getByRole('slider')).toHaveAttribute('aria-valuemax', '60'));
    screen.getByRole('slider').focus();
    await userEvent.keyboard('{ArrowRight}');
    expect((node.params('player').at(-1) as { position_ms: number }).position_ms).toBeGreaterThanOrEqual(10_000);
    await userEvent.keyboard('{Home}');
    expect(node.params('player').at(-1)).toEqual({ command: 'seek', position_ms: 0 });
    stop();
  });
});
