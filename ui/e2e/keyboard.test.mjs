import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWindow, position, startBrowser } from './world/browser.mjs';
import { Daemon } from './world/daemon.mjs';
import { publish } from './world/publish.mjs';
import { album } from './world/songs.mjs';
import { SoundServer } from './world/sound.mjs';
import { story } from './world/steps.mjs';
import { until } from './world/until.mjs';

const TIDE = { artist: 'Marta Vos', title: 'Low Tide, High Fever', songs: ['Salt', 'The Harbour Clock'] };
/** More stops than any screen has before what is looked for. */
const MOST_STOPS = 60;

test('music is found and played without a pointer', async (test) => {
  const sound = await SoundServer.start(test);
  const node = await Daemon.start(test, { sound });
  await publish(node, { ...TIDE, files: await album(TIDE) });
  const browser = await startBrowser(test);
  const page = await openWindow(browser, node.web);
  const step = story(test, page);
  const press = (key) => page.keyboard.press(key);
  const playing = () => node.api.call('player', { command: 'state' });

  await step('the first stop skips to the content', async () => {
    await page.getByRole('heading', { name: TIDE.title }).first().waitFor();
    await press('Tab');
    assert.equal(await focused(page), 'Skip to the content');
    await press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  });

  await step('from there Tab leads to a song that plays', async () => {
    await tabTo(page, 'Play');
    await press('Enter');
    await sound.isHeard();
  });

  await step('keys pause, go on and step', async () => {
    await page.evaluate(() => document.activeElement.blur());
    await press('k');
    await until('it pauses', async () => (await playing()).status === 'paused');
    await sound.isSilent();
    await press('Space');
    await sound.isHeard();
    const before = await position(page);
    await press('l');
    await until('it is ten seconds on', async () => (await position(page)) >= before + 10);
    await press('n');
    await until('the second song plays', async () => (await playing()).index === 1);
    await press('m');
    await until('it is mute', async () => (await playing()).volume === 0);
    await sound.isSilent();
    await press('m');
    await sound.isHeard();
  });

  await step('the help sheet opens, keeps the focus and gives it back', async () => {
    await tabTo(page, 'Skip to the content');
    await press('?');
    const sheet = page.getByRole('dialog', { name: 'Keyboard' });
    await sheet.waitFor();
    await press('Tab');
    assert.ok(await sheet.evaluate((dialog) => dialog.contains(document.activeElement)));
    await press('Escape');
    await sheet.waitFor({ state: 'detached' });
  });

  await step('a slash searches, and the find is opened by keys', async () => {
    await press('/');
    await page.getByRole('searchbox').waitFor();
    await until('the field has the focus', () => page.evaluate(() => document.activeElement.matches('[data-search]')));
    await page.keyboard.type('salt');
    await page.getByRole('region', { name: 'Songs' }).waitFor();
    await tabTo(page, 'Play Salt');
    await press('Enter');
    await until('it plays', async () => (await playing()).title === 'Salt');
    assert.deepEqual(page.complaints, []);
  });
});

test('somebody new comes in and publishes without a pointer', async (test) => {
  const node = await Daemon.start(test);
  const page = await openWindow(await startBrowser(test), node.web);
  const step = story(test, page);
  const press = (key) => page.keyboard.press(key);
  const files = await album(TIDE);

  await step('the first run begins at the name, and its keys steer nothing else', async () => {
    await until('the name has the focus', async () => /^Your name/.test(await focused(page)));
    await page.keyboard.type('srq?');
    await press('Enter');
    await page.getByRole('heading', { name: 'Who can see what' }).waitFor();
    assert.deepEqual((({ shuffle, repeat }) => [shuffle, repeat])(await node.api.call('player', { command: 'state' })), [false, 'off']);
    assert.equal((await node.api.call('status')).name, 'srq?');
  });

  await step('both switches are in sight, and reached', async () => {
    const last = page.getByRole('switch', { name: 'Find people far away' });
    const [box, bar] = await Promise.all([last.boundingBox(), page.getByRole('button', { name: 'Continue' }).boundingBox()]);
    assert.ok(box.y + box.height <= bar.y, JSON.stringify([box, bar]));
    await tabTo(page, 'Continue');
    await press('Enter');
    await page.getByRole('heading', { name: 'Find people to listen with' }).waitFor();
    await tabTo(page, 'Go to the music');
    await press('Enter');
    await page.getByRole('heading', { name: 'No music here yet' }).waitFor();
  });

  await step('songs are chosen, told of, and are out', async () => {
    await tabTo(page, 'Studio');
    await press('Enter');
    await page.getByRole('heading', { name: 'Drop your music here' }).waitFor();
    const chooser = page.waitForEvent('filechooser');
    await tabTo(page, 'Choose files');
    await press('Enter');
    await (await chooser).setFiles(files);
    await page.getByLabel('Title of song 1').waitFor();
    await tabTo(page, /^CC BY 4/);
    await press('Space');
    await tabTo(page, /^I made this music/);
    await press('Space');
    await tabTo(page, 'Publish');
    await press('Enter');
    await page.getByText('It is out').waitFor();
    await page.getByText('Nobody is connected right now.').waitFor();
    assert.deepEqual(page.complaints, []);
  });
});

/** What a screen reader would say of what has the focus. */
function focused(page) {
  return page.evaluate(() => {
    const { ariaLabel, labels, textContent } = document.activeElement;
    return (ariaLabel ?? labels?.[0]?.textContent ?? textContent).replace(/\s+/g, ' ').trim();
  });
}

async function tabTo(page, name) {
  const stops = [];
  for (let stop = 0; stop < MOST_STOPS; stop += 1) {
    await page.keyboard.press('Tab');
    const at = await focused(page);
    stops.push(at);
    if (name instanceof RegExp ? name.test(at) : at === name) {
      assert.ok(await page.evaluate(() => document.activeElement.matches(':focus-visible')), `${name} shows its focus`);
      return;
    }
  }
  assert.fail(`${name} is not reached by Tab, only: ${stops.join(" | ")}`);
}
