import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** A component's own class: of its file, so that it stays the same, and no longer than telling them apart takes. */
function cssHash({ hash, filename, css }) {
  return `s${hash(filename ?? css).slice(0, 4)}`;
}

export default { preprocess: vitePreprocess(), compilerOptions: { runes: true, cssHash } };
