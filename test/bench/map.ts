/** How soon a map is on the screen after a run, and what any tile of it costs: plain, of words, renormalised, at every zoom. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { TileRequest } from '../../extension/contract/api.ts';
import type { Engine } from '../../extension/children/engine.ts';
import { openGallery } from '../gallery/gallery.ts';

export interface MapBench { readonly engine: Engine; readonly model: string; readonly cache: string; readonly ids: (T: number) => number[]; readonly say: (line: string) => void }

const rounds = 5;
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];

/** From the moment the runner has written its capture until the panel, in a browser that is open, has painted its first map. As in the product, the page opens when the model starts to run. */
async function firstMap({ engine, model, cache, ids, say }: MapBench, T: number): Promise<void> {
  const out = join(cache, 'map.attntrace'), analysis = await engine.analysis(), request = { model, prompt: { kind: 'ids', ids: ids(T) } as const, out }, parts: { complete: number; total: number }[] = [];
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--enable-unsafe-swiftshader'] });
  try {
    for (let round = 0; round <= rounds; round++) {
      const page = await browser.newPage({ viewport: { width: 1200, height: 860 } }), kept = JSON.stringify({ tab: 'attention', site: 'blocks.0.attn', head: 1, batch: 0, scale: 'linear' });
      await page.addInitScript(value => sessionStorage.setItem('kept', value), kept);
      let start = 0, completed = 0, running: () => void = () => undefined;
      const begun = new Promise<void>(resolve => { running = resolve; });
      const made = engine.capture(request, { onProgress: ({ phase }) => { if (phase === 'run') running(); } }).then(captured => { start = performance.now(); return analysis.complete(captured); }).then(() => { completed = performance.now(); });
      const gallery = await openGallery(out, made);
      await begun;
      await page.goto(gallery.url('dark'));
      const end = await page.evaluate(painted) - performance.timeOrigin;
      if (round) parts.push({ complete: completed - start, total: end - start });
      await page.close();
      gallery.close();
    }
  } finally { await browser.close(); rmSync(out, { force: true }); }
  say(`End of run to first drawn map, T=${T}: ${median(parts.map(one => one.total)).toFixed(0)} ms (limit 300 ms): the trace complete after ${median(parts.map(one => one.complete)).toFixed(0)} ms; medians of ${rounds}`);
}

/** In the page: the time, in ms since 1970, when the first map was painted. */
function painted(): Promise<number> {
  return new Promise(resolve => {
    const look = (): void => { if (document.querySelector('[data-testid="map"][data-ready="true"]')) requestAnimationFrame(() => setTimeout(() => resolve(performance.timeOrigin + performance.now()))); else requestAnimationFrame(look); };
    look();
  });
}

async function tiles({ engine, model, cache, ids, say }: MapBench, T: number): Promise<void> {
  const out = join(cache, 'tiles.attntrace'), analysis = await engine.analysis();
  await analysis.complete(await engine.capture({ model, prompt: { kind: 'ids', ids: ids(T) }, out }));
  const { trace, manifest } = await analysis.open({ file: out }), words = (from: number, to: number): number[] => { const runs: number[] = []; for (let at = from; at < to; at += 3) runs.push(at, Math.min(to, at + 3)); return runs; };
  const kinds: Readonly<Record<string, (size: number, row: number, col: number) => Partial<TileRequest>>> = { 'single tokens': () => ({}), words: (size, row, col) => ({ join: { rows: words(row, row + size), cols: words(col, col + size) } }), renormalised: () => ({ without: [0] }) };
  for (const [kind, more] of Object.entries(kinds)) {
    const times: number[] = [];
    for (let n = 0; n < 48; n++) {
      const size = Math.min(T, 256 << (n % 4)), row = n % 4 === 3 ? 0 : (n * 613) % (T - size + 1), col = Math.min(row, (n * 211) % (T - size + 1)), site = manifest.sites[(n >> 2) % manifest.sites.length].name, start = performance.now();
      await analysis.tile({ trace, site, batch: 0, head: n % 12, rows: [row, row + size], cols: [col, col + size], height: 256, width: 256, of: 'prob', reduce: 'max', ...more(size, row, col) });
      times.push(performance.now() - start);
    }
    const whole = times.filter((_, n) => n % 4 === 3);
    say(`Tiles of 256 × 256 texels, T=${T}, ${kind}: median ${median(times).toFixed(0)} ms, largest ${Math.max(...times.slice(4)).toFixed(0)} ms; the whole map in one tile: median ${median(whole).toFixed(0)} ms (limit 50 ms a tile)`);
  }
  await analysis.close({ trace });
  rmSync(out, { force: true });
}

export async function maps(bench: MapBench): Promise<void> {
  bench.say('');
  await firstMap(bench, 64);
  await firstMap(bench, 512);
  await tiles(bench, 2048);
}
