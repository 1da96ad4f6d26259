import { t } from './i18n/index.svelte';

/** What can be published, most free last; the words for each are in the messages. */
export const LICENSES = [
  'CC-BY-4.0', 'CC-BY-SA-4.0', 'CC-BY-NC-4.0', 'CC-BY-NC-SA-4.0', 'CC-BY-ND-4.0', 'CC-BY-NC-ND-4.0', 'CC0-1.0', 'LAL-1.3',
  'GPL-2.0-or-later',
] as const;

export type License = (typeof LICENSES)[number];

/** A licence's name and what it means in a line; older versions share the line of theirs. */
export function license(spdx: string): { name: string; line?: string } {
  const known = LICENSES.find((one) => one.replace(/-[\d.]+(?=$)/, '') === spdx.replace(/-[\d.]+(?=$)/, ''));
  return known ? { name: spdx, line: t.licenses[known] } : { name: spdx };
}
