/** Numbers and times as people read them; ids. */

/** Whether it can be the id of somebody or of a release. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** `3:07`, `1:02:03`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, '0') : part)).join(':');
}

/** `4.2 MB` in the words of the locale. */
export function bytes(count: number, locale: string): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  const format: Intl.NumberFormatOptions = {
    style: 'unit',
    unit: units[power]!,
    unitDisplay: power ? 'short' : 'long',
    maximumFractionDigits: value < 10 && power ? 1 : 0,
  };
  return new Intl.NumberFormat(locale, format).format(value);
}

/** `YYYY`, `YYYY-MM` or `YYYY-MM-DD` as far as it is known. */
export function releaseDate(date: string, locale: string): string {
  const [year, month, day] = date.split('-').map(Number);
  if (!year) return date;
  const options: Intl.DateTimeFormatOptions = { year: 'numeric', timeZone: 'UTC' };
  if (month) options.month = 'long';
  if (day) options.day = 'numeric';
  return new Intl.DateTimeFormat(locale, options).format(Date.UTC(year, (month ?? 1) - 1, day ?? 1));
}

/** `5 minutes ago`. */
export function ago(then: number, now: number, locale: string): string {
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3_600], ['minute', 60],
  ];
  const seconds = Math.round((then - now) / 1000);
  const words = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const step = steps.find(([, length]) => Math.abs(seconds) >= length);
  return step ? words.format(Math.trunc(seconds / step[1]), step[0]) : words.format(0, 'second');
}

/** The beginning of an id, enough to tell two apart. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}
