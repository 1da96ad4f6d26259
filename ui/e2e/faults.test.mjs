import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { ALL } from './world/api.mjs';
import { go, openWindow, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { drop } from './world/drop.mjs';
import { publish } from './world/publish.mjs';
import { album, song } from './world/songs.mjs';
import { story } from './world/steps.mjs';
import { PATIENCE_MS, until } from './world/until.mjs';

const TIDE = { artist: 'Marta Vos', title: 'Low Tide, High Fever', songs: ['Salt', 'The Harbour Clock'] };
const HOSTILE = {
  artist: '<script>alert(1)</script>',
  title: '<img src=x onerror=alert(2)> לילה 🎷',
  songs: ['"><svg onload=alert(3)>', '{{constructor.constructor("alert(4)")()}}'],
  description: '<iframe srcdoc="<script>alert(5)</script>"></iframe> javascript:alert(6)',
  tags: ['<b>bold</b>'],
};
const MANY = 10_000;

async function artist(test) {
  const node = await Daemon.start(test);
  await publish(node, { ...TIDE, files: await album(TIDE) });
  return node;
}

async function folder(test) {
  const path = await mkdtemp(join(tmpdir(), 'musicdao-drop-'));
  test.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Whether this machine lets us have a disk or a network of our own. */
function hasNamespaces() {
  return spawnSync('unshare', ['-rm', 'true']).status === 0;
}

test('a wrong token opens nothing, and the page says what to do', async (test) => {
  const node = await Daemon.start(test);
  const page = await openWindow(await startBrowser(test), `${node.origin}/#token=${'0'.repeat(64)}`);
  await page.getByRole('heading', { name: 'This link does not open MusicDAO' }).waitFor();
  assert.ok(!page.url().includes('token'), 'the token is not left in the address');
});

test('a foreign page is not let in, though it knows the token', async (test) => {
  const node = await Daemon.start(test);
  const { host } = new URL(node.origin);
  const knock = (token, headers) => new Promise((answer) => {
    const socket = new WebSocket(`ws://${host}/ws?token=${token}`, { headers });
    socket.on('unexpected-response', (_, response) => answer(response.statusCode));
    socket.on('open', () => (socket.close(), answer('open')));
  });
  assert.equal(await knock(node.token, {}), 'open');
  assert.equal(await knock('0'.repeat(64), {}), 401);
  assert.equal(await knock(node.token, { origin: 'http://evil.example' }), 403);
  assert.equal(await knock(node.token, { host: 'evil.example' }), 403);
});

test('names with markup, other directions and pictures are shown as text', async (test) => {
  const node = await Daemon.start(test);
  const hidden = { ...TIDE, title: 'Low \u202Etide', files: [song('machine_wars')] };
  await assert.rejects(publish(node, hidden), { code: 'record_body' }, 'what turns the text around is refused');
  const release = await publish(node, { ...HOSTILE, files: await album({ ...TIDE, songs: TIDE.songs }) });
  await node.api.call('tag', { release, track: null, tag: 'plain', remove: false });
  const browser = await startBrowser(test);
  for (const size of SIZES) {
    const page = await openWindow(browser, node.web, { size });
    for (const hash of ['#/', `#/release/${release}`, `#/artist/${node.id}`, `#/search?q=img`, '#/studio']) {
      await go(page, hash);
      const text = await until('the title shows', async () => {
        const shown = await page.evaluate(() => document.querySelector('main').innerText);
        return shown.includes('<img src=x onerror=alert(2)>') && shown;
      });
      assert.ok(text.includes('🎷'));
      const made = await page.evaluate(() => document.querySelectorAll('#app script, #app iframe, #app [onerror], #app [onload], #app img[src="x"]').length);
      assert.equal(made, 0, `${hash} made elements of a name`);
    }
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  }
});

test('without a sound card the page says so and stays of use', async (test) => {
  const node = await artist(test);
  const page = await openWindow(await startBrowser(test), node.web);
  await page.getByRole('main').getByRole('button', { name: 'Play', exact: true }).click();
  await page.getByText('No sound device was found.').first().waitFor();
  await go(page, '#/search?q=salt');
  await page.getByRole('region', { name: 'Songs' }).getByRole('button', { name: 'Play Salt' }).waitFor();
  await go(page, '#/');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await until('it is saved', async () => (await node.api.call('library', { command: 'list' })).saved.length === 1);
});

test('ten thousand files dropped at once are bounded and answered in words', async (test) => {
  const node = await artist(test);
  const path = await folder(test);
  const names = Array.from({ length: MANY }, (_, place) => join(path, `${place}.mp3`));
  for (let from = 0; from < MANY; from += 500) await Promise.all(names.slice(from, from + 500).map((name) => writeFile(name, 'no music')));
  const page = await openWindow(await startBrowser(test), node.web);
  await go(page, '#/studio');
  await drop(page, [path]);
  await page.getByText(/^Only the first [\d,]+ files are taken\.$/).waitFor();
  assert.ok((await page.getByRole('listitem').count()) < 200, 'only what is in sight is drawn');
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await page.getByRole('heading', { name: 'Drop your music here' }).waitFor();
});

test('a broken archive is named and does not stop the rest', async (test) => {
  const node = await artist(test);
  const path = await folder(test);
  const archive = join(path, 'album.zip');
  await writeFile(archive, Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(4096, 7)]));
  const page = await openWindow(await startBrowser(test), node.web);
  await go(page, '#/studio');
  await drop(page, [archive, song('machine_wars')]);
  await page.getByLabel('Title of song 1').waitFor();
  await page.getByText('1 file could not be used').click();
  await page.getByRole('listitem').filter({ hasText: 'album.zip' }).waitFor();
});

