/**
 * How fast the app feels: `make bench-app`, or by hand
 *
 *   MUSICDAO=target/release/musicdao FILL=target/release/examples/fill APP=target/release/musicdao-app node ui/bench/app.mjs [--lines] [--report DIR]
 *
 * `--lines` prints one JSON object per figure instead of a table, `--report` writes both into a folder.
 *
 * Filling takes minutes; LIBRARY and CATALOGUE name data folders that were filled before, TRACKS says how large the second one is.
 * ONLY=scrolling,click measures but these.
 * The window is driven by WebDriver under Xvfb, everything else in Chromium against the same daemon. Times are the page's own
 * (User Timing, Event Timing, Paint Timing) or frames counted by requestAnimationFrame, never those of the driver.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { DESKTOP, go, openWindow, startBrowser } from '../e2e/world/browser.mjs';
import { Daemon, ROOT } from '../e2e/world/daemon.mjs';
import { publish } from '../e2e/world/publish.mjs';
import { album } from '../e2e/world/songs.mjs';
import { until } from '../e2e/world/until.mjs';

const RELEASES = 10_000;
const TRACKS_OF_RELEASE = 12;
const TRACKS = Number(process.env.TRACKS ?? 1_000_000);
const ROWS = 100_000;
const STARTS = 5;
const CLICKS = 20;
const WORDS = 40;
const SCROLL_MS = 20_000;
/** A frame longer than this is seen. */
const JANK_MS = 50;
const FILL = process.env.FILL ?? join(ROOT, 'target/release/examples/fill');
const APP = process.env.APP ?? join(ROOT, 'target/release/musicdao-app');

/** In the page: when it first painted and when Home could be used, in Unix milliseconds. */
const MILESTONES = `() => {
  const paint = performance.getEntriesByType('paint').find(({ name }) => name === 'first-contentful-paint');
  const ready = performance.getEntriesByName('ready')[0];
  return paint && ready && { painted: performance.timeOrigin + paint.startTime, ready: performance.timeOrigin + ready.startTime };
}`;
/** In the page: scrolls with every frame, and tells how long each frame took. */
const SCROLL = (step) => `new Promise((done) => {
  const scroller = document.querySelector('main');
  const frames = [];
  let last;
  let began;
  const frame = (now) => {
    began ??= now;
    if (last !== undefined) frames.push(now - last);
    last = now;
    const step = ${step};
    const most = scroller.scrollHeight - scroller.clientHeight;
    scroller.scrollTop = step === undefined ? Math.random() * most : (scroller.scrollTop + step) % most;
    if (now - began < ${SCROLL_MS}) requestAnimationFrame(frame);
    else done(frames);
  };
  requestAnimationFrame(frame);
})`;
/** In the page: how long after the last letter the results that it changed were painted. */
const WATCH_RESULTS = `() => {
  let typed = 0;
  addEventListener('input', () => (typed = performance.now()), true);
  const watch = new MutationObserver(() => {
    if (globalThis.answered !== undefined || !document.querySelector('main section')) return;
    const since = typed;
    globalThis.answered = null;
    requestAnimationFrame(() => setTimeout(() => (globalThis.answered = performance.now() - since)));
  });
  watch.observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true });
}`;

const rows = [];
const endings = [];
/** What the tests' world wants of a test: to be told its end. */
const bench = { after: (end) => endings.push(end) };

try {
  if (wanted('bundle')) bundle();
  const large = await filled({ tracks: RELEASES * TRACKS_OF_RELEASE, saved: RELEASES, files: ROWS }, process.env.LIBRARY);
  if (wanted('window')) await windowStart(large);
  const browser = await startBrowser(bench);
  if (wanted('page')) await pageStart(browser, large);
  if (wanted('scrolling')) await scrolling(browser, large);
  if (wanted('click')) await click(browser, large);
  if (wanted('typing')) await typing(browser, await filled({ tracks: TRACKS, queries: WORDS }, process.env.CATALOGUE));
} finally {
  for (const end of endings.reverse()) await end();
}
report();

/** Whether a measurement was asked for: `bundle`, `window`, `page`, `scrolling`, `click`, `typing`; all where none is named. */
function wanted(name) {
  const names = process.env.ONLY?.split(',') ?? [name];
  return names.includes(name);
}

