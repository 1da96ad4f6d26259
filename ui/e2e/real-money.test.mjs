/** Bitcoin itself: chosen by who was warned, and capped. Nothing here reaches it: the way to it is a proxy that is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api } from './world/api.mjs';
import { go, openWindow, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { examine } from './world/examine.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';

const NOWHERE = '127.0.0.1:9';

test('real money is chosen with open eyes, and is capped', async (test) => {
  const daemon = await Daemon.start(test, { settings: `network = "regtest"\nbitcoin_proxy = "${NOWHERE}"\n` });
  const browser = await startBrowser(test);
  const page = await openWindow(browser, daemon.web);
  const step = story(test, page);

  await step('it takes a warning that is read', async () => {
    await go(page, '#/settings/bitcoin');
    const network = page.getByRole('combobox', { name: 'Network' });
    await network.selectOption('Real money');
    await page.getByText('MusicDAO is young and nobody has audited it.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Use real money' }).isDisabled(), true);
    await page.keyboard.press('Escape');
    assert.equal((await daemon.api.call('config_get', { key: null })).config.network, 'regtest');
    await network.selectOption('Real money');
    await page.getByRole('checkbox', { name: 'I understand, and use only what I can lose' }).check();
    await page.getByRole('button', { name: 'Use real money' }).click();
    // The node begins anew for it, so that the socket of before may be gone.
    await until('it is chosen', async () => (await chosen(daemon.web).catch(() => '')) === 'mainnet');
  });

  await step('the wallet says so, and what it pays at most', async () => {
    await daemon.stop();
    await daemon.start();
    assert.equal((await daemon.api.call('config_get', { key: null })).config.bitcoin_proxy, NOWHERE);
    for (const size of SIZES) {
      const window = await openWindow(browser, daemon.web, { size, bypassCSP: true });
      await go(window, '#/wallet');
      await window.getByText('Real money').waitFor();
      await window.getByText(/^One payment is at most 1,000,000.sats in this version\.$/).waitFor();
      await examine(window, { name: 'wallet-mainnet', size, theme: 'dark' });
      await go(window, '#/settings/bitcoin');
      await window.getByText('Bitcoin itself. What is paid is paid.').waitFor();
      await window.context().close();
    }
    assert.equal((await daemon.api.call('wallet', { command: 'status' })).network, 'mainnet');
  });
});

/** The network that the settings name. */
async function chosen(web) {
  const api = await Api.open(web);
  const { config: { network } } = await api.call('config_get', { key: null }).finally(() => api.close());
  return network;
}
