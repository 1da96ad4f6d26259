/** Which screen a route shows; each is fetched when it is first seen. */
import type { Component } from 'svelte';
import type { Route } from './lib/router.svelte';

export type Section = 'home' | 'search' | 'library' | 'studio' | 'wallet' | 'daos' | 'settings' | 'playing';

export interface Screen {
  name: string;
  /** What is marked in the rail and the tabs. */
  section: Section | undefined;
  /** A change of it makes the screen anew. */
  key: string;
  load: () => Promise<{ default: Component }>;
}

type Entry = [Section | undefined, Screen['load']];

const SCREENS: Record<string, Entry> = {
  '': ['home', () => import('./screens/Home.svelte')],
  browse: ['home', () => import('./screens/Browse.svelte')],
  tag: ['search', () => import('./screens/Browse.svelte')],
  search: ['search', () => import('./screens/Search.svelte')],
  artist: [undefined, () => import('./screens/Artist.svelte')],
  playing: ['playing', () => import('./screens/Playing.svelte')],
  library: ['library', () => import('./screens/Library.svelte')],
  playlist: ['library', () => import('./screens/Playlist.svelte')],
  studio: ['studio', () => import('./screens/Studio.svelte')],
  wallet: ['wallet', () => import('./screens/Wallet.svelte')],
  daos: ['daos', () => import('./screens/Daos.svelte')],
  dao: ['daos', () => import('./screens/Dao.svelte')],
  settings: ['settings', () => import('./screens/Settings.svelte')],
  welcome: [undefined, () => import('./screens/Welcome.svelte')],
  release: [undefined, () => import('./screens/Release.svelte')],
};

/** Screens of a DAO of their own; its other parts are looked at in turn. */
const APART = ['board', 'propose'];

export function screenOf({ path }: Route): Screen {
  const first = path[0] ?? '';
  const name = Object.hasOwn(SCREENS, first) ? first : '';
  const [section, load] = SCREENS[name]!;
  // Search keeps its field while one types; other screens are new for a new subject.
  const key = name === 'search' || name === 'settings' ? name : name === 'dao' && !APART.includes(path[2] ?? '') ? path.slice(0, 2).join('/') : path.join('/');
  return { name: name || 'home', section, key, load };
}
