/** Several artists with their records, and a listener who knows them all. */
import { Daemon } from './daemon.mjs';
import { cover } from './covers.mjs';
import { publish } from './publish.mjs';
import { album } from './songs.mjs';
import { until } from './until.mjs';
import { ALL } from './api.mjs';

const ARTISTS = [
  ['Marta Vos', [
    { title: 'Low Tide, High Fever', date: '2026-10-02', tags: ['folk', 'coastal', 'field recording'], songs: ['Salt', 'The Harbour Clock', 'Low Tide', 'High Fever', 'Undertow'], description: 'Recorded in a net loft over eleven days in March, windows open. The gulls on “Undertow” stayed in.\n\nThanks to Jory for the harmonium.' },
    { title: 'Letters to the Lighthouse', date: '2023', tags: ['folk', 'acoustic'], songs: ['Dear Keeper', 'Lamp Oil', 'Fog Signal'] },
  ]],
  ['Kilnhouse', [
    { title: 'Engines at Dusk', date: '2025-05-16', tags: ['post-rock', 'instrumental'], songs: ['Ember', 'Slow Fire', 'Night Shift', 'Clay'] },
    { title: 'Bricks & Weather', date: '2024', tags: ['post-rock'], songs: ['Mortar', 'Rain Date'] },
  ]],
  ['Noor and the Weather', [
    { title: 'Barometer', date: '2026-08', tags: ['ambient', 'electronic'], songs: ['Falling', 'Rising', 'Steady', 'Front'], license: 'CC-BY-SA-4.0' },
    { title: 'موسيقى الليل', date: '2024', tags: ['oud', 'ambient'], songs: ['الليل', 'نجوم', 'Return'] },
  ]],
  ['Otis Fern', [
    { title: 'Greenhouse Tapes', date: '2022', tags: ['ambient', 'field recording'], songs: ['Moss', 'Glass', 'Humid', 'Fern I', 'Fern II'], license: 'CC0-1.0' },
    { title: 'Small Hours, Large Rooms', date: '2026-11-06', tags: ['piano', 'ambient'], songs: ['Hallway', 'Sill', 'Landing'] },
  ]],
];

/**
 * @param {import('node:test').TestContext} test
 * @param {import('playwright-core').Browser} browser draws the sleeves
 */
export async function neighbourhood(test, browser, { sound } = {}) {
  const listener = await Daemon.start(test, { sound });
  const artists = await Promise.all(ARTISTS.map(() => Daemon.start(test)));
  await listener.api.call('profile_set', { name: 'Ilse', bio: null, links: null, avatar: null });
  const releases = {};
  for (const [place, [artist, records]] of ARTISTS.entries()) {
    const daemon = artists[place];
    await listener.api.call('join', { invite: daemon.invite });
    for (const record of records) {
      const files = await album({ artist, year: record.date.slice(0, 4), ...record });
      releases[record.title] = await publish(daemon, { artist, ...record, files, cover: await cover(browser, record.title, Object.keys(releases).length) });
    }
  }
  await until('all of it is known', async () => (await listener.api.call('releases', ALL)).total === Object.keys(releases).length);
  return { listener, artists, releases };
}