test('a publish goes on when its window is closed, and a new one shows it', async (test) => {
  const node = await artist(test);
  const browser = await startBrowser(test);
  const page = await openWindow(browser, node.web);
  await go(page, '#/studio');
  await drop(page, ['frontiers', 'machine_wars', 'time_to_strike'].map((name) => song(name, 'flac')));
  await page.getByLabel('Title', { exact: true }).first().waitFor();
  await page.getByLabel('Title', { exact: true }).first().fill('Closed Too Early');
  await page.getByLabel('Artist', { exact: true }).fill('Kilnhouse');
  await page.getByRole('radio', { name: /^CC BY 4/ }).check();
  await page.getByRole('checkbox', { name: /^I made this music/ }).check();
  // The socket carries the request before it closes.
  const sent = page.evaluate(() => new Promise((done) => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
      send.call(this, data);
      if (String(data).includes('"publish"')) done();
    };
  }));
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await sent;
  await page.close();
  const again = await openWindow(browser, node.web);
  await until('it is out', async () => (await node.api.call('releases', ALL)).releases.some(({ title }) => title === 'Closed Too Early'));
  await again.getByText('Closed Too Early').first().waitFor();
});

test('what is done in one window shows in the other', async (test) => {
  const node = await artist(test);
  const { id: other } = await Daemon.start(test);
  const browser = await startBrowser(test);
  const [one, two] = await Promise.all([0, 1].map(() => openWindow(browser, node.web)));
  const [{ release_id: release }] = (await node.api.call('releases', ALL)).releases;
  const step = story(test, two);
  const both = (hash) => Promise.all([one, two].map((page) => go(page, hash)));

  await step('likes and tags', async () => {
    await both(`#/release/${release}`);
    await one.getByRole('button', { name: 'Like', exact: true }).click();
    await two.getByText('1 like').waitFor();
    await two.getByRole('button', { name: 'Add a tag' }).click();
    await two.getByRole('textbox', { name: 'Add a tag' }).fill('shared');
    await two.keyboard.press('Enter');
    await one.getByRole('link', { name: 'shared' }).waitFor();
  });
  await step('saves', async () => {
    await go(two, '#/library/saved');
    await two.getByText('Nothing saved yet').waitFor();
    await one.getByRole('button', { name: 'Save', exact: true }).click();
    await two.getByRole('link', { name: TIDE.title }).first().waitFor();
    await one.getByRole('button', { name: 'Saved', exact: true }).click();
    await two.getByText('Nothing saved yet').waitFor();
  });
  await step('playlists', async () => {
    await go(two, '#/library/playlists');
    await go(one, '#/library/playlists');
    await one.getByLabel('Name of a new playlist').fill('Both sides');
    await one.getByRole('button', { name: 'Create' }).click();
    await two.getByRole('main').getByRole('link', { name: 'Both sides' }).first().click();
    await two.getByText('This playlist is empty').waitFor();
    const [{ playlist }] = (await node.api.call('playlist', { command: 'list', playlist: null })).playlists;
    await node.api.call('playlist', { command: 'add', playlist, items: [{ release, track: 1 }], at: null });
    await two.getByRole('button', { name: 'Play Salt' }).waitFor();
  });
  await step('hidden and blocked', async () => {
    await both('#/settings/hidden');
    await node.api.call('hide', { command: 'add', what: { tag: 'noise' } });
    await node.api.call('block', { command: 'add', id: other });
    for (const page of [one, two]) await page.getByRole('button', { name: 'Show again: noise' }).waitFor();
    await one.getByRole('button', { name: 'Show again: noise' }).click();
    await two.getByText('Nothing is hidden.').waitFor();
    const blocked = one.getByRole('list', { name: 'Blocked' });
    await blocked.waitFor();
    await two.getByRole('button', { name: /^Unblock: / }).first().click();
    await blocked.waitFor({ state: 'detached' });
  });
  await step('what is followed', async () => {
    await both(`#/artist/${other}`);
    await one.getByRole('button', { name: 'Follow', exact: true }).click();
    await two.getByRole('button', { name: 'Following' }).waitFor();
  });
});

