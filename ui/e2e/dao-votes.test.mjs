/** What members decide, in three browsers over daemons that are real: an investment, a rule, a vote that follows another one, the end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, go, openWindow, PHONE, SIZES, startBrowser } from './world/browser.mjs';
import { Circle } from './world/dao.mjs';
import { examine } from './world/examine.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';

const NAME = 'Harbour Street Listeners';
const PEOPLE = ['Ilse', 'Bram', 'Noor', 'Sil'];
const COINS = 1_000_000;
const FEE = 100_000;
const INVESTED = 60_000;

test('three people invest, change a rule, follow a vote and part', async (test) => {
  const circle = await Circle.start(test, PEOPLE);
  const { daemons } = circle;
  const [ilse, bram, noor, sil] = daemons;
  const members = [ilse, bram, noor];
  await circle.makeWallets();
  await circle.fund(COINS);
  const { dao } = await circle.found(members, { name: NAME, fee_sat: FEE, vouches: 2, recovery_blocks: 144 });
  const wish = { command: 'offer_create', goal_sat: 300_000, share_bp: 2_000, cap_percent: 150, floor_sat: null, expiry: '2090-12-31', title: 'Salt, on tape', splits: [], dry_run: false };
  const browser = await startBrowser(test);
  const windows = await Promise.all(members.map(({ web }, at) => openWindow(browser, web, { size: at === 1 ? PHONE : DESKTOP })));
  const [page, his, hers] = windows;
  const step = story(test, page);
  const of = ({ api }) => api.call('dao', { command: 'show', dao });

  /** Proposes what the form asks for, in a few words. */
  const propose = async (window, kind, title, fill) => {
    await go(window, `#/dao/${dao}/propose`);
    await window.getByRole('combobox', { name: 'What is to be done' }).selectOption(kind);
    await window.getByRole('textbox', { name: 'In a few words' }).fill(title);
    await fill?.();
    await window.getByRole('button', { name: 'Propose', exact: true }).click();
    await window.getByText('It is proposed. The others see it now.').waitFor();
  };
  const vote = async (window, title, choice = 'Yes') => {
    await go(window, `#/dao/${dao}`);
    await window.getByRole('button', { name: `${choice}: ${title}` }).click();
    await window.getByRole('article', { name: title }).getByText(`You voted ${choice.toLowerCase()}`).waitFor();
  };
  const done = async (title, ...seen) => {
    await circle.mineUntil(`${title} is done`, async () => {
      const { proposals } = await ilse.api.call('dao', { command: 'proposals', dao });
      return proposals.find((one) => one.title === title)?.state === 'confirmed';
    });
    for (const window of seen) {
      await go(window, `#/dao/${dao}`);
      await window.getByRole('article', { name: title }).getByText(/^Done/).waitFor();
    }
  };

  await step('they invest in an artist, each sees what it takes from whom', async () => {
    await sil.api.call('open', { link: ilse.invite, wait_ms: null });
    const offer = await until('the offer is made', () => sil.api.call('money', wish).catch(() => undefined));
    assert.ok(offer.offer_id);
    await until('the offer is known', async () => (await ilse.api.call('money', { command: 'offers', artist: null })).offers.some(({ offer_id }) => offer_id === offer.offer_id));
    await propose(page, 'invest', 'Salt, on tape', async () => {
      await page.getByRole('combobox', { name: 'Which artist’s offer' }).selectOption({ label: 'Sil: Salt, on tape' });
      await page.getByRole('textbox', { name: 'Amount' }).fill(String(INVESTED));
      await page.getByText(/^If it is approved, it takes about 20,000/).waitFor();
    });
    const card = hers.getByRole('article', { name: 'Salt, on tape' });
    await go(hers, `#/dao/${dao}`);
    await card.getByText('What it takes from whom, and what stays').click();
    assert.equal(await card.getByText(/^20,000.sats, then [\d,]+.sats stay$/).count(), 3);
    await card.getByText(/^It takes 20,000.sats of your claim; /).waitFor();
    await vote(page, 'Salt, on tape');
    await vote(his, 'Salt, on tape');
    await done('Salt, on tape', page, his, hers);
    await card.getByText('The DAO holds a note for it.').waitFor();
    await card.getByRole('button', { name: 'Copy the transaction’s id: Salt, on tape' }).waitFor();
    await until('the artist knows', async () => (await sil.api.call('money', { command: 'offer_show', offer: offer.offer_id })).raised_sat === INVESTED);
  });

  await step('they change a rule, by no more than a step', async () => {
    await propose(page, 'set', 'More of us must agree', async () => {
      await page.getByRole('combobox', { name: 'Which rule' }).selectOption('threshold');
      const value = page.getByRole('spinbutton', { name: 'To what' });
      await value.fill('80');
      assert.equal(await page.getByRole('button', { name: 'Propose', exact: true }).isDisabled(), true);
      await value.fill('70');
    });
    await vote(his, 'More of us must agree');
    await vote(hers, 'More of us must agree');
    await done('More of us must agree', his);
    assert.equal((await of(noor)).charter.threshold_percent, 70);
  });

  await step('one votes as another does, on whatever comes, and ends it', async () => {
    await go(hers, `#/dao/${dao}/members`);
    const who = hers.getByRole('combobox', { name: 'Who votes for you' });
    await who.selectOption({ label: 'Bram' });
    await hers.getByText('Your device votes as Bram does.').first().waitFor();
    await propose(page, 'refresh', 'The coin grows old');
    await vote(page, 'The coin grows old');
    await vote(his, 'The coin grows old');
    // All three must agree by now: the third is hers, by his.
    await done('The coin grows old', hers);
    await hers.getByRole('article', { name: 'The coin grows old' }).getByText('You voted yes').waitFor();
    await go(hers, `#/dao/${dao}/members`);
    await who.selectOption({ label: 'Nobody: I vote myself' });
    await hers.getByText('You vote yourself.').waitFor();
  });

  await step('what is open can be read and voted on by everybody', async () => {
    await propose(page, 'dissolve', 'It was good', () => page.getByRole('checkbox', { name: 'I know that this ends the DAO.' }).check());
    for (const size of SIZES) {
      for (const theme of ['dark', 'light']) {
        const window = await openWindow(browser, noor.web, { size, theme, bypassCSP: true });
        await go(window, `#/dao/${dao}`);
        await window.getByRole('button', { name: 'Yes: It was good' }).waitFor();
        await window.getByText('What it took from whom').first().click();
        await examine(window, { name: 'dao-vote', size, theme });
        await window.context().close();
      }
    }
  });

  await step('they part, and everybody is paid', async () => {
    const before = await Promise.all(members.map((daemon) => circle.balance(daemon)));
    const { members: owed } = await of(ilse);
    for (const window of windows) await vote(window, 'It was good');
    await circle.mineUntil('everybody is paid', async () => {
      const now = await Promise.all(members.map((daemon) => circle.balance(daemon)));
      return now.every((sat, at) => sat > before[at]);
    });
    const now = await Promise.all(members.map((daemon) => circle.balance(daemon)));
    for (const [at, { id }] of members.entries()) {
      const { claim_sat: claim } = owed.find(({ peer_id }) => peer_id === id);
      const paid = now[at] - before[at];
      assert.ok(paid <= claim + 2_000 && paid > claim - 2_000, `${paid} of ${claim}`);
    }
    for (const window of windows) {
      await go(window, `#/dao/${dao}`);
      await window.getByText('It has ended: everybody was paid their claim.').waitFor();
      assert.equal(await window.getByRole('link', { name: 'Propose something' }).count(), 0);
    }
    assert.deepEqual(windows.flatMap(({ complaints }) => complaints), []);
  });
});
