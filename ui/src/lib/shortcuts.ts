/** The keyboard, wherever nothing else wants it. */
import { router } from './router.svelte';
import { layout } from './state/layout.svelte';
import { player, STEP_MS } from './state/player.svelte';

const KEYS: Record<string, () => unknown> = {
  ' ': () => player.toggle(),
  k: () => player.toggle(),
  j: () => player.step(-STEP_MS),
  l: () => player.step(STEP_MS),
  ArrowLeft: () => player.step(-STEP_MS),
  ArrowRight: () => player.step(STEP_MS),
  n: () => player.next(),
  p: () => player.previous(),
  m: () => player.toggleMute(),
  s: () => player.toggleShuffle(),
  r: () => player.cycleRepeat(),
  q: () => (layout.phone ? router.go('#/playing') : (layout.queue = !layout.queue)),
  h: () => router.go('#/'),
  b: () => router.go('#/library'),
  f: () => (router.route.path[0] === 'playing' ? router.back() : router.go('#/playing')),
  '/': () => search(),
  '?': () => (layout.help = true),
  Escape: () => router.route.path[0] === 'playing' && router.back(),
};

/** Keys that a focused control uses itself. */
const OWN: Record<string, string> = {
  ' ': 'button, a[href], summary, [role="switch"], [role="option"]',
  ArrowLeft: '[role="slider"], [role="tab"], [role="radio"], [role="menu"] *',
  ArrowRight: '[role="slider"], [role="tab"], [role="radio"], [role="menu"] *',
};

export function shortcuts(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  // The first run has no player to steer yet.
  if (router.route.path[0] === 'welcome') return;
  const target = event.target as Element;
  if (target.closest('input, textarea, select, [contenteditable]')) return;
  if (document.querySelector('[role="dialog"], [role="menu"]')) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const own = OWN[key];
  if (own && target.matches(own)) return;
  const act = KEYS[key];
  if (!act) return;
  event.preventDefault();
  act();
}

function search(): void {
  router.go('#/search');
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>('[data-search]')?.focus());
}
