import { readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { ProxyOptions } from 'vite';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds a daemon: the `daemon.json` of the data folder that MUSICDAO_DATA names. */
function daemon(): string | undefined {
  const data = process.env.MUSICDAO_DATA;
  if (!data) return undefined;
  const { addr } = JSON.parse(readFileSync(`${data}/daemon.json`, 'utf8')) as { addr: string };
  return `http://${addr}`;
}

/** The daemon answers only its own page, so the proxy speaks with the daemon's own Host and Origin. */
function proxy(target: string): Record<string, ProxyOptions> {
  const same: ProxyOptions = { target, changeOrigin: true, headers: { origin: target } };
  return { '/ws': { ...same, ws: true }, '/asset': same, '/upload': same };
}

const target = daemon();

/**
 * What is fetched together, the first that fits: few files are packed much smaller than many, and what the first screen needs stays
 * apart from what it does not.
 */
const GROUPS = [
  { name: 'base', test: /node_modules[\\/](svelte|@lucide|esm-env|clsx)|lib[\\/](?!i18n[\\/].*nl)(?!state[\\/](dao|studio)\.)(?!components[\\/]money[\\/](?!SupportButton|Network))(?!components[\\/](QrCode|Share|Restore|Backup|Report|TagEditor|Segments|Switch|Lyrics|Waveform))/ },
  { name: 'listen', test: /screens[\\/](Home|Browse|Search|Artist|Playing|Library|Playlist|Release|library[\\/])/ },
  { name: 'own', test: /uqr|components[\\/](QrCode|Segments|money)|screens[\\/](Wallet|wallet|Studio|studio|Settings|settings|Welcome)/ },
  { name: 'dao', test: /screens[\\/][Dd]ao|state[\\/]dao/ },
];

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  base: './',
  clearScreen: false,
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  build: {
    target: 'es2022',
    // Inlined data: URLs would need holes in the content security policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    // How long plugins take is no news for who builds.
    rolldownOptions: { checks: { pluginTimings: false }, output: { codeSplitting: { groups: GROUPS } } },
  },
  server: { port: 5173, strictPort: true, ...(target ? { proxy: proxy(target) } : {}) },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    testTimeout: 20_000,
    setupFiles: ['tests/setup.ts'],
  },
}));
