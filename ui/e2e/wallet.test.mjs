/** A wallet of one's own, over daemons and a Bitcoin node that are real: what is typed wrongly, what waits, what is lost and brought back. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Bitcoin } from './world/bitcoin.mjs';
import { go, openWindow, PHONE, SIZES, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { examine } from './world/examine.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';
import { makeWallet, PASSPHRASE } from './world/wallet.mjs';

/** Somebody else's, here and on the main network. */
const THEIRS = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';
const ELSEWHERE = 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4';
const COINS = [300_000, 120_000, 80_000];
const LABEL = 'Strings for the “harmonium”, über alles';

test('a wallet is used, locked, lost and brought back', async (test) => {
  const bitcoin = await Bitcoin.start(test);
  const settings = `network = "regtest"\nbitcoin_peers = ["${bitcoin.address}"]\n`;
  const [owner, paper, file] = await Promise.all([settings, settings, settings].map((settings) => Daemon.start(test, { settings })));
  const browser = await startBrowser(test);
  const page = await openWindow(browser, owner.web);
  const step = story(test, page);
  const wallet = (daemon, command) => daemon.api.call('wallet', command);
  const payments = async (daemon) => (await wallet(daemon, { command: 'history', offset: 0, limit: 100 })).transactions;
  const send = () => page.getByRole('button', { name: /^Send \d/ });
  let words;
  let saved;

  /** Presses, and keeps what the page hands to the browser's downloads. */
  const download = async (name) => {
    const [got] = await Promise.all([page.waitForEvent('download'), (typeof name === 'string' ? page.getByRole('button', { name }) : name).click()]);
    const path = join(owner.folder, got.suggestedFilename());
    await got.saveAs(path);
    return { path, text: await readFile(path, 'utf8') };
  };
  const choose = async (window, press, path) => {
    const [chooser] = await Promise.all([window.waitForEvent('filechooser'), press.click()]);
    await chooser.setFiles(path);
  };

  await step('its words are asked for, and a slip is told', async () => {
    words = await makeWallet(page, { slip: true });
    for (const sat of COINS) {
      const { address } = await wallet(owner, { command: 'address', label: null, amount_sat: null });
      await bitcoin.pay({ [address]: sat });
    }
    await page.getByLabel(/^Balance: 500,000/).waitFor();
    await page.getByText(/^Up to date/).waitFor();
  });

  await step('what is typed wrongly is told in words, and what was typed stays', async () => {
    await go(page, '#/wallet/send');
    const [to, sum] = ['To', 'Amount'].map((name) => page.getByRole('textbox', { name, exact: true }));
    const look = page.getByRole('button', { name: 'Look it over' });
    for (const [typed, told] of [
      [ELSEWHERE, 'This address is of another Bitcoin network.'],
      [THEIRS.replace('kygt080', 'kygt081'), 'This is no Bitcoin address.'],
      [`bitcoin:${THEIRS}?amount=much`, 'That is not an amount.'],
    ]) {
      await to.fill(typed);
      await page.getByText(told).waitFor();
      assert.equal(await look.isDisabled(), true);
    }
    await to.fill(THEIRS);
    for (const [typed, told] of [
      ['a lot', 'That is not an amount.'], ['0', 'Say how much.'], ['21000001 btc', 'There will never be so much Bitcoin.'],
    ]) {
      await sum.fill(typed);
      await page.getByText(told).waitFor();
      assert.equal(await look.isDisabled(), true);
    }
    await page.getByRole('textbox', { name: 'What it is for (only you see it)' }).fill(LABEL);
    for (const [typed, told] of [['100', 'That is too little to be paid on its own.'], ['500 001', 'The wallet holds too little for that and its fee.']]) {
      await sum.fill(typed);
      await look.click();
      await page.getByText(told).waitFor();
      assert.equal(await page.getByRole('button', { name: 'Send', exact: true }).isDisabled(), true);
      await page.getByRole('button', { name: 'Change something' }).click();
      assert.deepEqual([await to.inputValue(), await sum.inputValue()], [THEIRS, typed.replace(' ', '')]);
    }
    assert.equal(await page.getByRole('textbox', { name: 'What it is for (only you see it)' }).inputValue(), LABEL);
  });

  await step('several are paid from a chosen coin, once the passphrase is right', async () => {
    await page.getByRole('button', { name: 'Lock', exact: true }).click();
    await page.getByText('The wallet is locked.').waitFor();
    await page.getByRole('textbox', { name: 'Amount' }).fill('');
    await page.getByRole('textbox', { name: 'Amount' }).pressSequentially('50 000');
    await page.getByRole('button', { name: 'Another recipient' }).click();
    await page.getByRole('textbox', { name: 'To' }).last().fill(`bitcoin:${THEIRS.toUpperCase()}?amount=0.0002&label=Jory`);
    await page.getByText('Asked for by Jory').waitFor();
    await page.getByText('Choose coins').click();
    await page.getByRole('checkbox', { name: /^120,000/ }).check();
    await page.getByText('1 coin, 120,000').waitFor();
    await page.getByRole('button', { name: 'Look it over' }).click();
    await page.getByText('Own fee').click();
    await page.getByRole('spinbutton', { name: 'Sats for each virtual byte' }).fill('1');
    const passphrase = page.getByLabel('The wallet’s passphrase');
    const limited = page.getByText(/^Too many wrong passphrases/);
    const told = page.getByText('The passphrase is not right.').or(limited);
    for (let wrong = 0; !(await limited.isVisible()); wrong += 1) {
      await passphrase.fill(`guess ${wrong}`);
      await send().click();
      await page.getByRole('button', { name: /^Send \d/, disabled: false }).waitFor();
      await told.waitFor();
      assert.ok(wrong < 10, 'guessing gets slower');
    }
    await passphrase.fill(PASSPHRASE);
    await until('the wait is over', async () => {
      await send().click({ timeout: 1_000 }).catch(() => {});
      return page.getByText('Sent. It waits for a block.').isVisible();
    });
    const [paid] = await payments(owner);
    assert.deepEqual([paid.net_sat + paid.fee_sat, paid.label, paid.state], [-70_000, LABEL, 'in_mempool']);
    const { vin, vout } = await bitcoin.rpc('getrawtransaction', paid.txid, true);
    assert.deepEqual([vin.length, vout.length], [1, 3]);
  });

  await step('what waits is sped up, what comes in, too', async () => {
    await page.getByRole('button', { name: new RegExp(LABEL.slice(0, 11)) }).click();
    await speedUp(page, '9');
    await page.getByText('Sent again with a higher fee.').waitFor();
    await page.getByText('Replaced').waitFor();
    const [better] = await until('the better one alone waits', async () => (await bitcoin.rpc('getrawmempool')).length === 1 && payments(owner));
    assert.equal(better.net_sat + better.fee_sat, -70_000);
    assert.ok(better.fee_sat > 9 * 100, `${better.fee_sat} sats`);

    const { address } = await wallet(owner, { command: 'address', label: null, amount_sat: null });
    const parent = await bitcoin.offer({ [address]: 40_000 });
    await page.getByRole('button', { name: /^Received.*Waiting for a block/ }).click();
    await speedUp(page, '12');
    const child = await until('a child pays for it', async () => (await bitcoin.rpc('getmempoolentry', parent)).spentby[0]);
    assert.equal((await bitcoin.rpc('getrawtransaction', child, true)).vin[0].txid, parent);
    await bitcoin.mine(1);
    await until('both are in a block', async () => (await payments(owner)).every(({ state }) => ['confirming', 'replaced', 'confirmed'].includes(state)));
  });

  await step('the table, the labels and the backup are saved', async () => {
    await page.keyboard.press('Escape');
    await go(page, '#/wallet');
    const table = await download('Save as a table');
    assert.equal(table.text.trim().split('\n').length, (await payments(owner)).length + 1);
    assert.ok(table.text.includes('harmonium'), table.text);
    await go(page, '#/wallet/safety');
    const labels = await download('Save the labels');
    assert.ok(labels.text.trim().split('\n').map((line) => JSON.parse(line)).some(({ label }) => label === LABEL));
    await choose(page, page.getByRole('button', { name: 'Take from a file' }), table.path);
    await page.getByText('These are not labels of a wallet.').waitFor();
    await page.getByRole('button', { name: 'Save the file' }).click();
    await page.getByLabel('The wallet’s passphrase').fill(PASSPHRASE);
    saved = await download(page.getByRole('dialog').getByRole('button', { name: 'Save the file' }));
    assert.ok(saved.text.startsWith('-----BEGIN AGE ENCRYPTED FILE-----'));
    saved.labels = labels.path;
  });

  await step('a drill tells what brings it back and what does not', async () => {
    await page.getByRole('button', { name: 'Check', exact: true }).first().click();
    const dialog = page.getByRole('dialog');
    const field = dialog.getByLabel('Your words');
    for (const [typed, told] of [
      [words.join(' '), 'This brings your wallet back.'],
      [`${'abandon '.repeat(11)}about`, 'This is another wallet. Do not rely on it.'],
      [words.slice(1).join(' '), 'A wallet has 12 or 24 words.'],
    ]) {
      await field.fill(typed);
      await dialog.getByRole('button', { name: 'Check' }).click();
      await page.getByText(told).waitFor();
    }
    await choose(page, dialog.getByRole('button', { name: /^Choose/ }), saved.path);
    await dialog.getByLabel(/^Passphrase/).fill(PASSPHRASE);
    await dialog.getByRole('button', { name: 'Check' }).click();
    await page.getByText(/This brings your wallet back\. \d+ labels and records beside the key\./).waitFor();
    await page.keyboard.press('Escape');
  });

  await step('another device brings it back from paper, a third from the file', async () => {
    const [hers, his] = await Promise.all([openWindow(browser, paper.web, { size: PHONE }), openWindow(browser, file.web)]);
    const balance = new RegExp(`^Balance: ${(await wallet(owner, { command: 'status' })).confirmed_sat.toLocaleString('en')}`);
    await go(hers, '#/wallet');
    await hers.getByText('From words').click();
    await hers.getByLabel('Passphrase for this device').fill(PASSPHRASE);
    await hers.getByLabel('Passphrase again').fill(PASSPHRASE);
    for (const [typed, told] of [
      [['abandon', ...words.slice(1, 23), 'abandon'], 'These words do not belong together.'],
      [[...words.slice(0, 23), 'harmonium'], 'One of the words is not on the list.'],
    ]) {
      await hers.getByRole('textbox', { name: 'Your words' }).fill(typed.join(' '));
      await hers.getByRole('button', { name: 'Restore' }).click();
      await hers.getByText(told).waitFor();
    }
    await hers.getByRole('textbox', { name: 'Your words' }).fill(`  ${words.join('\n').toUpperCase()} `);
    await hers.getByRole('button', { name: 'Restore' }).click();
    await hers.getByText('The wallet is back.').waitFor();
    await hers.getByLabel(balance).waitFor();
    assert.equal(await hers.getByText(LABEL).count(), 0);
    await go(hers, '#/wallet/safety');
    await choose(hers, hers.getByRole('button', { name: 'Take from a file' }), saved.labels);
    await hers.getByText(/labels? taken over\.$/).waitFor();
    await go(hers, '#/wallet');
    await hers.getByText(LABEL).first().waitFor();

    await go(his, '#/wallet');
    await his.getByText('From a backup').click();
    const torn = join(owner.folder, 'torn.age');
    await writeFile(torn, saved.text.slice(0, -200));
    for (const [path, passphrase, told] of [[torn, PASSPHRASE, 'This is not a wallet’s backup.'], [saved.path, 'another one', 'The passphrase is not right.']]) {
      await choose(his, his.getByRole('button', { name: /^Choose/ }), path);
      await his.getByLabel('Passphrase of the backup').fill(passphrase);
      await his.getByRole('button', { name: 'Restore' }).click();
      await his.getByText(told).waitFor();
    }
    await his.getByLabel('Passphrase of the backup').fill(PASSPHRASE);
    await his.getByRole('button', { name: 'Restore' }).click();
    await his.getByText('The wallet is back.').waitFor();
    await his.getByLabel(balance).waitFor();
    await his.getByText(LABEL).first().waitFor();
    assert.deepEqual([...hers.complaints, ...his.complaints], []);
    for (const window of [hers, his]) await window.context().close();
  });

  await step('all there is can be sent, but what is kept aside', async () => {
    await go(page, '#/wallet/coins');
    await page.getByRole('switch', { name: 'Keep 80,000 sats aside' }).click();
    await page.getByText(/^80,000.sats of it kept aside$/).waitFor();
    await go(page, '#/wallet/send');
    await page.getByRole('textbox', { name: 'To' }).fill(THEIRS);
    await page.getByRole('checkbox', { name: 'All there is' }).check();
    await page.getByRole('button', { name: 'Look it over' }).click();
    await page.getByText('Everything, less the fee').waitFor();
    await page.getByLabel('The wallet’s passphrase').fill(PASSPHRASE);
    await send().click();
    await page.getByText('Sent. It waits for a block.').waitFor();
    await bitcoin.pending(1);
    await bitcoin.mine(1);
    await page.getByLabel(/^Balance: 80,000/).waitFor();
  });

  await step('it is unlocked for a while', async () => {
    await page.getByRole('button', { name: 'Unlock', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('The wallet’s passphrase').fill('not this one');
    await dialog.getByRole('button', { name: 'Unlock' }).click();
    await page.getByText('The passphrase is not right.').waitFor();
    await dialog.getByLabel('The wallet’s passphrase').fill(PASSPHRASE);
    await dialog.getByRole('button', { name: 'Unlock' }).click();
    await page.getByRole('button', { name: 'Lock', exact: true }).waitFor();
    assert.equal((await wallet(owner, { command: 'status' })).unlocked, true);
    await go(page, '#/wallet/coins');
    await page.getByRole('switch', { name: 'Keep 80,000 sats aside' }).click();
    await page.getByText(/kept aside$/).waitFor({ state: 'detached' });
    assert.deepEqual(page.complaints, []);
  });

  await step('each dialog of it can be read and used by everybody', async () => {
    for (const size of SIZES) {
      for (const theme of ['dark', 'light']) {
        const window = await openWindow(browser, owner.web, { size, theme, bypassCSP: true });
        const look = (name) => examine(window, { name, size, theme });
        await go(window, '#/wallet');
        await window.getByRole('button', { name: new RegExp(LABEL.slice(0, 11)) }).first().click();
        await look('wallet-payment');
        await window.keyboard.press('Escape');
        await go(window, '#/wallet/safety');
        for (const [name, press] of [['words', 'Show the words'], ['backup', 'Save the file'], ['drill', 'Check']]) {
          await window.getByRole('button', { name: press, exact: true }).first().click();
          await look(`wallet-${name}`);
          await window.keyboard.press('Escape');
        }
        await go(window, '#/wallet/send');
        await window.getByRole('textbox', { name: 'To' }).fill(THEIRS);
        await window.getByRole('textbox', { name: 'Amount' }).fill('21000');
        await window.getByRole('button', { name: 'Look it over' }).click();
        await window.getByRole('button', { name: /^Send 21,000/ }).waitFor();
        await look('wallet-review');
        await window.context().close();
      }
    }
  });
});

async function speedUp(page, rate) {
  await page.getByRole('button', { name: 'Speed up' }).click();
  await page.getByText('Own fee').click();
  await page.getByRole('spinbutton', { name: 'Sats for each virtual byte' }).fill(rate);
  await page.getByLabel('The wallet’s passphrase').fill(PASSPHRASE);
  await page.getByRole('button', { name: /^Speed up \d/ }).click();
}