/** A data folder with a large library; the folder stays while daemons on it come and go. */
async function filled({ tracks = 0, saved = 0, files = 0, queries = 0 }, ready) {
  const folder = await mkdtemp(join(tmpdir(), 'musicdao-bench-'));
  bench.after(() => rm(folder, { recursive: true, force: true }));
  const began = Date.now();
  // A folder that was filled before only lacks its queries.
  const amounts = ready ? [0, 0, 0, queries] : [tracks, saved, files, queries];
  const told = execFileSync(FILL, [folder, ...amounts.map(String)], { encoding: 'utf8' });
  note(`filled ${amounts.join(', ')} in ${Math.round((Date.now() - began) / 1000)} s`);
  return { folder: ready ?? folder, queries: told.split('\n').filter(Boolean) };
}

function bundle() {
  const folder = join(ROOT, 'ui/dist');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.reduce((sum, { parentPath, name }) => sum + gzipSync(readFileSync(join(parentPath, name)), { level: 9 }).length, 0);
  add('bundle, gzip, every file', 'kB', [bytes / 1000], 'each file of ui/dist by gzip -9, fonts and both languages included', '<= 250');
  add('bundle, gzip, before the first screen', 'kB', [first(folder) / 1000], 'index.html and what it needs to show anything, by gzip -9, fonts left out', '');
}

/** Bytes of what the page fetches before any screen: its index, and what that and its scripts name at their beginning. */
function first(folder) {
  const sizes = new Map();
  const take = (path) => {
    if (sizes.has(path)) return;
    const text = readFileSync(join(folder, path));
    sizes.set(path, gzipSync(text, { level: 9 }).length);
    const named = path.endsWith('.html') ? text.toString().matchAll(/"\.\/(assets\/[^"]+\.(?:js|css))"/g) : text.toString().matchAll(/(?:from|[;}]import|^import)"\.\/([^"]+\.js)"/g);
    for (const [, name] of named) take(path.endsWith('.html') ? name : `assets/${name}`);
  };
  take('index.html');
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** The window: from the start of its process to its first paint, and to a Home that can be pressed. */
async function windowStart({ folder }) {
  if (!existsSync(APP)) return note(`no window measured: ${APP} is missing`);
  const [painted, ready] = [[], []];
  for (let run = 0; run < STARTS; run += 1) {
    const world = await desktop();
    try {
      const { at, began } = await world.open(folder);
      painted.push(at.painted - began);
      if (at.ready) ready.push(at.ready - began);
    } finally {
      await world.end();
    }
  }
  const method = `${STARTS} starts of ${APP.replace(ROOT, '').slice(1)} under Xvfb, ${RELEASES} releases saved; process start by /proc`;
  add('window, process start to painted', 'ms', painted, method, '<= 1000');
  add('window, process start to interactive', 'ms', ready, `${method}; Home shows what can be pressed`, '<= 1500');
}

/** The browser version: from the start of the daemon's process. */
async function pageStart(browser, { folder }) {
  const [painted, ready] = [[], []];
  for (let run = 0; run < STARTS; run += 1) {
    const began = Date.now();
    const daemon = await daemonOn(folder);
    const page = await openWindow(browser, daemon.web, { size: DESKTOP });
    const at = await until('Home is there', () => page.evaluate(`(${MILESTONES})()`));
    painted.push(at.painted - began);
    ready.push(at.ready - began);
    await page.context().close();
    await daemon.stop();
  }
  const method = `${STARTS} starts of the daemon and a new Chromium context, ${RELEASES} releases saved`;
  add('browser, daemon start to painted', 'ms', painted, method, '<= 1000');
  add('browser, daemon start to interactive', 'ms', ready, method, '<= 1500');
}

/** Frames while a list of 100,000 rows is scrolled fast, then wildly. */
async function scrolling(browser, { folder }) {
  const daemon = await daemonOn(folder);
  const page = await openWindow(browser, daemon.web, { size: DESKTOP });
  await go(page, '#/library/files');
  await page.getByRole('listitem').first().waitFor();
  for (const [name, step] of [['a fast wheel', '120'], ['pages at once', 'scroller.clientHeight * 3'], ['anywhere', 'undefined']]) {
    const session = await page.context().newCDPSession(page);
    // What the page's own thread computes, whatever else the machine does.
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busy = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value * 1000;
    const before = await busy();
    const frames = await page.evaluate(SCROLL(step));
    const work = ((await busy()) - before) / frames.length;
    await session.detach();
    const janky = frames.filter((frame) => frame > JANK_MS).length;
    const method = `Files with ${ROWS} rows, ${SCROLL_MS / 1000} s of ${name}, every animation frame; ${janky} of ${frames.length} frames over ${JANK_MS} ms, longest ${Math.max(...frames).toFixed(0)} ms`;
    add(`frames while scrolling, ${name}`, 'ms', frames, method, 'none > 50');
    add(`main thread a frame, ${name}`, 'ms', [work], 'mean processor time of the page’s thread, of the frames above', '<= 16');
    add(`frames over ${JANK_MS} ms, ${name}`, 'frames', [janky], method, '0');
  }
  await page.context().close();
  await daemon.stop();
}

/** From a click on play to the next paint, by the browser's Event Timing. */
async function click(browser, { folder }) {
  const daemon = await daemonOn(folder);
  await publish(daemon, { artist: 'Marta Vos', title: 'Low Tide', files: await album({ artist: 'Marta Vos', title: 'Low Tide', songs: ['Salt', 'Undertow'] }) });
  const page = await openWindow(browser, daemon.web, { size: DESKTOP });
  const { releases } = await daemon.api.call('releases', { tag: null, artist: daemon.id, license: null, followed: false, liked: false, similar_to: null, sort: 'new', limit: 1, offset: 0 });
  await go(page, `#/release/${releases[0].release_id}`);
  await page.evaluate(() => {
    globalThis.clicks = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (entry.name === 'click') globalThis.clicks.push(entry.duration);
    }).observe({ type: 'event', durationThreshold: 16 });
  });
  for (let press = 0; press < CLICKS; press += 1) {
    await page.getByRole('main').getByRole('button', { name: /^(Play|Pause) / }).nth(press % 2).click();
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  }
  // The observer tells only what took 16 ms or more; the others count as 16.
  const told = await page.evaluate(() => globalThis.clicks);
  const times = [...told, ...Array.from({ length: Math.max(0, CLICKS - told.length) }, () => 16)];
  add('click on play to its paint', 'ms', times, `${CLICKS} clicks, Event Timing (input to next paint, in steps of 8 ms, 16 at least)`, '<= 50');
  await page.context().close();
  await daemon.stop();
}

