/** Covers and waveforms, fetched once and kept for a while. */
import { backend, type AssetSize } from '../backend';

/** Covers kept ready: a screen shows some dozens of small ones, a few tens of kilobytes each, and one whole. */
const MOST_COVERS: Record<AssetSize, number> = { small: 400, whole: 12 };
const MOST_WAVEFORMS = 100;
/** Bytes of waveform per track. */
export const WAVE_BYTES = 200;

const TYPES: [string, number[]][] = [
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/png', [0x89, 0x50, 0x4e, 0x47]],
  ['image/gif', [0x47, 0x49, 0x46, 0x38]],
  ['image/webp', [0x52, 0x49, 0x46, 0x46]],
];

const covers = { small: new Map<string, Promise<string>>(), whole: new Map<string, Promise<string>>() };
const waveforms = new Map<string, Promise<Uint8Array>>();

/** A URL of a cover's pixels. Only what begins like an image of a known format is handed to the browser as one. */
export function cover(name: string, size: AssetSize): Promise<string> {
  return kept(covers[size], name, MOST_COVERS[size], async () => {
    const blob = await backend().asset(name, size);
    const type = imageType(new Uint8Array(await blob.slice(0, 4).arrayBuffer()));
    if (!type) throw new Error('not an image');
    return URL.createObjectURL(new Blob([blob], { type }));
  }, (url) => URL.revokeObjectURL(url));
}

/** The waveform of one track of a release. */
export async function waveform(hash: string, track: number): Promise<Uint8Array> {
  const all = await kept(waveforms, hash, MOST_WAVEFORMS, async () => {
    const blob = await backend().asset(hash, 'whole');
    return new Uint8Array(await blob.arrayBuffer());
  });
  return all.subarray((track - 1) * WAVE_BYTES, track * WAVE_BYTES);
}

/** The picture of an entry of a list: its release's, else the one within the own file. */
export function sleeveOf({ cover: hash, file }: { cover: string | null; file: number | null }): string | null {
  return hash ?? (file === null ? null : `file-${file}`);
}

export function imageType(head: Uint8Array): string | undefined {
  return TYPES.find(([, magic]) => magic.every((byte, place) => head[place] === byte))?.[0];
}

/** Least recently used goes first; a failure is not kept, so that it can be tried again. */
function kept<T>(
  cache: Map<string, Promise<T>>,
  key: string,
  most: number,
  make: () => Promise<T>,
  drop: (value: T) => void = () => {},
): Promise<T> {
  const found = cache.get(key);
  const value = found ?? make();
  cache.delete(key);
  cache.set(key, value);
  if (found) return value;
  value.catch(() => cache.get(key) === value && cache.delete(key));
  for (const [oldest, old] of cache) {
    if (cache.size <= most) break;
    cache.delete(oldest);
    old.then(drop, () => {});
  }
  return value;
}
