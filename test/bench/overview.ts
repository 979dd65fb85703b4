/** How smoothly the Overview of 32 × 32 and of 64 × 64 heads scrolls in the test browser, and how quickly it answers to a metric, an order and a filter. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Engine } from '../../extension/children/engine.ts';
import { openGallery } from '../gallery/gallery.ts';
import { browserFlags, browserPath } from '../gallery/stage.ts';
import { generateDecoder } from './generate-decoder.ts';

const grids = [32, 64] as const, tokens = 96, scrollMs = 3000;

interface Scrolled { readonly frames: number; readonly ms: number; readonly longestMs: number; readonly pixels: number }

/** Scrolls the panel down and up in every frame, and counts the frames that the page was given. */
const scroll = `(async ms => {
  const panel = document.querySelector('.panel'), start = performance.now(), times = [];
  let by = 24, pixels = 0;
  for (let now = start; now - start < ms;) {
    now = await new Promise(requestAnimationFrame);
    times.push(now);
    const before = panel.scrollTop;
    panel.scrollTop += by;
    pixels += Math.abs(panel.scrollTop - before);
    if (panel.scrollTop === before) by = -by;
  }
  return { frames: times.length - 1, ms: times[times.length - 1] - times[0], longestMs: Math.max(...times.slice(1).map((time, i) => time - times[i])), pixels };
})(${scrollMs})`;

export async function overview(say: (line: string) => void, engine: Engine, cache: string): Promise<void> { for (const heads of grids) await grid(say, engine, cache, heads); }

async function grid(say: (line: string) => void, engine: Engine, cache: string, heads: number): Promise<void> {
  const layers = heads, model = generateDecoder(join(cache, `grid-${heads}`), { layers, heads, width: heads * 4, vocabulary: 64, positions: 128 }), out = join(cache, 'grid.attntrace');
  await (await engine.analysis()).complete(await engine.capture({ model, prompt: { kind: 'ids', ids: Array.from({ length: tokens }, (_, i) => (i * 7) % 64) }, out }));
  const gallery = await openGallery(out), browser = await chromium.launch({ executablePath: browserPath, args: [...browserFlags] });
  try {
    for (const [width, height] of [[1400, 900], [1000, 800]] as const) {
      const page = await browser.newPage({ viewport: { width, height } });
      await page.goto(gallery.url('dark'));
      await page.locator('[data-testid="head-cell"][data-ready]').first().waitFor();
      const drawn = async (): Promise<Scrolled & { readonly drawn: number }> => {
        await browser.startTracing(page, { categories: ['disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame'] });
        const scrolled = await page.evaluate<Scrolled>(scroll), events = JSON.parse((await browser.stopTracing()).toString()) as { readonly traceEvents: readonly { readonly name: string }[] };
        return { ...scrolled, drawn: events.traceEvents.filter(event => event.name === 'DrawFrame').length };
      };
      const told = ({ frames, ms, longestMs, pixels, drawn: count }: Awaited<ReturnType<typeof drawn>>): string => `${(Math.min(frames, count) / ms * 1000).toFixed(0)} frames a second (${frames} given, ${count} drawn in ${ms.toFixed(0)} ms, longest ${longestMs.toFixed(0)} ms, ${pixels.toFixed(0)} px)`;
      say(`\nOverview of ${layers} × ${heads} heads, ${width} × ${height}: first scroll, thumbnails arriving: ${told(await drawn())}; again: ${told(await drawn())} (limit 30)`);
      await page.locator('[data-testid="show"] [data-value="heat"]').click();
      say(`  as a heat map: ${told(await drawn())}`);
      await page.locator('[data-testid="show"] [data-value="thumbnails"]').click();
      for (const text of ['sink > 0.1', 'H0-7', '']) say(`  filter “${text}”: drawn ${(await answered(() => page.locator('[data-testid="head-filter"]').fill(text), () => page.evaluate<number>('new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))'))).toFixed(0)} ms after it was typed`);
      await page.close();
    }
  } finally {
    await browser.close();
    gallery.close();
    rmSync(out, { force: true });
  }
}

/** Wall time from before `act` until the page has drawn what it brought, the driver's own milliseconds included. */
async function answered(act: () => Promise<void>, drawn: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  await drawn();
  return performance.now() - start;
}