/** From the last letter typed to its results on the screen. */
async function typing(browser, { folder, queries }) {
  const daemon = await daemonOn(folder);
  const page = await openWindow(browser, daemon.web, { size: DESKTOP });
  await go(page, '#/search');
  const field = page.getByRole('searchbox');
  await field.waitFor();
  await page.evaluate(`(${WATCH_RESULTS})()`);
  const times = [];
  for (const query of queries) {
    await field.fill('');
    await page.evaluate(() => (globalThis.answered = undefined));
    await field.fill(query.slice(0, -1));
    // The letters before have had their answer: the last one is what is measured.
    await page.waitForTimeout(400);
    await page.evaluate(() => (globalThis.answered = undefined));
    await field.press('End');
    await page.keyboard.type(query.slice(-1));
    const took = await until('an answer', () => page.evaluate(() => globalThis.answered ?? undefined), 3_000).catch(() => undefined);
    if (took !== undefined) times.push(took);
  }
  add('typing in Search to results', 'ms', times, `${TRACKS} tracks, the last letter of ${times.length} queries that changed what is shown; input event to the paint of the results`, '<= 100');
  await daemon.stop();
}

/** The tests' daemon on a folder that is there already. */
async function daemonOn(folder) {
  const daemon = new Daemon(folder, undefined, { disk: '', alone: true });
  bench.after(() => daemon.stop('SIGKILL'));
  await daemon.start();
  return daemon;
}

