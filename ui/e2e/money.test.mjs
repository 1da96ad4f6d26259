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
import { makeWallet, PASSPHRASE } from './world/wallet.mjs';

const TIDE = { artist: 'Marta Vos', title: 'Low Tide, High Fever', songs: ['Salt', 'The Harbour Clock'] };
/** How many days ago, how much, with what word. */
const TIPS = [[12, 80_000, 'For the gulls'], [11, 210_000, null], [9, 120_000, 'On repeat since Tuesday'], [6, 340_000, null], [4, 150_000, null], [2, 260_000, 'See you in Vlissingen!']];
/** Blocks after which most of the last eleven are new. */
const MEDIAN = 6;
const GOAL = 1_000_000;
const PRESENT = 25_000;

test('a listener pays an artist, and is paid back', async (test) => {
  const bitcoin = await Bitcoin.start(test, { at: ago(14) });
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
    await makeWallet(page, { slip: true });
    await makeWallet(hers);
    assert.equal((await listener.api.call('wallet', { command: 'status' })).words_confirmed, true);
  });

  await step('coins come in, first on the way, then there', async () => {
    await page.getByRole('link', { name: 'Receive' }).first().click();
    const address = await page.locator('[data-address]').textContent();
    await bitcoin.offer({ [address]: 5_000_000 });
    await go(page, '#/wallet');
    await page.getByText(/^5,000,000.sats on the way$/).waitFor();
    await both(1);
    await page.getByLabel(/^Balance: 5,000,000/).waitFor();
    await page.getByText(/^Up to date/).waitFor();
    await page.getByRole('button', { name: /^Received/ }).waitFor();
  });

  await step('days go by, and some of them bring a tip', async () => {
    for (const [days, amount_sat, memo] of TIPS) {
      // A block's day is the median of those before it.
      await bitcoin.at(ago(days));
      await both(MEDIAN);
      const tip = { command: 'tip', artist: artist.id, release, amount_sat, memo, now: false };
      await money(listener, { ...tip, pay: { fee: { speed: 'slow' }, dry_run: false, passphrase: PASSPHRASE, key: null } });
      await bitcoin.pending(1);
      await both(1);
    }
    await bitcoin.at(ago(0));
    await both(MEDIAN);
    await go(hers, '#/studio/money');
    await hers.getByRole('img', { name: /^Income by day/ }).waitFor();
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
    await hers.getByText(/^250,000.sats on the way/).waitFor();
    await both(1);
    await hers.getByLabel(/^Balance: 1,410,000/).waitFor();
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
    await hers.getByRole('button', { name: 'Say thanks: Ilse' }).first().click();
    await hers.getByRole('textbox', { name: /^Your answer/ }).fill('You made my evening');
    await hers.getByRole('button', { name: 'Say thanks', exact: true }).click();
    await go(page, '#/wallet/tips');
    await page.getByText('“You made my evening”').waitFor();
  });

  await step('tips that fees would eat wait for each other', async () => {
    for (let given = 0; given < 2; given += 1) {
      await go(page, `#/release/${release}`);
      await page.getByRole('main').getByRole('button', { name: 'Support Marta Vos' }).click();
      await page.getByRole('textbox', { name: 'Amount' }).fill('250');
      await page.getByText('The fee would eat a good part of it').waitFor();
      await page.getByRole('button', { name: /^Give 250/ }).click();
      await page.getByText(/^Your tip waits to go to Marta Vos with others/).first().waitFor();
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    await go(page, '#/wallet/tips');
    await page.getByText('2 tips wait to go together.').waitFor();
    await page.getByRole('button', { name: 'Pay now' }).click();
    await page.getByRole('button', { name: /^Pay now 500/ }).click();
    await page.getByText('Your tips are on their way.').waitFor();
    await bitcoin.pending(1);
    await both(1);
    await go(hers, '#/studio/money');
    await hers.getByRole('region', { name: 'Tips' }).getByText(/^\+250/).nth(1).waitFor();
  });

  await step('the artist makes an offer and sees how it would split', async () => {
    await go(hers, '#/studio/money/offer');
    await hers.getByRole('textbox', { name: 'What it is for' }).fill('The second album');
    await hers.getByRole('textbox', { name: 'How much you need' }).fill(String(GOAL));
    await hers.getByRole('spinbutton', { name: /^Part of your income/ }).fill('101');
    await hers.getByText('All parts together are more than everything.').waitFor();
    await hers.getByRole('spinbutton', { name: /^Part of your income/ }).fill('20');
    const ends = hers.getByLabel('Ends on');
    const then = await ends.inputValue();
    await ends.fill('2020-01-31');
    await hers.getByText('This offer is over.').waitFor();
    assert.equal(await hers.getByRole('button', { name: 'Publish the offer' }).isDisabled(), true);
    await ends.fill(then);
    await hers.getByRole('textbox', { name: 'How much you need' }).fill(String(GOAL));
    await hers.getByRole('columnheader', { name: 'To investors' }).waitFor();
    await hers.getByRole('button', { name: 'Publish the offer' }).click();
    await hers.getByRole('heading', { name: 'The second album' }).waitFor();
  });

  await step('the listener invests, told that all of it can be lost', async () => {
    await go(page, `#/artist/${artist.id}`);
    await page.getByRole('button', { name: 'Invest' }).click();
    await page.getByText('You can lose all of it.').waitFor();
    await page.getByRole('textbox', { name: 'Amount' }).fill(String(GOAL + 1));
    await page.getByText('That is more than the goal still lacks.').waitFor();
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
    // Presents go to who lets people pay them.
    await listener.api.call('profile_set', { name: null, bio: null, links: null, avatar: null });
    const before = await balance(listener);
    await hers.getByRole('link', { name: 'Pay back' }).click();
    await hers.getByRole('listitem').getByText('Ilse').waitFor();
    await hers.getByRole('combobox', { name: 'Add a supporter' }).selectOption('Ilse');
    await hers.getByRole('textbox', { name: 'Ilse' }).fill(String(PRESENT));
    await hers.getByRole('listitem').getByText(/^present/).waitFor();
    await hers.getByRole('button', { name: /^Pay out 125,000/ }).click();
    await hers.getByText('Paid out. Everybody sees it arrive.').waitFor();
    await bitcoin.pending(1);
    await both(1);
    await until('it arrives', async () => (await balance(listener)) === before + owed + PRESENT);
    await page.getByText(/^100,000.sats of at most 1,500,000/).first().waitFor();
  });

  await step('an investment can be given back', async () => {
    const wish = { command: 'offer_create', goal_sat: 60_000, share_bp: 500, cap_percent: 120, floor_sat: null, expiry: '2027-12-31', title: 'A film for “Salt”', splits: [], dry_run: false };
    const { offer_id: film } = await money(artist, wish);
    await until('the offer is known', async () => (await money(listener, { command: 'offers', artist: artist.id })).offers.length === 2);
    await money(listener, { command: 'invest', offer: film, amount_sat: 40_000, pay: { fee: { speed: 'normal' }, dry_run: false, passphrase: PASSPHRASE, key: null } });
    await bitcoin.pending(1);
    await both(1);
    await go(hers, '#/studio/money');
    const offer = hers.getByRole('article', { name: 'A film for “Salt”' });
    await offer.getByRole('button', { name: 'Give back: Ilse' }).click();
    await hers.getByRole('button', { name: /^Give back 40,000/ }).click();
    await hers.getByText('It is on its way back.').waitFor();
    await bitcoin.pending(1);
    await both(1);
    await offer.getByText('Given back').waitFor();
    await go(page, '#/wallet/notes');
    await page.getByText('Given back').waitFor();
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
    await money(listener, { command: 'tip', artist: artist.id, release, amount_sat: 180_000, memo: 'For the new strings', now: false, pay: { fee: { speed: 'fast' }, dry_run: false, passphrase: PASSPHRASE, key: null } });
    await bitcoin.pending(1);
    await both(1);
    const { offers } = await money(artist, { command: 'offers', artist: artist.id });
    const { offer_id: offer } = offers.find(({ title }) => title === 'The second album');
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
        await his.keyboard.press('Escape');
        await his.getByRole('button', { name: 'Check the books' }).click();
        await his.getByRole('cell').first().waitFor();
        await look(his, 'books');
        for (const part of ['money', 'money/offer', `money/payout/${offer}`]) {
          await go(studio, `#/studio/${part}`);
          if (part === 'money/offer') await wish(studio);
          if (part.includes('payout')) await studio.getByRole('button', { name: /^Pay out \d/ }).waitFor();
          await look(studio, `studio-${part.split('/').slice(0, 2).join('-')}`);
        }
        await go(fresh, '#/wallet');
        await look(fresh, 'wallet-setup');
        for (const window of [his, studio, fresh]) await window.context().close();
      }
    }
  });
});

/** An offer that is not published. */
async function wish(page) {
  await page.getByRole('textbox', { name: 'What it is for' }).fill('Twelve days in a lighthouse');
  await page.getByRole('textbox', { name: 'How much you need' }).fill('800000');
  await page.getByRole('columnheader', { name: 'To investors' }).waitFor();
}

/** Unix seconds, so many days ago. */
function ago(days) {
  return Math.floor(Date.now() / 1_000) - days * 86_400;
}
