import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advances, go, openWindow, SIZES, startBrowser } from './world/browser.mjs';
import { ALL } from './world/api.mjs';
import { Daemon } from './world/daemon.mjs';
import { drop } from './world/drop.mjs';
import { song } from './world/songs.mjs';
import { SoundServer } from './world/sound.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';

const SONGS = ['time_to_strike.mp3', 'machine_wars.ogg', 'frontiers.opus'];

for (const size of SIZES) {
  test(`an album goes from one browser into the other, ${size.name}`, async (test) => {
    const sound = await SoundServer.start(test);
    const [artist, listener] = await Promise.all([Daemon.start(test), Daemon.start(test, { sound })]);
    await artist.api.call('profile_set', { name: 'Kilnhouse', bio: null, links: null, avatar: null });
    await listener.api.call('profile_set', { name: 'Ilse', bio: null, links: null, avatar: null });
    await listener.api.call('join', { invite: artist.invite });
    const browser = await startBrowser(test);
    const studio = await openWindow(browser, artist.web, { size });
    const room = await openWindow(browser, listener.web, { size });
    const step = story(test, studio);

    await step('files dropped on the window become a draft', async () => {
      await go(studio, '#/studio');
      await drop(studio, SONGS.map((name) => song(...name.split('.'))));
      await studio.getByLabel('Title', { exact: true }).first().waitFor();
      assert.equal(await studio.getByLabel(/^Title of song/).count(), 3);
    });

    await step('what is missing is said in words', async () => {
      await studio.getByLabel('Title', { exact: true }).first().fill('');
      await studio.getByRole('button', { name: 'Publish', exact: true }).click();
      await studio.getByText('It needs a title.').waitFor();
      await studio.getByText('Say that you may publish it.').waitFor();
    });

    await step('it is edited, previewed and published', async () => {
      await studio.getByLabel('Title', { exact: true }).first().fill('Engines at Dusk');
      await studio.getByLabel('Artist', { exact: true }).fill('Kilnhouse');
      await studio.getByLabel('Title of song 1').fill('Strike the Hour');
      await studio.getByRole('radio', { name: /^CC BY 4/ }).check();
      await studio.getByRole('checkbox', { name: /^I made this music/ }).check();
      await studio.getByRole('link', { name: 'Preview' }).click();
      await studio.getByRole('link', { name: 'Back to editing' }).waitFor();
      await studio.getByText('Strike the Hour').waitFor();
      await studio.getByRole('button', { name: 'Publish', exact: true }).click();
      await studio.getByText('It is out').waitFor();
    });

    await step('the other browser shows it by itself and plays it', async () => {
      await room.getByRole('heading', { name: 'Engines at Dusk' }).first().click();
      await room.getByText('Strike the Hour').first().waitFor();
      await room.getByRole('main').getByRole('button', { name: 'Play', exact: true }).click();
      await sound.isHeard();
      await go(room, '#/playing');
      await advances(room);
    });

    await step('it is withdrawn, and gone for the other', async () => {
      const [{ release_id }] = (await listener.api.call('releases', ALL)).releases;
      await go(studio, '#/studio');
      await studio.getByRole('button', { name: 'More for Engines at Dusk' }).click();
      await studio.getByRole('menuitem', { name: 'Withdraw' }).click();
      await until('nobody has it any more', async () => (await listener.api.call('releases', ALL)).total === 0);
      await assert.rejects(listener.api.call('show', { release: release_id }));
      assert.deepEqual([...studio.complaints, ...room.complaints], []);
    });
  });
}
