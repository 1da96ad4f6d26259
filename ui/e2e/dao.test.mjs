/** A shared treasury in three browsers, over daemons and a Bitcoin node that are real: founded, joined, begun, voted on, paid from, left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, go, openWindow, PHONE, SIZES, startBrowser } from './world/browser.mjs';
import { Circle } from './world/dao.mjs';
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
/** Stops on the way to a control by the keyboard. */
const MOST_STOPS = 80;
/** Whom the treasury pays. */
const THEIRS = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';

test('three people keep a treasury together', async (test) => {
  const circle = await Circle.start(test, PEOPLE);
  const { bitcoin, daemons } = circle;
  const [ilse, bram, noor] = daemons;
  const browser = await startBrowser(test);
  const [page, his, hers] = await Promise.all(daemons.map(({ web }, place) => openWindow(browser, web, { size: place === 1 ? PHONE : DESKTOP })));
  const step = story(test, page);
  const balance = (daemon) => circle.balance(daemon);
  const of = ({ api }) => api.call('dao', { command: 'show', dao });
  let dao;
  let invite;
  let board;

  const mine = (count) => circle.mine(count);
  const mineUntil = (what, ask) => circle.mineUntil(what, ask);
  /** Shows a dialog at both widths to whoever cannot see or use a mouse. */
  const dialogs = async (daemon, hash, name, open) => {
    for (const size of SIZES) {
      const window = await openWindow(browser, daemon.web, { size, bypassCSP: true });
      await go(window, hash);
      await open(window);
      await window.getByRole('dialog').waitFor();
      await examine(window, { name, size, theme: 'dark' });
      await window.keyboard.press('Escape');
      await window.getByRole('dialog').waitFor({ state: 'detached' });
      await window.context().close();
    }
  };
  /** Fills in the dialog that asks to join, and agrees to it. */
  const join = async (window, sat) => {
    const dialog = window.getByRole('dialog', { name: `Join ${NAME}` });
    await dialog.getByRole('textbox', { name: 'How much you put in' }).fill(String(sat));
    await dialog.getByText('Network fee').waitFor();
    await dialog.getByRole('checkbox', { name: 'I have read what can go wrong.' }).check();
    // Whoever wished before has unlocked it.
    const passphrase = dialog.getByLabel('The wallet’s passphrase');
    if (await passphrase.isVisible()) await passphrase.fill(PASSPHRASE);
    await dialog.getByRole('button', { name: /^Join with \d/ }).click();
    await window.getByText('You asked to join. It shows here how far it is.').waitFor();
    await window.getByText('You are among the founders. Your money moves only when the treasury begins.').waitFor();
  };

  await step('each has coins', async () => {
    for (const window of [page, his, hers]) await makeWallet(window);
    await circle.fund(COINS);
    for (const daemon of daemons) await circle.wallet(daemon, { command: 'lock' });
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
    // Few modules are large ones: read from the back of a room.
    assert.ok((await of(ilse)).code.length < invite.length);
    await board.getByRole('button', { name: 'Show the code large' }).click();
    const { width } = await board.getByRole('img', { name: 'QR code of the invite' }).boundingBox();
    assert.ok(width > 500, `${width} pixels`);
    await board.getByText('Nobody yet. Scan the code.').waitFor({ state: 'hidden' });
    await board.keyboard.press('Escape');
    await board.getByText('Nobody yet. Scan the code.').waitFor();
  });

  await step('whoever founds it joins like everybody else', async () => {
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: `Join ${NAME}` });
    await dialog.getByRole('textbox', { name: 'How much you put in' }).fill(String(FEE - 1));
    await dialog.getByText(/^That is less than the entrance fee of 100,000/).waitFor();
    await page.keyboard.press('Escape');
    await dialogs(ilse, `#/dao/${dao}`, 'dao-join', (window) => window.getByRole('button', { name: 'Join', exact: true }).click());
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await join(page, FEE);
    await board.getByText('Ilse', { exact: true }).waitFor();
  });

  await step('two others open the invite, and are asked at once', async () => {
    for (const [window, sat] of [[his, FEE], [hers, MORE]]) {
      await go(window, '#/daos');
      await window.getByRole('button', { name: 'Open an invite' }).click();
      await window.getByRole('textbox', { name: 'Invite' }).fill(window === his ? (await of(ilse)).code : invite);
      await window.getByRole('dialog').getByRole('button', { name: 'Join', exact: true }).click();
      await window.getByRole('dialog', { name: `Join ${NAME}` }).waitFor();
      await join(window, sat);
    }
    for (const name of PEOPLE) await board.getByText(name, { exact: true }).waitFor();
    assert.deepEqual(await bitcoin.rpc('getrawmempool'), [], 'nothing is paid before it begins');
  });

  await step('a wish is taken back, is gone for everybody, and made again', async () => {
    await his.getByRole('button', { name: 'Take it back' }).click();
    await his.getByText('You no longer ask to join.').waitFor();
    await board.getByText('Bram', { exact: true }).waitFor({ state: 'detached' });
    await his.getByRole('button', { name: 'Join', exact: true }).click();
    await join(his, FEE);
    await board.getByText('Bram', { exact: true }).waitFor();
  });

  await step('the treasury begins, all at once', async () => {
    await page.getByText('The founders are here.').waitFor();
    await dialogs(ilse, `#/dao/${dao}`, 'dao-start', (window) => window.getByRole('button', { name: 'Begin the treasury' }).click());
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
    await press(hers, 'No: Rent for the loft');
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
    await dialogs(ilse, `#/dao/${dao}/members`, 'dao-vouch', (window) => window.getByRole('button', { name: 'Vouch for Noor' }).click());
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

/** Reaches a button by Tab alone and presses it by Enter. */
async function press(window, name) {
  const button = window.getByRole('button', { name });
  await button.waitFor();
  for (let stop = 0; stop < MOST_STOPS; stop += 1) {
    if (await button.evaluate((node) => node === document.activeElement)) return window.keyboard.press('Enter');
    await window.keyboard.press('Tab');
  }
  assert.fail(`${name} is not reached by Tab`);
}
