import assert from 'node:assert/strict';
import { test } from 'node:test';
import { go, openWindow, PHONE, settled, startBrowser } from './world/browser.mjs';
import { ALL } from './world/api.mjs';
import { Daemon } from './world/daemon.mjs';
import { publish } from './world/publish.mjs';
import { album } from './world/songs.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';

const TIDE = { artist: 'Marta Vos', title: 'Low Tide, High Fever', songs: ['Salt', 'The Harbour Clock'] };
const WORD = 'אבגדהוזחטי';
/** 200 letters without a place to break, from right to left, that begin like markup. */
const LONG = `<b>${WORD.repeat(20)}`.slice(0, 200);

test('what one does not want is hidden, reported and blocked, and all of it is taken back', async (test) => {
  const [artist, listener] = await Promise.all([Daemon.start(test), Daemon.start(test)]);
  const release = await publish(artist, { ...TIDE, files: await album(TIDE) });
  await listener.api.call('profile_set', { name: 'Ilse', bio: null, links: null, avatar: null });
  await listener.api.call('join', { invite: artist.invite });
  await until('it has arrived', async () => (await listener.api.call('releases', ALL)).total === 1);
  const page = await openWindow(await startBrowser(test), listener.web);
  const step = story(test, page);
  const choose = async (of, entry) => {
    await page.getByRole('main').getByRole('button', { name: `More for ${of}` }).click();
    await page.getByRole('menuitem', { name: entry }).click();
  };
  const hidden = async () => (await listener.api.call('hide', { command: 'list' })).hidden.length;
  const blocked = async () => (await listener.api.call('block', { command: 'list' })).blocked.length;
  const queued = async () => (await listener.api.call('player', { command: 'state' })).queue_length;

  await step('hidden', async () => {
    await go(page, `#/release/${release}`);
    await choose(TIDE.title, 'Hide');
    await until('it is hidden', async () => (await hidden()) === 1);
    await page.getByRole('button', { name: 'Undo' }).click();
    await until('it is shown again', async () => (await hidden()) === 0);
  });

  await step('reported', async () => {
    await choose(TIDE.title, 'Report to followers');
    await page.getByRole('radio', { name: 'it only wants attention' }).check();
    await page.getByRole('dialog').getByRole('button', { name: 'Report', exact: true }).click();
    const reports = page.getByRole('complementary', { name: 'Reports by people you follow' });
    await reports.getByText('Reported by you: it only wants attention').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await reports.waitFor({ state: 'detached' });
  });

  await step('a release blocked: it says so, and is heard no more', async () => {
    await listener.api.call('player', { command: 'output', device: 'null' });
    await listener.api.call('player', { command: 'play', items: [1, 2].map((track) => ({ release, track })), start: 0 });
    assert.equal(await queued(), 2);
    await choose(TIDE.title, /^Block$/);
    await page.getByText('You blocked this').waitFor();
    await until('the queue is empty', async () => (await queued()) === 0);
    await page.getByRole('main').getByRole('button', { name: 'Unblock' }).click();
    await until('nothing is blocked', async () => (await blocked()) === 0);
    await page.getByRole('main').getByRole('button', { name: 'Play', exact: true }).waitFor();
  });

  await step('an artist blocked', async () => {
    await go(page, `#/artist/${artist.id}`);
    await listener.api.call('player', { command: 'play', items: [{ release, track: 1 }], start: 0 });
    await choose(TIDE.artist, 'Block this artist');
    await page.getByText('You blocked this').waitFor();
    assert.equal(await page.getByRole('main').getByRole('button', { name: /Follow|Support/ }).count(), 0);
    await until('the queue is empty', async () => (await queued()) === 0);
    await page.getByRole('main').getByRole('button', { name: 'Unblock' }).click();
    await page.getByRole('button', { name: 'Follow', exact: true }).waitFor();
    assert.deepEqual(page.complaints, []);
  });
});

test('on a phone, in Dutch, with the longest names: nothing is wider than the screen', async (test) => {
  const [artist, listener] = await Promise.all([Daemon.start(test), Daemon.start(test)]);
  const credit = { name: LONG.slice(0, 100), role: WORD, peer_id: null };
  const links = ['https://example.org/', 'https://example.org/'];
  await artist.api.call('profile_set', { name: LONG.slice(0, 100), bio: LONG, links, avatar: null });
  const { release_id: release } = await artist.api.call('publish', {
    paths: await album(TIDE), title: LONG, artist: LONG, license: 'CC-BY-4.0', date: '2026', tags: ['folk'], cover: null, job: null,
    description: LONG, collaborators: [credit, credit], rights_declared: true,
  });
  await listener.api.call('profile_set', { name: 'Ilse', bio: null, links: null, avatar: null });
  await listener.api.call('join', { invite: artist.invite });
  await until('it has arrived', async () => (await listener.api.call('releases', ALL)).total === 1);
  const page = await openWindow(await startBrowser(test), listener.web, { size: PHONE, locale: 'nl-NL' });
  const step = story(test, page);
  const wide = () => page.evaluate(() => Math.max(document.documentElement.scrollWidth - innerWidth, document.querySelector('main').scrollWidth - innerWidth));

  await step('every screen fits', async () => {
    for (const hash of ['#/', `#/release/${release}`, `#/artist/${artist.id}`, '#/search?q=folk', '#/library', '#/studio', '#/settings']) {
      await go(page, hash);
      assert.ok((await wide()) <= 0, `${hash} is ${await wide()} pixels too wide`);
    }
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'nl');
  });

  await step('what is written twice shows twice, and a title takes four lines', async () => {
    await go(page, `#/release/${release}`);
    assert.equal(await page.getByText(credit.role, { exact: true }).count(), 2);
    const lines = await page.getByRole('heading', { level: 1 }).evaluate((title) => title.clientHeight / Number.parseFloat(getComputedStyle(title).lineHeight));
    assert.ok(lines < 4.5, `${lines} lines`);
    await go(page, `#/artist/${artist.id}`);
    assert.equal(await page.getByRole('link', { name: links[0] }).count(), 2);
  });

  await step('the tabs keep clear of each other and of the edge', async () => {
    const gaps = await page.getByRole('navigation').last().evaluate((nav) => {
      const words = [...nav.querySelectorAll('a span')].map((word) => word.getBoundingClientRect());
      return words.map((word, place) => (words[place + 1]?.left ?? innerWidth) - word.right);
    });
    assert.ok(Math.min(...gaps) >= 6, `gaps: ${gaps}`);
  });

  await step('a message keeps clear of the dialog', async () => {
    await go(page, `#/release/${release}`);
    await page.getByRole('button', { name: 'Bewaren', exact: true }).click();
    const message = page.locator('.toast');
    await message.waitFor();
    await page.getByRole('button', { name: 'Delen', exact: true }).click();
    await page.getByRole('dialog').waitFor();
    const [above, dialog] = await Promise.all([message.boundingBox(), page.getByRole('dialog').boundingBox()]);
    assert.ok(above.y + above.height <= dialog.y, JSON.stringify([above, dialog]));
    await page.keyboard.press('Escape');
  });

  await step('what is hidden fits in Settings', async () => {
    await listener.api.call('hide', { command: 'add', what: { release } });
    await go(page, '#/settings/hidden');
    await page.getByRole('list', { name: 'Verborgen' }).getByText(LONG.slice(0, 20)).waitFor();
    await settled(page);
    assert.ok((await wide()) <= 0, `${await wide()} pixels too wide`);
    assert.deepEqual(page.complaints, []);
  });
});
