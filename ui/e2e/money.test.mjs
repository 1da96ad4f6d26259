/** Money from listener to artist and back, in two browsers, over daemons and a Bitcoin node that are real. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL } from './world/api.mjs';
import { Bitcoin } from './world/bitcoin.mjs';
import { DESKTOP, go, openWindow, PHONE, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { examine } from './world/examine.mjs';
import { publish } from './world/publish.mjs';
import { album } from './world/songs.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';

const TIDE = { artist: 'Marta Vos', title: 'Low Tide, High Fever', songs: ['Salt', 'The Harbour Clock'] };
const PASSPHRASE = 'eleven days in March';
const GOAL = 1_000_000;

test('a listener pays an artist, and is paid back', async (test) => {
  const bitcoin = await Bitcoin.start(test);
  const settings = `network = "regtest"\nbitcoin_peers = ["${bitcoin.address}"]\n`;
  const [artist, listener] = await Promise.all([Daemon.start(test, { settings }), Daemon.start(test, { settings })]);
  const release = await publish(artist, { ...TIDE, files: await album(TIDE) });
  await listener.api.call('profile_set', { name: 'Ilse', bio: null, links: null, avatar: null });
  await listener.api.call('join', { invite: artist.invite });
  await until('the record is known', async () => (await listener.api.call('releases', ALL)).total === 1);
  const browser = await startBrowser(test);
  const [page, hers] = [await openWindow(browser, listener.web, { size: DESKTOP }), await openWindow(browser, artist.web, { size: PHONE })];
  const step = story(test, page);
  const money = (daemon, command) => daemon.api.call('money', command);
  const balance = async (daemon) => (await daemon.api.call('wallet', { command: 'status' })).confirmed_sat;
  const height = () => bitcoin.rpc('getblockcount');
  const both = async (count) => {
    await bitcoin.mine(count);
    const tip = await height();
    for (const { api } of [artist, listener]) await until('the block is seen', async () => (await api.call('wallet', { command: 'status' })).height >= tip);
  };

  await step('each makes a wallet, and shows to have the words', async () => {
    for (const window of [page, hers]) {
      await makeWallet(window);
      await window.getByRole('link', { name: 'Receive' }).first().waitFor();
    }
    assert.equal((await listener.api.call('wallet', { command: 'status' })).words_confirmed, true);
  });

  await step('coins come in, first on the way, then there', async () => {
    await page.getByRole('link', { name: 'Receive' }).first().click();
    const address = await page.locator('[data-address]').textContent();
    await bitcoin.fund(address);
    await go(page, '#/wallet');
    await page.getByLabel(/^Balance: 5,000,000,000/).waitFor();
    await page.getByText(/^Up to date/).waitFor();
    await page.getByRole('button', { name: /^Received/ }).waitFor();
  });

  await step('some are sent, after the total was shown', async () => {
    const { address } = await artist.api.call('wallet', { command: 'address', label: null, amount_sat: null });
    await page.getByRole('link', { name: 'Send' }).click();
    await page.getByRole('textbox', { name: 'To' }).fill(address);
    await page.getByRole('textbox', { name: 'Amount' }).fill('250 000');
    await page.getByRole('button', { name: 'Look it over' }).click();
    await page.getByText('In all').waitFor();
    await page.getByRole('button', { name: /^Send 250,000/ }).click();
    await page.getByText('Sent. It waits for a block.').waitFor();
    await bitcoin.pending(1);
    await go(hers, '#/wallet');
    await hers.getByText(/^250,000.sats on the way$/).waitFor();
    await both(1);
    await hers.getByLabel(/^Balance: 250,000/).waitFor();
    await hers.getByText('In a block, 1 of 6').waitFor();
  });

  await step('an address of another network is refused in words', async () => {
    await go(page, '#/wallet/send');
    await page.getByRole('textbox', { name: 'To' }).fill('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4');
    await page.getByText('This address is of another Bitcoin network.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Look it over' }).isDisabled(), true);
  });

  await step('a tip takes three presses, and is answered', async () => {
    await go(page, `#/release/${release}`);
    await page.getByRole('main').getByRole('button', { name: 'Support Marta Vos' }).click();
    await page.getByRole('button', { name: /^21,000/ }).click();
    await page.getByRole('button', { name: /^Give 21,000/ }).click();
    await page.getByText('Marta Vos gets your tip. Thank you!').waitFor();
    await bitcoin.pending(1);
    await both(1);
    await go(hers, '#/studio/money');
    await hers.getByRole('button', { name: 'Say thanks: Ilse' }).click();
    await hers.getByRole('textbox', { name: /^Your answer/ }).fill('You made my evening');
    await hers.getByRole('button', { name: 'Say thanks', exact: true }).click();
    await go(page, '#/wallet/tips');
    await page.getByText('“You made my evening”').waitFor();
  });

  await step('the artist makes an offer and sees how it would split', async () => {
    await go(hers, '#/studio/money/offer');
    await hers.getByRole('textbox', { name: 'What it is for' }).fill('The second album');
    await hers.getByRole('textbox', { name: 'How much you need' }).fill(String(GOAL));
    await hers.getByRole('columnheader', { name: 'To investors' }).waitFor();
    await hers.getByRole('button', { name: 'Publish the offer' }).click();
    await hers.getByRole('heading', { name: 'The second album' }).waitFor();
  });

  await step('the listener invests, told that all of it can be lost', async () => {
    await go(page, `#/artist/${artist.id}`);
    await page.getByRole('button', { name: 'Invest' }).click();
    await page.getByText('You can lose all of it.').waitFor();
    await page.getByRole('textbox', { name: 'Amount' }).fill(String(GOAL));
    await page.getByRole('checkbox', { name: 'I can afford to lose it' }).check();
    await page.getByRole('button', { name: /^Invest 1,000,000/ }).click();
    await page.getByText('You invested in Marta Vos.').waitFor();
    await bitcoin.pending(1);
    await both(1);
    await go(page, '#/wallet/notes');
    await page.getByText('Earning').waitFor();
    await go(hers, '#/studio/money');
    await hers.getByRole('progressbar', { name: 'Paid back: Ilse' }).waitFor();
  });

  await step('income comes, and is shared in one payment with every line in sight', async () => {
    await money(listener, { command: 'tip', artist: artist.id, release: null, amount_sat: 500_000, memo: null, pay: { fee: { speed: 'fast' }, passphrase: PASSPHRASE } });
    await bitcoin.pending(1);
    await both(1);
    const [{ owed_sat: owed }] = (await until('it is owed', async () => {
      const { offers } = await money(artist, { command: 'offers', artist: artist.id });
      return offers[0].owed_sat && offers;
    }));
    assert.equal(owed, 100_000, 'a fifth of the income');
    const before = await balance(listener);
    await hers.getByRole('link', { name: 'Pay back' }).click();
    await hers.getByRole('listitem').getByText('Ilse').waitFor();
    await hers.getByRole('button', { name: /^Pay out 100,000/ }).click();
    await hers.getByText('Paid out. Everybody sees it arrive.').waitFor();
    await bitcoin.pending(1);
    await both(1);
    await until('it arrives', async () => (await balance(listener)) === before + owed);
    await page.getByText(/^100,000.sats of at most 1,500,000/).first().waitFor();
  });

  await step('anybody can check the books', async () => {
    await go(page, `#/artist/${artist.id}`);
    await page.getByRole('button', { name: 'Check the books' }).click();
    await page.getByRole('cell', { name: /^100,000/ }).waitFor();
    await page.keyboard.press('Escape');
    assert.deepEqual([...page.complaints, ...hers.complaints], []);
  });

  await step('all of it is there after a power cut', async () => {
    await listener.stop('SIGKILL');
    await page.getByText('The connection to MusicDAO was lost').waitFor();
    await listener.start();
    await page.getByText('The connection to MusicDAO was lost').waitFor({ state: 'detached' });
    await go(page, '#/wallet/notes');
    await page.getByText(/^100,000.sats of at most 1,500,000/).first().waitFor();
    await page.getByRole('button', { name: 'Unlock' }).waitFor();
  });

  await step('every screen of money can be read and used by everybody', async (test) => {
    const newcomer = await Daemon.start(test, { settings });
    const { offers: [{ offer_id: offer }] } = await money(artist, { command: 'offers', artist: artist.id });
    for (const size of SIZES) {
      for (const theme of ['dark', 'light']) {
        const open = (link) => openWindow(browser, link, { size, theme, bypassCSP: true });
        const look = (window, name) => examine(window, { name, size, theme });
        const [his, studio, fresh] = [await open(listener.web), await open(artist.web), await open(newcomer.web)];
        for (const part of ['history', 'receive', 'send', 'notes', 'tips', 'coins', 'safety']) {
          await go(his, `#/wallet/${part}`);
          await look(his, `wallet-${part}`);
        }
        await go(his, '#/settings/bitcoin');
        await look(his, 'settings-bitcoin');
        await go(his, `#/artist/${artist.id}`);
        await his.getByRole('main').getByRole('button', { name: 'Support Marta Vos' }).click();
        await his.getByRole('button', { name: /^Give / }).waitFor();
        await look(his, 'support');
        for (const part of ['money', 'money/offer', `money/payout/${offer}`]) {
          await go(studio, `#/studio/${part}`);
          await look(studio, `studio-${part.split('/').slice(0, 2).join('-')}`);
        }
        await go(fresh, '#/wallet');
        await look(fresh, 'wallet-setup');
        for (const window of [his, studio, fresh]) await window.context().close();
      }
    }
  });
});

async function makeWallet(page) {
  await go(page, '#/wallet');
  await page.getByLabel('Passphrase for this device').fill(PASSPHRASE);
  await page.getByLabel('Passphrase again').fill(PASSPHRASE);
  await page.getByRole('button', { name: 'Show me the words' }).click();
  await page.locator('[data-word]').first().waitFor();
  const words = await page.locator('[data-word]').allTextContents();
  assert.equal(words.length, 24);
  await page.getByRole('button', { name: 'I wrote them down' }).click();
  for (let asked = 0; asked < 3; asked += 1) {
    const question = page.getByText(/^Which is word \d+\?$/);
    const place = Number(/\d+/.exec(await question.textContent())[0]);
    await page.getByRole('button', { name: words[place - 1], exact: true }).click();
    await page.getByText(`Which is word ${place}?`, { exact: true }).waitFor({ state: 'detached' });
  }
}
