import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWindow, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { publish } from './world/publish.mjs';
import { album } from './world/songs.mjs';
import { story } from './world/steps.mjs';

const TIDE = { artist: 'Marta Vos', title: 'Low Tide, High Fever', songs: ['Salt', 'The Harbour Clock'] };

test('somebody new gets from a friend’s link to music', async (test) => {
  const artist = await Daemon.start(test);
  await publish(artist, { ...TIDE, files: await album(TIDE) });
  const browser = await startBrowser(test);

  for (const size of SIZES) {
    await test.test(size.name, async (test) => {
      const newcomer = await Daemon.start(test);
      const page = await openWindow(browser, newcomer.web, { size });
      const step = story(test, page);

      await step('three steps', async () => {
        await page.getByLabel('Your name').fill('Ilse');
        await page.getByRole('button', { name: 'Continue' }).click();
        await page.getByRole('heading', { name: 'Who can see what' }).waitFor();
        await page.getByRole('button', { name: 'Continue' }).click();
        await page.getByLabel('Invite', { exact: true }).fill(artist.invite);
        await page.getByRole('button', { name: 'Join', exact: true }).click();
        await page.getByText('1 person is connected.').waitFor();
        await page.getByRole('button', { name: 'Go to the music' }).click();
      });

      await step('end at music', async () => {
        await page.getByRole('heading', { name: TIDE.title }).first().waitFor();
        const { name, fresh } = await newcomer.api.call('status');
        assert.deepEqual({ name, fresh }, { name: 'Ilse', fresh: false });
      });

      await step('and are not asked for again', async () => {
        await page.reload();
        await page.getByRole('heading', { name: TIDE.title }).first().waitFor();
        assert.equal(await page.getByRole('button', { name: 'Continue' }).count(), 0);
        assert.deepEqual(page.complaints, []);
      });
    });
  }
});
