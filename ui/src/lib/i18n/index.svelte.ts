/** Every word the app says, in the chosen language. English is the measure: other languages must be complete. */
import { en } from './en';

export type Messages = typeof en;

export const LOCALES = ['en', 'nl'] as const;
export type Locale = (typeof LOCALES)[number];

/** Languages by their own names. */
export const LANGUAGES: Record<Locale, string> = { en: 'English', nl: 'Nederlands' };

class Language {
  locale = $state<Locale>('en');
  messages = $state.raw<Messages>(en);
}

const language = new Language();

/** The messages; reading them in a template follows the language. */
export const t: Messages = new Proxy({} as Messages, {
  get: (_, area) => language.messages[area as keyof Messages],
});

export function locale(): Locale {
  return language.locale;
}

export async function setLocale(next: Locale): Promise<void> {
  language.messages = next === 'nl' ? (await import('./nl')).nl : en;
  language.locale = next;
  document.documentElement.lang = next;
}
