/** A machine without any network: the app starts, says so, and plays what is there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { go, openWindow, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { publish } from './world/publish.mjs';
import { album } from './world/songs.mjs';

const INSIDE = 'MUSICDAO_E2E_OFFLINE';
const TIDE = { artist: 'Marta Vos', title: 'Low Tide, High Fever', songs: ['Salt', 'The Harbour Clock'] };

if (process.env[INSIDE]) {
  test('without a network the app says so and stays of use', async (test) => {
    // It looks for others as it does by default, and there is nobody and nothing to ask.
    const node = await Daemon.start(test, { alone: false });
    await publish(node, { ...TIDE, files: await album(TIDE) });
    const browser = await startBrowser(test);
    for (const size of SIZES) {
      const page = await openWindow(browser, node.web, { size });
      await page.getByText('No network: what is on this device plays').first().waitFor();
      await page.getByRole('heading', { name: TIDE.title }).waitFor();
      await go(page, '#/search?q=harbour');
      await page.getByRole('button', { name: 'Play The Harbour Clock' }).waitFor();
      await go(page, '#/settings/network');
      await page.getByRole('main').getByText('No network: what is on this device plays').waitFor();
      await go(page, '#/');
      await page.getByRole('main').getByRole('button', { name: 'Play', exact: true }).click();
      // There is no sound card, either; that the song was found on this disk is what counts.
      await page.getByText('No sound device was found.').first().waitFor();
      assert.deepEqual(page.complaints, []);
      await page.context().close();
    }
  });
} else {
  const inside = ['-rn', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', process.execPath, '--test', import.meta.filename];
  const skip = spawnSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up']).status !== 0;
  test('without a network, in a namespace that has none', { skip }, () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync('unshare', inside, { env: { ...env, [INSIDE]: '1' }, encoding: 'utf8' });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
}
