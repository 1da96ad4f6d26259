/** A shared treasury in three browsers, over daemons and a Bitcoin node that are real: founded, joined, begun, voted on, paid from, left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bitcoin } from './world/bitcoin.mjs';
import { DESKTOP, go, openWindow, PHONE, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { examine } from './world/examine.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';
import { makeWallet, PASSPHRASE } from './world/wallet.mjs';

const NAME = 'Harbour Street Listeners';
const PEOPLE = ['Ilse', 'Bram', 'Noor'];
const COINS = 1_000_000;
const FEE = 100_000;
const MORE = 250_000;
const RENT = 60_000;
/** Whom the treasury pays. */
const THEIRS = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';

test('three people keep a treasury together', async (test) => {
  const bitcoin = await Bitcoin.start(test);
  const settings = `network = "regtest"\nbitcoin_peers = ["${bitcoin.address}"]\n`;
  const daemons = await Promise.all(PEOPLE.map(() => Daemon.start(test, { settings })));
  const [ilse, bram, noor] = daemons;
  for (const [place, { api }] of daemons.entries()) await api.call('profile_set', { name: PEOPLE[place], bio: null, links: null, avatar: null });
  const browser = await startBrowser(test);
  const [page, his, hers] = await Promise.all(daemons.map(({ web }, place) => openWindow(browser, web, { size: place === 1 ? PHONE : DESKTOP })));
  const step = story(test, page);
  const wallet = ({ api }, command) => api.call('wallet', command);
  const balance = async (daemon) => (await wallet(daemon, { command: 'status' })).confirmed_sat;
  const of = ({ api }) => api.call('dao', { command: 'show', dao });
  let dao;
  let invite;
  let board;

  /** Mines what waits, and waits until everybody has seen it. */
  const mine = async (count) => {
    await bitcoin.mine(count);
    const tip = await bitcoin.rpc('getblockcount');
    for (const daemon of daemons) await until('the block is seen', async () => (await wallet(daemon, { command: 'status' })).height >= tip);
  };
  /** Mines whenever something waits, until what is waited for is so. */
  const mineUntil = (what, ask) => until(what, async () => {
    if ((await bitcoin.rpc('getrawmempool')).length) await mine(1);
    return ask();
  }, 90_000);
  /** Fills in the dialog that asks to join, and agrees to it. */
  const join = async (window, sat) => {
    const dialog = window.getByRole('dialog', { name: `Join ${NAME}` });
    await dialog.getByRole('textbox', { name: 'How much you put in' }).fill(String(sat));
    await dialog.getByText('Network fee').waitFor();
    await dialog.getByRole('checkbox', { name: 'I have read what can go wrong.' }).check();
    await dialog.getByLabel('The wallet’s passphrase').fill(PASSPHRASE);
    await dialog.getByRole('button', { name: /^Join with \d/ }).click();
    await window.getByText('You asked to join. It shows here how far it is.').waitFor();
    await window.getByText('You are among the founders. Your money moves only when the treasury begins.').waitFor();
  };

  await step('each has coins', async () => {
    for (const window of [page, his, hers]) await makeWallet(window);
    for (const daemon of daemons) {
      const { address } = await wallet(daemon, { command: 'address', label: null, amount_sat: null });
      await bitcoin.pay({ [address]: COINS });
    }
    await mine(2);
    for (const daemon of daemons) await until('the coins are there', async () => (await balance(daemon)) === COINS);
    for (const daemon of daemons) await wallet(daemon, { command: 'lock' });
  });

  await step('one founds it, and sees what can go wrong first', async () => {
    await go(page, '#/daos');
    await page.getByText('You are in no DAO yet').waitFor();
    await page.getByRole('button', { name: 'Found a DAO' }).click();
    const dialog = page.getByRole('dialog', { name: 'Found a DAO' });
    const publish = dialog.getByRole('button', { name: 'Publish the charter' });
    assert.equal(await publish.isDisabled(), true);
    await dialog.getByRole('textbox', { name: 'Name' }).fill(NAME);
    await dialog.getByRole('textbox', { name: 'What it is for' }).fill('We back three records a year that we want to hear.');
    await dialog.getByRole('textbox', { name: 'Entrance fee' }).fill('9999');
    assert.equal(await publish.isDisabled(), true);
    await dialog.getByRole('textbox', { name: 'Entrance fee' }).fill(String(FEE));
    await dialog.locator('summary').click();
    await dialog.getByRole('spinbutton', { name: 'Blocks on a joiner’s coin' }).fill('1');
    await dialog.getByRole('combobox', { name: 'Silence before the way out opens' }).selectOption('144');
    await dialog.getByRole('radio', { name: /^Counted signatures/ }).check();
    await dialog.getByText('If enough key holders conspire').waitFor();
    await publish.click();
    await page.getByText('The charter is out. Invite the others.').waitFor();
    await page.getByRole('heading', { level: 1, name: NAME }).waitFor();
    [, dao] = /#\/dao\/([0-9a-f]+)/.exec(page.url());
    ({ invite } = await of(ilse));
  });

  await step('a board for the room shows its code', async () => {
    board = await openWindow(browser, ilse.web, { size: DESKTOP });
    await go(board, `#/dao/${dao}/board`);
    await board.getByRole('img', { name: 'QR code of the invite' }).waitFor();
    await board.getByText('Nobody yet. Scan the code.').waitFor();
  });

  await step('whoever founds it joins like everybody else', async () => {
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: `Join ${NAME}` });
    await dialog.getByRole('textbox', { name: 'How much you put in' }).fill(String(FEE - 1));
    await dialog.getByText(/^That is less than the entrance fee of 100,000/).waitFor();
    await join(page, FEE);
    await board.getByText('Ilse', { exact: true }).waitFor();
  });

  await step('two others open the invite, and are asked at once', async () => {
    for (const [window, sat] of [[his, FEE], [hers, MORE]]) {
      await go(window, '#/daos');
      await window.getByRole('button', { name: 'Open an invite' }).click();
      await window.getByRole('textbox', { name: 'Invite' }).fill(invite);
      await window.getByRole('dialog').getByRole('button', { name: 'Join', exact: true }).click();
      await window.getByRole('dialog', { name: `Join ${NAME}` }).waitFor();
      await join(window, sat);
    }
    for (const name of PEOPLE) await board.getByText(name, { exact: true }).waitFor();
    assert.deepEqual(await bitcoin.rpc('getrawmempool'), [], 'nothing is paid before it begins');
  });

  await step('the treasury begins, all at once', async () => {
    await page.getByText('The founders are here.').waitFor();
    await page.getByRole('button', { name: 'Begin the treasury' }).click();
    const dialog = page.getByRole('dialog', { name: 'Begin the treasury' });
    for (const name of PEOPLE) await dialog.getByText(name, { exact: true }).waitFor();
    const passphrase = dialog.getByLabel('The wallet’s passphrase');
    if (await passphrase.isVisible()) await passphrase.fill(PASSPHRASE);
    await dialog.getByRole('button', { name: 'Begin the treasury' }).click();
    await page.getByText('It begins as soon as all founders’ devices have signed.').waitFor();
    await bitcoin.pending(1);
    await page.getByText('Sent. It waits for a block.').waitFor();
    await mine(1);
    for (const window of [page, his, hers]) await window.getByText(/You are a member with a vote/).waitFor();
    const { treasury_sat, claims_sum_sat, unassigned_sat, reserve_sat, members } = await of(noor);
    assert.equal(claims_sum_sat + unassigned_sat + reserve_sat, treasury_sat);
    assert.equal(members.length, 3);
    await board.getByText('It adds up').waitFor();
    await board.getByRole('status').filter({ hasText: treasury_sat.toLocaleString('en') }).waitFor();
  });

  await step('one proposes, the others vote, and all see it live', async () => {
    await page.getByRole('link', { name: 'Propose something' }).click();
    await page.getByRole('combobox', { name: 'What is to be done' }).selectOption('pay');
    await page.getByRole('textbox', { name: 'In a few words' }).fill('Rent for the loft');
    await page.getByRole('textbox', { name: 'Why (everybody can read it)' }).fill('Where the next one is recorded.');
    const to = page.getByRole('textbox', { name: 'To which address' });
    await to.fill(THEIRS.replace('kygt080', 'kygt081'));
    await page.getByText('This is no Bitcoin address.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Propose', exact: true }).isDisabled(), true);
    await to.fill(THEIRS);
    await page.getByRole('textbox', { name: 'Amount' }).fill(String(COINS * 3));
    await page.getByText(/^That is more than the treasury/).waitFor();
    await page.getByRole('textbox', { name: 'Amount' }).fill(String(RENT));
    await page.getByText(/^If it is approved, it takes about \d/).waitFor();
    await page.getByRole('button', { name: 'Propose', exact: true }).click();
    await page.getByText('It is proposed. The others see it now.').waitFor();
    for (const window of [page, his, hers]) await window.getByRole('article', { name: 'Rent for the loft' }).waitFor();
    await board.getByText('Rent for the loft').waitFor();
    await hers.getByRole('button', { name: 'No: Rent for the loft' }).click();
    await hers.getByText('You voted no').waitFor();
    await board.getByText(/0 yes, 2 needed of 3, 1 no/).waitFor();
    await his.getByRole('button', { name: 'Yes: Rent for the loft' }).click();
    await page.getByRole('button', { name: 'Yes: Rent for the loft' }).click();
    for (const window of [page, board]) await window.getByText(/^2 yes, 2 needed of 3/).waitFor();
  });

  await step('each screen can be read and used by everybody', async () => {
    for (const size of SIZES) {
      for (const theme of ['dark', 'light']) {
        const window = await openWindow(browser, ilse.web, { size, theme, bypassCSP: true });
        const look = (name) => examine(window, { name, size, theme });
        for (const [name, hash] of [
          ['daos', '#/daos'], ['dao', `#/dao/${dao}`], ['dao-members', `#/dao/${dao}/members`], ['dao-treasury', `#/dao/${dao}/treasury`],
          ['dao-exit', `#/dao/${dao}/exit`], ['dao-propose', `#/dao/${dao}/propose`], ['dao-board', `#/dao/${dao}/board`],
        ]) {
          await go(window, hash);
          await look(name);
        }
        await go(window, `#/dao/${dao}`);
        await window.getByRole('button', { name: 'Invite' }).click();
        await window.getByRole('dialog').waitFor();
        await look('dao-invite');
        await window.keyboard.press('Escape');
        await go(window, `#/dao/${dao}/exit`);
        await window.getByRole('button', { name: /^Leave with \d/ }).click();
        await look('dao-leave');
        await window.keyboard.press('Escape');
        await go(window, '#/daos');
        await window.getByRole('button', { name: 'Found a DAO' }).click();
        await window.getByRole('dialog').locator('summary').click();
        await look('dao-create');
        await window.context().close();
      }
    }
  });

  await step('it is paid, and shows in the books of everybody', async () => {
    await mineUntil('it is paid', async () => {
      const { unspents } = await bitcoin.rpc('scantxoutset', 'start', [`addr(${THEIRS})`]);
      return unspents.some(({ amount }) => Math.round(amount * 1e8) === RENT);
    });
    for (const window of [page, his, hers]) await window.getByRole('article', { name: 'Rent for the loft' }).getByText(/^Done/).waitFor();
    for (const window of [page, hers]) {
      await go(window, `#/dao/${dao}/treasury`);
      await window.getByRole('heading', { name: 'It adds up' }).waitFor();
      await window.getByText('Carried out: Rent for the loft').waitFor();
      await window.getByRole('button', { name: 'Check it against the chain' }).click();
      await window.getByText('Recomputed from the charter and the chain: it adds up to the sat.').waitFor();
    }
  });

  await step('one votes as another does, and ends it', async () => {
    await go(hers, `#/dao/${dao}/members`);
    const who = hers.getByRole('combobox', { name: 'Who votes for you' });
    await who.selectOption({ label: 'Bram' });
    await hers.getByText('Your device votes as Bram does.').first().waitFor();
    await who.selectOption({ label: 'Nobody: I vote myself' });
    await hers.getByText('You vote yourself.').waitFor();
  });

  await step('one leaves with the claim', async () => {
    const before = await balance(noor);
    const { claim_sat: claim } = await of(noor);
    assert.ok(claim > MORE - RENT && claim < MORE, `${claim} sats`);
    await go(hers, `#/dao/${dao}/exit`);
    await hers.getByRole('button', { name: `Leave with ${claim.toLocaleString('en')} sats` }).click();
    await hers.getByRole('dialog').getByRole('button', { name: /^Leave with/ }).click();
    await hers.getByText('You are leaving. Your claim comes with the next transaction.').first().waitFor();
    await mineUntil('she is paid', async () => (await balance(noor)) > before + claim / 2);
    const paid = (await balance(noor)) - before;
    assert.ok(paid <= claim && paid > claim - 5_000, `${paid} of ${claim}`);
    await until('the others go on', async () => (await of(ilse)).members.length === 2);
    const { treasury_sat, claims_sum_sat, unassigned_sat, reserve_sat } = await of(ilse);
    assert.equal(claims_sum_sat + unassigned_sat + reserve_sat, treasury_sat);
    await go(page, `#/dao/${dao}/treasury`);
    await page.getByRole('heading', { name: 'It adds up' }).waitFor();
    await page.getByText('Noor left').waitFor();
  });

  await step('she comes back, and is vouched for by those who met her', async () => {
    await go(hers, `#/dao/${dao}`);
    await hers.getByRole('button', { name: 'Join', exact: true }).click();
    const dialog = hers.getByRole('dialog', { name: `Join ${NAME}` });
    await dialog.getByRole('heading', { name: '2 members' }).waitFor();
    await dialog.getByRole('checkbox', { name: 'I have read what can go wrong.' }).check();
    await dialog.getByRole('button', { name: /^Join with \d/ }).click();
    await mineUntil('she is in', async () => (await of(noor)).membership === 'member');
    await hers.getByText(/^You get a vote and a key once 2 members vouch for you/).waitFor();
    const { link } = await noor.api.call('share', { release: null, artist: noor.id });
    for (const [window, wrong] of [[page, true], [his, false]]) {
      await go(window, `#/dao/${dao}/members`);
      await window.getByRole('button', { name: 'Vouch for Noor' }).click();
      const vouch = window.getByRole('dialog', { name: 'Vouch for Noor' });
      const confirm = vouch.getByRole('button', { name: 'Vouch for Noor' });
      assert.equal(await confirm.isDisabled(), true);
      if (wrong) {
        await vouch.getByRole('textbox', { name: 'Their link' }).fill(link.replace(noor.id, bram.id));
        await vouch.getByText('This is the code of somebody else.').waitFor();
        assert.equal(await confirm.isDisabled(), true);
      }
      await vouch.getByRole('textbox', { name: 'Their link' }).fill(link);
      await confirm.click();
      await window.getByText('You vouch for Noor.').waitFor();
    }
    await mineUntil('she is counted', async () => (await of(noor)).membership === 'counted');
    await hers.getByText(/You are a member with a vote/).waitFor();
  });

  await step('it can be used on a phone, too', async () => {
    await go(his, '#/wallet');
    await his.getByRole('link', { name: 'DAOs' }).click();
    await his.getByRole('link', { name: new RegExp(NAME) }).click();
    await his.getByRole('heading', { level: 1, name: NAME }).waitFor();
    assert.deepEqual([...page.complaints, ...his.complaints, ...hers.complaints, ...board.complaints], []);
  });
});
