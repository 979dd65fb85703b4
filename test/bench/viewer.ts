/** The Attention tab on a trace of 32,768 tokens in the test browser: when its picture is there, how it pans and zooms, what scripts take of a frame, and what memory the page takes. */
import { readFileSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';
import { openGallery } from '../gallery/gallery.ts';
import { browserFlags, browserPath } from '../gallery/stage.ts';

export const moveMs = 4000;
interface Event { readonly name: string; readonly ph: string; readonly ts: number; readonly dur?: number; readonly pid: number; readonly tid: number; readonly cat: string }
export interface Frames { readonly fps: number; readonly longestMs: number; readonly scriptMs: number; readonly scriptP95Ms: number }

/** Work of ours on the page's main thread: callbacks, handlers, messages, and what they call. */
const script = new Set(['FunctionCall', 'EvaluateScript', 'EventDispatch', 'FireAnimationFrame', 'TimerFire', 'RunMicrotasks', 'V8.GCScavenger', 'MinorGC', 'MajorGC', 'HandlePostMessage', 'v8.callFunction']);

/** Moves as `act` does while the browser writes down what happened. */
export async function framesWhile(browser: Browser, page: Page, act: () => Promise<void>): Promise<Frames> {
  await browser.startTracing(page, { categories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame', 'v8'] });
  await act();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { readonly traceEvents: readonly Event[] };
  return framesOf(traceEvents);
}

export function framesOf(events: readonly Event[]): Frames {
  const begins = events.filter(event => event.name === 'FireAnimationFrame'), busiest = mostCommon(begins.map(event => `${event.pid} ${event.tid}`)), mine = events.filter(event => `${event.pid} ${event.tid}` === busiest), drawn = events.filter(event => event.name === 'DrawFrame').map(event => event.ts).sort((a, b) => a - b);
  // One a frame, however many callbacks it had.
  const starts = mine.filter(event => event.name === 'FireAnimationFrame').map(event => event.ts).sort((a, b) => a - b).filter((ts, n, all) => !n || ts - all[n - 1] > 2_000);
  const spans = mine.filter(event => event.ph === 'X' && script.has(event.name) && event.dur).sort((a, b) => a.ts - b.ts || b.dur! - a.dur!), outer: Event[] = [];
  for (const span of spans) { const last = outer[outer.length - 1]; if (!last || span.ts >= last.ts + last.dur!) outer.push(span); }
  const perFrame = starts.slice(0, -1).map((from, n) => outer.reduce((sum, span) => sum + (span.ts >= from && span.ts < starts[n + 1] ? span.dur! : 0), 0) / 1000).sort((a, b) => a - b);
  const seconds = (starts[starts.length - 1] - starts[0]) / 1e6, within = drawn.filter(ts => ts >= starts[0] && ts <= starts[starts.length - 1]);
  return { fps: Math.min(starts.length - 1, within.length) / seconds, longestMs: Math.max(...starts.slice(1).map((ts, n) => ts - starts[n])) / 1000, scriptMs: perFrame[perFrame.length >> 1] ?? 0, scriptP95Ms: perFrame[Math.floor(perFrame.length * 0.95)] ?? 0 };
}

function mostCommon(of: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const one of of) counts.set(one, (counts.get(one) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
}

/** Memory of the page's own process: what it shares with others counts by its part. The heap is of the page's scripts. */
export async function memoryOf(page: Page, marker: string): Promise<{ readonly processMb: number; readonly heapMb: number }> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage'), browser = await page.context().browser()!.newBrowserCDPSession(), { processInfo } = await browser.send('SystemInfo.getProcessInfo');
  const sizes = processInfo.filter(one => one.type === 'renderer').flatMap(({ id }) => { try { const text = readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'); return [Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1000]; } catch { return []; } });
  void marker;
  return { processMb: Math.max(0, ...sizes), heapMb: usedSize / 1e6 };
}

/** Drags through the map, then zooms in and out by the wheel, frame by frame as a hand does. */
const pan = async (page: Page, box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }): Promise<void> => {
  const end = Date.now() + moveMs;
  for (let round = 0; Date.now() < end; round++) {
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
    await page.mouse.down();
    for (let n = 1; n <= 30 && Date.now() < end; n++) await page.mouse.move(box.x + box.width * 0.5 + (round % 2 ? -8 : 8) * n, box.y + box.height * 0.5 + (round % 2 ? -6 : 6) * n);
    await page.mouse.up();
  }
};
const zoom = async (page: Page, box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }): Promise<void> => {
  const end = Date.now() + moveMs;
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.6);
  for (let n = 0; Date.now() < end; n++) { await page.mouse.wheel(0, Math.floor(n / 40) % 2 ? 120 : -120); await page.waitForTimeout(8); }
};

export async function viewer(say: (line: string) => void, trace: string): Promise<void> {
  const gallery = await openGallery(trace), browser = await chromium.launch({ executablePath: browserPath, args: [...browserFlags] });
  try {
    say(`\nThe map of ${trace.split('/').pop()} at 1280 × 800 (SwiftShader)`);
    for (const [site, head] of [['blocks.1.attn', 0], ['blocks.0.attn', 1]] as const) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      await page.addInitScript(value => sessionStorage.setItem('kept', value), JSON.stringify({ tab: 'attention', site, head, batch: 0, scale: 'log' }));
      await page.goto(gallery.url('dark'));
      const first = await page.evaluate<number>(firstPixels), map = page.locator('[data-testid="map"][data-ready="true"]');
      await map.waitFor({ timeout: 60_000 });
      const ready = await page.evaluate<number>('performance.now()'), box = (await map.boundingBox())!, told = ({ fps, longestMs, scriptMs, scriptP95Ms }: Frames): string => `${fps.toFixed(0)} frames a second, longest ${longestMs.toFixed(0)} ms, script ${scriptMs.toFixed(1)} ms a frame, p95 ${scriptP95Ms.toFixed(1)} ms`;
      say(`${site} head ${head}: first square ${first.toFixed(0)} ms after the page was opened, whole picture ${ready.toFixed(0)} ms (limit 3,000 ms)`);
      const zooming = await framesWhile(browser, page, () => zoom(page, box));
      await page.locator('[data-testid="fit"]').click();
      for (let n = 0; n < 18; n++) { await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.7); await page.mouse.wheel(0, -200); await page.waitForTimeout(20); }
      await map.waitFor();
      const panning = await framesWhile(browser, page, () => pan(page, box));
      say(`  zooming: ${told(zooming)}; panning over single cells: ${told(panning)} (limits 20 frames a second, 4 ms)`);
      const { processMb, heapMb } = await memoryOf(page, trace);
      say(`  memory of the page: ${processMb.toFixed(0)} MB, of that scripts ${heapMb.toFixed(0)} MB (limit 300 MB)`);
      await page.close();
    }
  } finally { await browser.close(); gallery.close(); }
}

/** In the page: when the first square of the map was painted, in ms since the page was opened. */
const firstPixels = `new Promise(resolve => {
  const look = () => { const map = document.querySelector('[data-testid="map"]'); if (map && map.dataset.tiles > 0) requestAnimationFrame(() => setTimeout(() => resolve(performance.now()))); else requestAnimationFrame(look); };
  look();
})`;