/** A screen, a bus and a WebDriver of our own. */
async function desktop() {
  const folder = await mkdtemp(join(tmpdir(), 'musicdao-screen-'));
  const children = [];
  const run = (program, options, env = {}) => {
    const child = spawn(program, options, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    children.push(child);
    return child;
  };
  const line = (child) => new Promise((told) => createInterface({ input: child.stdout }).once('line', told));
  const display = `:${await line(run('Xvfb', ['-displayfd', '1', '-screen', '0', '1280x800x24', '-nolisten', 'tcp']))}`;
  const bus = await line(run('dbus-daemon', ['--session', '--nofork', '--nopidfile', '--print-address=1']));
  const env = {
    HOME: folder, XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder, XDG_CACHE_HOME: folder, DISPLAY: display,
    DBUS_SESSION_BUS_ADDRESS: bus, GDK_BACKEND: 'x11', WEBKIT_DISABLE_DMABUF_RENDERER: '1', NO_AT_BRIDGE: '1', ALSA_CONFIG_PATH: '/dev/null',
    TAURI_AUTOMATION: 'true', TAURI_WEBVIEW_AUTOMATION: 'true',
  };
  return {
    async open(data) {
      const port = await freePort();
      run('WebKitWebDriver', ['--host=127.0.0.1', `--port=${port}`], { ...env, MUSICDAO_DATA: data });
      const base = `http://127.0.0.1:${port}`;
      await until('the driver', () => fetch(`${base}/status`).then(() => true, () => false));
      const post = async (path, body) => (await (await fetch(base + path, { method: 'POST', body: JSON.stringify(body) })).json()).value;
      const options = { 'webkitgtk:browserOptions': { binary: APP, args: [] } };
      const { sessionId } = await post('/session', { capabilities: { alwaysMatch: options } });
      const script = `return (${MILESTONES})()`;
      const at = await until('Home is there', () => post(`/session/${sessionId}/execute/sync`, { script, args: [] }));
      const { pid } = JSON.parse(readFileSync(join(data, 'daemon.json'), 'utf8'));
      const began = startOf(pid);
      await fetch(`${base}/session/${sessionId}`, { method: 'DELETE' });
      await until('the app has ended', () => !existsSync(`/proc/${pid}`));
      return { at, began };
    },
    async end() {
      for (const child of children.reverse()) {
        if (child.exitCode === null) {
          process.kill(-child.pid, 'SIGKILL');
          await once(child, 'exit');
        }
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** When a process began, in Unix milliseconds, to the kernel's hundredth of a second. */
function startOf(pid) {
  const ticks = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').pop().trim().split(/\s+/)[19]);
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  return Date.now() - uptime * 1000 + ticks * 10;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function add(name, unit, values, method, goal) {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (percent) => sorted[Math.max(1, Math.ceil((sorted.length * percent) / 100)) - 1];
  const row = { name, unit, p50: rank(50), p95: rank(95), runs: sorted.length, method, baseline: goal, machine: machine(), commit: commit(), load: loadavg()[0] };
  rows.push(row);
  note(`${name}: ${row.p50?.toFixed(1)} ${unit}, p95 ${row.p95?.toFixed(1)} (${row.runs} runs, goal ${goal}, load ${row.load.toFixed(1)}); ${method}`);
}

function machine() {
  return `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${process.platform} ${process.arch}`;
}

function commit() {
  return execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], { cwd: ROOT, encoding: 'utf8' }).trim();
}

function note(text) {
  process.stderr.write(`${text}\n`);
}

function report() {
  const shown = (value) => (value === undefined ? 'n/a' : value.toFixed(1));
  const table = [
    `## app\n\n${machine()}, commit ${commit()}\n\n| figure | unit | p50 | p95 | runs | method | to beat |\n|---|---|---|---|---|---|---|`,
    ...rows.map((row) => `| ${row.name} | ${row.unit} | ${shown(row.p50)} | ${shown(row.p95)} | ${row.runs} | ${row.method} | ${row.baseline} |`),
  ].join('\n');
  const at = process.argv.indexOf('--report');
  if (at > 0) {
    writeFileSync(join(process.argv[at + 1], 'app.json'), `${JSON.stringify(rows, undefined, 2)}\n`);
    writeFileSync(join(process.argv[at + 1], 'app.md'), `${table}\n`);
  }
  console.log(process.argv.includes('--lines') ? rows.map((row) => JSON.stringify(row)).join('\n') : table);
}
