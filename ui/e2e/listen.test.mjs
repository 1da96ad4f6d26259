import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advances, go, openWindow, position, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { publish } from './world/publish.mjs';
import { album, song } from './world/songs.mjs';
import { SoundServer } from './world/sound.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';

const ENGINES = { artist: 'Kilnhouse', title: 'Engines at Dusk', files: ['time_to_strike', 'machine_wars', 'frontiers'].map((name) => song(name)), tags: ['instrumental'] };
const TIDE = { artist: 'Marta Vos', title: 'Low Tide, High Fever', songs: ['Salt', 'The Harbour Clock', 'Undertow'] };

/** The queue as it is shown, in the order of the places. */
function titles(page) {
  return page.getByRole('list', { name: 'Queue' }).locator('li').evaluateAll((rows) =>
    rows.sort((a, b) => a.dataset.index - b.dataset.index).map((row) => row.querySelector('button.title').lastChild.textContent.trim()));
}

for (const size of SIZES) {
  test(`an evening with other people’s music, ${size.name}`, async (test) => {
    const sound = await SoundServer.start(test);
    const [kiln, marta, listener] = await Promise.all([Daemon.start(test), Daemon.start(test), Daemon.start(test, { sound })]);
    const engines = await publish(kiln, ENGINES);
    await publish(marta, { ...TIDE, files: await album(TIDE) });
    await listener.api.call('profile_set', { name: 'Ilse', bio: null, links: null, avatar: null });
    for (const { invite } of [kiln, marta]) await listener.api.call('join', { invite });
    const browser = await startBrowser(test);
    const page = await openWindow(browser, listener.web, { size });
    const phone = size.name === 'phone';
    const step = story(test, page);

    await step('search finds it', async () => {
      await page.getByRole('link', { name: 'Search' }).click();
      await page.getByRole('searchbox').fill('engin');
      await page.getByRole('region', { name: 'Releases' }).getByRole('link', { name: ENGINES.title }).click();
      await page.getByRole('heading', { name: ENGINES.title }).waitFor();
    });

    await step('it plays and is heard', async () => {
      await page.getByRole('main').getByRole('button', { name: 'Play', exact: true }).click();
      await sound.isHeard();
      // On the phone the whole bar leads there, above its own link.
      if (phone) await page.getByRole('link', { name: 'Open now playing' }).click({ force: true });
      await advances(page);
    });

    await step('the waveform seeks', async () => {
      const wave = page.getByRole('slider', { name: 'Place in the track' }).first();
      const length = Number(await wave.getAttribute('aria-valuemax'));
      const { width, height } = await wave.boundingBox();
      await wave.click({ position: { x: width / 2, y: height / 2 } });
      await until('it goes on from the middle', async () => Math.abs((await position(page)) - length / 2) < length / 8);
      await sound.isHeard();
      const told = await listener.api.call('player', { command: 'state' });
      assert.ok(told.position_ms > length * 400, `the node is at ${told.position_ms} ms`);
    });

    await step('the queue is put in another order, by key and by hand', async () => {
      await page.getByRole('button', { name: 'Queue' }).first().click();
      await until('the queue shows', async () => (await titles(page)).length === 3);
      const [first, second, third] = await titles(page);
      await page.getByRole('button', { name: /^Move / }).nth(2).focus();
      await page.keyboard.press('ArrowUp');
      const moved = [first, third, second].join();
      await until('the third song comes second', async () => (await titles(page)).join() === moved);
      await dragGrip(page, 2, 1);
      const back = [first, second, third].join();
      await until('the drag puts it back', async () => (await titles(page)).join() === back);
      await until('the node agrees', async () => {
        const { entries } = await listener.api.call('queue', { offset: 0, limit: 10 });
        return entries.map(({ title }) => title).join() === back;
      });
    });

    await step('it is tagged, liked, saved and put on a playlist', async () => {
      await go(page, `#/release/${engines}`);
      await page.getByRole('button', { name: 'Add a tag' }).click();
      await page.getByRole('textbox', { name: 'Add a tag' }).fill('late train');
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.getByRole('link', { name: 'late-train' }).waitFor();
      await page.getByRole('button', { name: 'Like', exact: true }).click();
      await page.getByText('1 like').waitFor();
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByRole('button', { name: 'Saved', exact: true }).waitFor();
      await page.getByRole('button', { name: `More for ${ENGINES.title}` }).click();
      await page.getByRole('menuitem', { name: 'Add to playlist' }).click();
      await page.getByLabel('Name of a new playlist').fill('For the night train');
      await page.getByRole('button', { name: 'Create' }).click();
      await page.getByText('is in For the night train').waitFor();
      await until('the artist sees the like', async () => (await kiln.api.call('show', { release: engines })).likes === 1);
    });

    await step('the node restarts under the page and all is there', async () => {
      await listener.stop('SIGKILL');
      await page.getByText('The connection to MusicDAO was lost').waitFor();
      await listener.start();
      await page.getByText('The connection to MusicDAO was lost').waitFor({ state: 'detached' });
      await go(page, '#/library/saved');
      await page.getByRole('link', { name: ENGINES.title }).first().waitFor();
      await go(page, '#/library/playlists');
      await page.getByRole('link', { name: 'For the night train' }).first().click();
      await until('its songs are listed', async () => (await page.getByRole('main').locator('button.title').count()) === 3);
      await go(page, `#/release/${engines}`);
      await page.getByRole('link', { name: 'late-train' }).waitFor();
      await page.getByRole('button', { name: 'Saved', exact: true }).waitFor();
      assert.equal(await page.getByRole('button', { name: 'Like', exact: true }).getAttribute('aria-pressed'), 'true');
      await page.getByRole('main').getByRole('button', { name: /^(Play|Pause)$/ }).first().click();
      await sound.isHeard();
    });
  });
}

/** Drags a row of the queue by its grip to another row's place. */
async function dragGrip(page, from, to) {
  const grips = page.getByRole('button', { name: /^Move / });
  const [start, end] = await Promise.all([from, to].map((place) => grips.nth(place).boundingBox()));
  const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
  await page.mouse.move(...middle(start));
  await page.mouse.down();
  await page.mouse.move(...middle(end), { steps: 8 });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await page.mouse.up();
}
