/** How this screen looks: conveniences of one browser, nothing that would hurt to lose. */
import { backend } from '../backend';
import { setLocale, t, type Locale, LOCALES } from '../i18n/index.svelte';

export type Theme = 'system' | 'dark' | 'light';

const KEY = 'musicdao.appearance';

interface Stored {
  theme?: Theme;
  locale?: Locale;
}

class Appearance {
  theme = $state<Theme>('system');
  #dark = $state(true);

  /** Whether dark colours are shown. */
  get dark(): boolean {
    return this.theme === 'system' ? this.#dark : this.theme === 'dark';
  }

  start(): () => void {
    const stored = read();
    this.theme = stored.theme ?? 'system';
    void speak(stored.locale ?? preferred());
    const query = matchMedia('(prefers-color-scheme: dark)');
    const follow = () => (this.#dark = query.matches);
    follow();
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    write({ ...read(), theme });
  }

  async setLocale(locale: Locale): Promise<void> {
    await speak(locale);
    write({ ...read(), locale });
  }
}

export const appearance = new Appearance();

/** The page's words, and those of what lies outside it. */
async function speak(locale: Locale): Promise<void> {
  await setLocale(locale);
  backend().say({ ...t.shell });
}

function preferred(): Locale {
  const languages = navigator.languages.map((language) => language.slice(0, 2));
  return languages.map((language) => LOCALES.find((known) => known === language)).find(Boolean) ?? 'en';
}

function read(): Stored {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Stored;
  } catch {
    return {};
  }
}

function write(stored: Stored): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(stored));
  } catch {
    // A browser that stores nothing still shows everything.
  }
}
