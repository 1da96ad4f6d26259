/** Songs for the tests: parts of real ones, tagged as an artist would tag them. */
import { execFile } from 'node:child_process';
import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './daemon.mjs';

const run = promisify(execFile);
const FIXTURES = join(ROOT, 'target/fixtures');
const CUTS = join(ROOT, 'target/e2e/songs');
const NAMES = ['frontiers', 'machine_wars', 'time_to_strike'];

/** A whole song as it was made. */
export function song(name, ending = 'mp3') {
  return join(FIXTURES, `${name}.${ending}`);
}

/**
 * An album on the disk; made once and kept.
 * @param {{ artist: string, title: string, year?: string, songs: string[], seconds?: number }} album
 * @returns {Promise<string[]>} its files in order
 */
export async function album({ artist, title, year = '2026', songs, seconds = 40 }) {
  const folder = join(CUTS, slug(`${artist} ${title} ${seconds}`));
  await mkdir(folder, { recursive: true });
  const files = [];
  for (const [place, name] of songs.entries()) {
    const file = join(folder, `${String(place + 1).padStart(2, '0')} ${slug(name)}.mp3`);
    const tags = { artist, album: title, title: name, date: year, track: `${place + 1}/${songs.length}` };
    await cut(file, { tags, seconds, seed: slug(artist).length + place });
    files.push(file);
  }
  return files;
}

async function cut(file, { tags, seconds, seed }) {
  if (await exists(file)) return;
  const part = `${file}.${process.pid}.mp3`;
  const told = Object.entries(tags).flatMap(([key, value]) => ['-metadata', `${key}=${value}`]);
  const from = ['-ss', String((seed * 13) % 60), '-t', String(seconds), '-i', song(NAMES[seed % NAMES.length])];
  await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...from, '-map', '0:a', '-c', 'copy', ...told, part]);
  await rename(part, file);
}

async function exists(file) {
  return access(file).then(() => true, () => false);
}

/** Letters of any script stay; what a file name cannot hold goes. */
function slug(text) {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 60);
}