test('a followed block list is shown with its keeper and can be left', async (test) => {
  const [keeper, reader] = await Promise.all([artist(test), Daemon.start(test)]);
  await keeper.api.call('block', { command: 'add', id: 'ab'.repeat(32) });
  const { shared: list } = await keeper.api.call('block', { command: 'share', name: 'Noise' });
  await reader.api.call('profile_set', { name: 'Ilse', bio: null, links: null, avatar: null });
  await reader.api.call('join', { invite: keeper.invite });
  const page = await openWindow(await startBrowser(test), reader.web);
  await go(page, '#/settings/hidden');
  const lists = page.getByRole('list', { name: 'Lists of others' });
  await until('the list has arrived', () => reader.api.call('block', { command: 'subscribe', list }).then(() => true, () => false));
  await reader.api.call('block', { command: 'unsubscribe', list });
  await page.getByLabel('Id of a list').fill(list);
  await page.getByRole('button', { name: 'Follow the list' }).click();
  await lists.getByText('Noise').waitFor();
  await lists.getByRole('link', { name: TIDE.artist }).waitFor();
  await lists.getByText('3 entries').waitFor();
  await page.getByRole('button', { name: 'Unfollow: Noise' }).click();
  await lists.waitFor({ state: 'detached' });
  await page.getByText('Nobody and nothing is blocked.').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await lists.getByText('Noise').waitFor();
});

test('a request that the node does not know is refused by its own id', async (test) => {
  const node = await Daemon.start(test);
  await assert.rejects(node.api.call('dance'), { code: 'bad_request' });
  await assert.rejects(node.api.call('show', { release: 7 }), { code: 'bad_request' });
  assert.ok(await node.api.call('status'), 'the socket goes on');
});

test('a node that hangs is said to, and what it missed comes when it goes on', async (test) => {
  const node = await artist(test);
  const page = await openWindow(await startBrowser(test), node.web);
  await page.getByRole('button', { name: 'Save', exact: true }).waitFor();
  node.hang(true);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('MusicDAO did not answer.').first().waitFor({ timeout: 3 * PATIENCE_MS });
  node.hang(false);
  await until('it is saved after all', async () => (await node.api.call('library', { command: 'list' })).saved.length === 1);
  await page.getByRole('button', { name: 'Save', exact: true }).waitFor({ state: 'detached' });
});

test('a full disk is said in words, and what is there stays', { skip: !hasNamespaces() }, async (test) => {
  const node = await Daemon.start(test, { disk: '24m' });
  await publish(node, { ...TIDE, files: [song('machine_wars')] });
  const page = await openWindow(await startBrowser(test), node.web);
  await go(page, '#/studio');
  await drop(page, [song('frontiers', 'wav')]);
  await page.getByText('The disk is full.').first().waitFor();
  await page.getByText('Free some space').first().waitFor();
  await page.getByRole('heading', { name: 'Drop your music here' }).waitFor();
  await go(page, '#/');
  await page.getByRole('heading', { name: TIDE.title }).waitFor();
  assert.equal((await node.api.call('releases', ALL)).total, 1);
});
