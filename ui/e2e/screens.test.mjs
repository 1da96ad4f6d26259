/** Every screen as people see it: usable with a screen reader, readable in both themes; with SCREENS=1 pictured in docs/screens. */
import { test } from 'node:test';
import { go, openWindow, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { drop } from './world/drop.mjs';
import { examine } from './world/examine.mjs';
import { neighbourhood } from './world/neighbourhood.mjs';
import { album } from './world/songs.mjs';
import { SoundServer } from './world/sound.mjs';
import { until } from './world/until.mjs';

const DRAFT = { artist: 'Ilse', title: 'Window Seat', songs: ['Platform Nine', 'Reservoir', 'Last Carriage'] };

test('every screen can be read and used by everybody', async (test) => {
  const browser = await startBrowser(test);
  const sound = await SoundServer.start(test);
  const { listener, artists, releases } = await neighbourhood(test, browser, { sound });
  const newcomer = await Daemon.start(test);
  const ids = await live(listener, artists, releases);

  for (const size of SIZES) {
    for (const theme of ['dark', 'light']) {
      await test.test(`${size.name}, ${theme}`, async () => {
        const open = (link) => openWindow(browser, link, { size, theme, bypassCSP: true });
        const look = (page, name) => examine(page, { name, size, theme });
        const page = await open(listener.web);
        for (const [name, hash] of places(ids)) {
          await go(page, hash);
          await look(page, name);
        }
        await page.keyboard.press('?');
        await page.getByRole('dialog').waitFor();
        await look(page, 'help');
        await page.keyboard.press('Escape');
        await go(page, `#/release/${ids.release}`);
        await page.getByRole('button', { name: 'Share' }).click();
        await page.getByRole('img', { name: 'QR code of the link' }).waitFor();
        await look(page, 'share');
        await page.context().close();
        await prepare(await open(listener.web), look);
        await welcome(await open(newcomer.web), look);
      });
    }
  }
});

/** What an evening leaves behind, so that no screen is empty. */
async function live({ api }, artists, releases) {
  const [release, barometer, tapes] = ['Low Tide, High Fever', 'Barometer', 'Greenhouse Tapes'].map((title) => releases[title]);
  for (const id of Object.values(releases).slice(0, 5)) await api.call('library', { command: 'save', release: id });
  await api.call('like', { release: barometer, track: null, remove: false });
  for (const { api: other } of artists.slice(1)) await other.call('profile_show', { peer: null });
  await api.call('follow', { artist: artists[0].id, public: true, remove: false });
  await api.call('playlist', { command: 'create', title: 'Sunday, slowly' });
  const [{ playlist }] = (await api.call('playlist', { command: 'list', playlist: null })).playlists;
  const items = [[release, 1], [tapes, 2], [barometer, 3], [release, 4], [tapes, 4]].map(([id, track]) => ({ release: id, track }));
  await api.call('playlist', { command: 'add', playlist, items, at: null });
  await api.call('seed', { release: tapes, remove: false, job: null });
  for (const id of [tapes, barometer, release]) {
    await api.call('player', { command: 'play', items: [1, 2, 3].map((track) => ({ release: id, track })), start: 0 });
    await until('it plays', async () => (await api.call('player', { command: 'state' })).position_ms > 300);
  }
  await api.call('player', { command: 'seek', position_ms: 16_000 });
  await api.call('player', { command: 'pause' });
  return { release, playlist, artist: artists[0].id };
}

function places({ release, artist, playlist }) {
  return [
    ['home', '#/'], ['search', '#/search?q=t'], ['browse', '#/browse/new'], ['tag', '#/tag/ambient'], ['release', `#/release/${release}`],
    ['artist', `#/artist/${artist}`], ['playing', '#/playing'], ['library-saved', '#/library/saved'], ['library-playlists', '#/library/playlists'],
    ['library-downloads', '#/library/downloads'], ['library-files', '#/library/files'], ['library-history', '#/library/history'],
    ['playlist', `#/playlist/${playlist}`], ['studio', '#/studio'], ['settings', '#/settings'],
    ...['you', 'sound', 'network', 'storage', 'privacy', 'hidden', 'appearance', 'about'].map((part) => [`settings-${part}`, `#/settings/${part}`]),
  ];
}

/** The Studio with an album in it. */
async function prepare(page, look) {
  await go(page, '#/studio');
  await drop(page, await album(DRAFT));
  await page.getByLabel('Title of song 1').waitFor();
  await look(page, 'studio-draft');
  await go(page, '#/studio/preview');
  await look(page, 'studio-preview');
  await go(page, '#/studio/draft');
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.context().close();
}

async function welcome(page, look) {
  for (const [place, title] of ['What may we call you?', 'Who can see what', 'Find people to listen with'].entries()) {
    await page.getByRole('heading', { name: title }).waitFor();
    await look(page, `welcome-${place + 1}`);
    if (place < 2) await page.getByRole('button', { name: 'Continue' }).click();
  }
  await page.context().close();
}
