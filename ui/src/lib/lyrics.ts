/** Lyrics as they stand in files: plain, or with a time before each line (LRC). */

export interface Line {
  text: string;
  /** When it is sung; undefined where the lyrics are plain. */
  at: number | undefined;
}

const TIME = /\[(\d{1,3}):(\d{2})(?:[.:](\d{1,3}))?\]/g;
/** `[ar:…]`, `[length:…]` and their like are about the file. */
const ABOUT = /^\[[a-z]+:.*\]$/i;

/** Reads lyrics into lines; timed ones in the order in which they are sung. */
export function lines(text: string): Line[] {
  const plain = text.split(/\r?\n/).map((line) => line.trimEnd());
  const timed = plain.flatMap(times);
  if (!timed.length) return plain.filter((line) => !ABOUT.test(line)).map((line) => ({ text: line, at: undefined }));
  return timed.sort((a, b) => a.at - b.at);
}

/** The place of the line that is being sung; -1 before the first. */
export function sung(all: Line[], position: number): number {
  return all.findLastIndex(({ at }) => at !== undefined && at <= position);
}

/** A line once for each of its times. */
function times(line: string): { text: string; at: number }[] {
  const text = line.replace(TIME, '').trim();
  return [...line.matchAll(TIME)].map(([, minutes, seconds, rest = '']) => ({
    text,
    at: Number(minutes) * 60_000 + Number(seconds) * 1000 + Number(rest.padEnd(3, '0')),
  }));
}
