/** The Attention tab in a browser: words, the sink apart, renormalised rows, pins, lines, a chosen row, the search, links and what is exported. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { openGallery, type Gallery, type Theme } from './gallery.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-attention-')), out = join(folder, 'key.attntrace');
const text = 'One morning Anna found a silver key near the mill. Anna gave the key to Boris. Boris put the key in his bag. Who has the key?';
let browser: Browser, gallery: Gallery, page: Page;

beforeAll(async () => {
  await capture({ model: resolve('media/demo/storyteller/model.onnx'), prompt: { kind: 'text', text }, out }, { progress: () => undefined });
  await completeCapture({ out });
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--enable-unsafe-swiftshader'] });
});
afterAll(async () => { await browser?.close(); rmSync(folder, { recursive: true, force: true }); });

const at = (testid: string, more = '') => page.locator(`[data-testid="${testid}"]${more}`), patient = { timeout: 10_000 };
const ready = (head?: number) => at('map', `[data-ready="true"]${head === undefined ? '' : `[data-head="${head}"]`}`).waitFor();
const spoken = () => at('spoken').innerText();
interface Kept { readonly view?: unknown; readonly map: Record<string, unknown> }
const kept = async (): Promise<Kept> => JSON.parse(await page.evaluate('sessionStorage.getItem("kept")')) as Kept;

/** The panel on L4H7 (77% on <bos>), and neither policy nor page objected afterwards. */
async function onHead(theme: Theme, work: () => Promise<void>): Promise<void> {
  gallery = await openGallery(out);
  page = await browser.newPage({ viewport: { width: 1240, height: 880 } });
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  try {
    await page.goto(gallery.url(theme));
    await at('head-cell', '[data-label="L4H7"]').first().click();
    await ready(7);
    await at('map').focus();
    await work();
    expect(await page.evaluate('window.violations')).toEqual([]);
    expect(errors).toEqual([]);
  } finally { await page.close(); gallery.close(); }
}
async function press(...keys: readonly string[]): Promise<void> { for (const key of keys) await page.keyboard.press(key); }
/** What the panel answers when the host calls it. */
async function call(method: string, request: unknown): Promise<{ readonly ok?: unknown; readonly value?: any; readonly error?: { readonly message: string } }> {
  await page.evaluate(([name, asked]) => { const w = window as unknown as { replies: unknown[]; callPanel: (m: unknown, r: unknown) => void }; w.replies.length = 0; w.callPanel(name, asked); }, [method, request] as const);
  const answered = (): Promise<string | undefined> => page.evaluate((): string | undefined => { const [reply] = (window as unknown as { replies: unknown[] }).replies; return reply === undefined ? undefined : JSON.stringify(reply, (_, value: unknown) => (value instanceof Uint8Array ? { base64: btoa(Array.from(value, byte => String.fromCharCode(byte)).join('')) } : value)); });
  await expect.poll(answered, patient).toBeDefined();
  return JSON.parse((await answered())!);
}
const bytesOf = (reply: Awaited<ReturnType<typeof call>>): Buffer => Buffer.from(reply.value.bytes.base64, 'base64');

it.each(['dark', 'light', 'contrast'] as const)('%s: the sink apart, named with its share; the rest renormalised; words; all of it in the title', theme => onHead(theme, async () => {
  await press('s');
  await ready();
  expect(await at('sink-share').innerText()).toBe('77% on <bos> set apart');
  // The first row sees nothing but <bos>; the map's first key is now "On".
  await press('Control+Home');
  await expect.poll(spoken, patient).toBe('Query 0 <bos>, key 1 On, not visible');
  await press('r', 'w');
  await ready();
  await expect.poll(() => at('pane-title').innerText(), patient).toMatch(/rows renormalized without <bos> · words: sum over key tokens, mean over query tokens/);
  await press('Control+Home', 'ArrowDown');
  await expect.poll(spoken, patient).toBe('Query 1 One, key 1 One, 100%');
  expect(await at('legend').innerText()).toContain('probability, rows renormalized, summed to words, linear scale');
  expect(await at('row-sink').innerText()).toMatch(/^\d+% on <bos>, set apart$/);
  // Every row of words that sees any sums to 1.
  const table = bytesOf(await call('mapFile', { as: 'csv-head' })).toString('utf8').trim().split('\n').slice(2).map(line => line.split(',').slice(2).map(value => (value === '' ? NaN : Number(value))));
  expect(table).toHaveLength(32);
  for (const row of table.slice(1)) expect(Math.abs(row.filter(value => !Number.isNaN(value)).reduce((sum, value) => sum + value, 0) - 1)).toBeLessThan(1e-4);
}));

describe('by keyboard', () => {
  it('special tokens go and come back; a head without a sink says so', () => onHead('dark', async () => {
    await press('h', 'Control+Home');
    await expect.poll(spoken, patient).toMatch(/^Query 1 On, key 1 On, /);
    expect(await at('hide-special').getAttribute('aria-pressed')).toBe('true');
    await press('h', 's', ']');
    await ready(0);
    await expect.poll(() => at('pane-title').innerText(), patient).toContain('no sink to set apart');
  }));
  it('the focus stays on the map from head to head, and others are pinned beside it on one scale', () => onHead('dark', async () => {
    await press('p', '[', 'p', '[');
    await ready(5);
    await expect.poll(() => at('panes').getAttribute('data-count'), patient).toBe('3');
    await at('pinned-map', '[data-ready="true"]').nth(1).waitFor();
    await press('Control+Home', 'ArrowDown', 'ArrowRight');
    await expect.poll(spoken, patient).toMatch(/^L4H5: Query 1 On, key 1 On, [\d.]+%$/);
    expect(await page.evaluate('document.activeElement.dataset.testid')).toBe('map');
    // Zooming one zooms all.
    await press('+', '+', '+');
    await expect.poll(async () => (await kept()).view, patient).toMatchObject({ cell: expect.any(Number) });
    await at('unpin').first().click();
    await expect.poll(() => at('panes').getAttribute('data-count'), patient).toBe('2');
  }));
  it('Enter keeps a row and shows it as bars while the focus goes on; Escape lets it go', () => onHead('light', async () => {
    await press('Control+Home', 'ArrowDown', 'ArrowDown', 'Enter', 'ArrowDown', 'ArrowDown');
    await expect.poll(spoken, patient).toMatch(/^Query 4 /);
    expect(await at('row-strip').getAttribute('data-chosen')).toBe('true');
    expect(await at('row-strip').innerText()).toMatch(/^QUERY 2/i);
    expect((await kept()).map['chosen']).toBe(2);
    await press('Escape');
    await expect.poll(() => at('row-strip').getAttribute('data-chosen'), patient).toBe('false');
  }));
  it('the search jumps to a token, counts, goes round, and Escape gives the focus back', () => onHead('dark', async () => {
    await press('/');
    await page.keyboard.type('boris');
    await expect.poll(() => at('matches').innerText(), patient).toBe('1 of 2');
    await expect.poll(spoken, patient).toMatch(/^Query 19 ·Boris, key 19 ·Boris, /);
    await press('Enter');
    await expect.poll(spoken, patient).toMatch(/^Query 21 ·Boris, key 21 ·Boris, /);
    await press('Enter');
    await expect.poll(() => at('matches').innerText(), patient).toBe('1 of 2');
    await page.keyboard.type('x');
    await expect.poll(() => at('matches').innerText(), patient).toBe('not in this prompt');
    await press('Escape');
    expect(await page.evaluate('document.activeElement.dataset.testid')).toBe('map');
  }));
  it('lines for short inputs, with the same cell in focus', () => onHead('dark', async () => {
    await press('l');
    await at('lines', '[data-ready="true"]').waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.dataset.testid'), patient).toBe('lines');
    await press('Control+Home', 'ArrowDown');
    await expect.poll(spoken, patient).toBe('Query 1 On, key 0 <bos>, 100%');
    await press('Enter');
    expect((await kept()).map).toMatchObject({ drawn: 'lines', chosen: 1 });
    await press('l');
    await ready();
  }));
  it('a question mark lists the keys; e and c ask the host', () => onHead('contrast', async () => {
    await press('?');
    expect(await at('key-help').innerText()).toContain('copy a link to this view');
    await press('e', 'c');
    await expect.poll(() => gallery.calls, patient).toEqual(expect.arrayContaining(['exportMap', 'copyLink']));
  }));
  it('a screen reader is told no more than twice a second, and what was last', () => onHead('dark', async () => {
    await page.evaluate(`window.said = []; new MutationObserver(() => window.said.push([performance.now(), document.querySelector('[data-testid="spoken"]').textContent])).observe(document.querySelector('[data-testid="spoken"]'), { childList: true, characterData: true, subtree: true })`);
    await press('Control+Home', ...Array.from({ length: 20 }, () => 'ArrowDown'));
    await expect.poll(spoken, patient).toMatch(/^Query 20 /);
    // An empty region says nothing.
    const said = (await page.evaluate('window.said') as [number, string][]).filter(([, words]) => words !== '');
    expect(said.length).toBeGreaterThan(0);
    for (let n = 1; n < said.length; n++) expect(said[n][0] - said[n - 1][0], JSON.stringify(said)).toBeGreaterThan(400);
  }));
});

describe('a span, and where its mass goes', () => {
  const edge = async (testid: string): Promise<{ x: number; y: number; width: number; height: number }> => (await at(testid).boundingBox())!;
  const drag = async (from: readonly [number, number], to: readonly [number, number]): Promise<void> => { await page.mouse.move(...from); await page.mouse.down(); await page.mouse.move((from[0] + to[0]) / 2, (from[1] + to[1]) / 2); await page.mouse.move(...to); await page.mouse.up(); };
  const items = (): Promise<string[]> => at('span-item').evaluateAll(list => list.map(one => (one as unknown as { dataset: { position: string } }).dataset.position));
  it('brushed on the ruler of the queries: bars under the map, and the keys in numbers; a click lets it go', () => onHead('dark', async () => {
    const { x, y, height } = await edge('ruler-rows'), cell = height / 34;
    await drag([x + 40, y + 10.5 * cell], [x + 40, y + 19.5 * cell]);
    await at('span-item').first().waitFor();
    expect(await at('span-strip').innerText()).toMatch(/^QUERIES 10–19/i);
    expect((await items())[0]).toBe('0');
    // Of causal attention nothing lies behind.
    const shares = (await at('span-share').allInnerTexts()).map(one => Number(/^[<\d.]+/.exec(one)![0].replace('<', '')));
    expect(shares[2]).toBe(0);
    expect(Math.abs(shares[0] + shares[1] - 100)).toBeLessThan(1.5);
    expect((await kept()).map['span']).toEqual({ of: 'rows', from: 10, to: 20 });
    await expect.poll(spoken, patient).toMatch(/^Queries 10–19 look at key 0 <bos> with \d+%, key \d+ /);
    await page.mouse.click(x + 40, y + 5 * cell);
    await expect.poll(async () => (await kept()).map['span'], patient).toBeUndefined();
    expect(await at('span-strip').count()).toBe(0);
  }));
  it('brushed on the ruler of the keys: what they get of each query, beside the map', () => onHead('light', async () => {
    const { x, y, width } = await edge('ruler-cols'), cell = width / 34;
    await drag([x + 0.5 * cell, y + 40], [x + 0.5 * cell + cell, y + 40]);
    await at('span-mean').waitFor();
    expect(await at('span-strip').innerText()).toMatch(/^KEYS 0–1/i);
    // <bos> takes 77 % of this head.
    expect(Number(/^(\d+)%/.exec(await at('span-mean').innerText())![1])).toBeGreaterThan(75);
  }));
  it('by the keyboard: begun, extended, ended, let go, and told', () => onHead('contrast', async () => {
    await press('Control+Home', 'ArrowDown', 'ArrowDown');
    await press('b');
    await expect.poll(spoken, patient).toBe('A span of queries begins here; arrow keys extend it, b ends it');
    await press('Shift+ArrowDown', 'b', 'ArrowDown');
    await expect.poll(async () => (await kept()).map['span'], patient).toEqual({ of: 'rows', from: 2, to: 13 });
    await at('span-item').first().waitFor();
    await press('Enter');
    expect((await kept()).map['span']).toBeUndefined();
    await press('Shift+B', 'ArrowRight', 'Shift+B');
    await expect.poll(async () => (await kept()).map['span'], patient).toMatchObject({ of: 'cols' });
    await press('Escape');
    expect((await kept()).map['span']).toBeUndefined();
  }));
});

describe('links and exports', () => {
  it('a link brings back exactly this view in another panel', () => onHead('dark', async () => {
    await press('s', 'r', 'w', 'p', '[');
    await ready(6);
    await press('Control+Home', 'ArrowDown', 'ArrowDown', 'Enter', '+', '+');
    await expect.poll(async () => (await kept()).view, patient).toBeDefined();
    const { value } = await call('view', {}), shot = await at('map').screenshot(), before = await kept();
    expect(value).toMatchObject({ label: 'L4H6', map: { site: 'blocks.4.attn', head: 6 } });
    const state = gallery.answers.state({}) as TracePanelState;
    gallery.answers.state = () => ({ ...state, view: JSON.parse(JSON.stringify(value.view)) as unknown });
    await page.evaluate('sessionStorage.clear()');
    await page.reload();
    await ready(6);
    await at('pinned-map', '[data-ready="true"]').waitFor();
    expect(await kept()).toEqual(before);
    await page.mouse.move(2, 2);
    await expect.poll(async () => Buffer.compare(await at('map').screenshot(), shot), patient).toBe(0);
    // What no link should say falls back to what there is.
    await call('show', { view: { tab: 'attention', site: 'blocks.99.attn', head: 'x', batch: 9, map: { pins: [{ site: 'nowhere', head: 0 }], chosen: -4 } } });
    await at('map', '[data-site="blocks.0.attn"]').waitFor();
    expect(await page.locator('.failure').count()).toBe(0);
  }));
  it('the picture holds all maps, the table every cell of what is visible, as many as there are', () => onHead('light', async () => {
    const one = PNG.sync.read(bytesOf(await call('mapFile', { as: 'png' })));
    await press('p', '[');
    await ready(6);
    await at('pinned-map', '[data-ready="true"]').waitFor();
    const reply = await call('mapFile', { as: 'png' }), two = PNG.sync.read(bytesOf(reply));
    expect(reply.value.name).toBe('model-L4H6.png');
    expect(two.width).toBeGreaterThan(one.width * 0.9);
    // Something of viridis' yellow, and the legend's end.
    const yellow = (png: PNG): number => { let count = 0; for (let n = 0; n < png.data.length; n += 4) if (png.data[n] > 240 && png.data[n + 1] > 220 && png.data[n + 2] < 60) count++; return count; };
    expect(yellow(two)).toBeGreaterThan(200);
    const whole = bytesOf(await call('mapFile', { as: 'csv-head' })).toString('utf8').trim().split('\n');
    expect(whole).toHaveLength(36);
    expect(whole[0]).toBe('# L4H6 · model.onnx');
    expect(whole[1].split(',').slice(0, 3)).toEqual(['query', '0 <bos>', '1 On']);
    expect(whole[2].split(',').slice(0, 3)).toEqual(['0 <bos>', '1', '']);
    await at('map').focus();
    await press('+', '+', '+', '+', '+', '+');
    await expect.poll(async () => bytesOf(await call('mapFile', { as: 'csv' })).toString('utf8').trim().split('\n').length, patient).toBeLessThan(30);
  }));
  it('a table that nobody could open is refused in a sentence', () => onHead('dark', async () => {
    const state = gallery.answers.state({}) as TracePanelState, site = state.open.manifest.sites[4].name;
    gallery.answers.state = () => ({ ...state, open: { ...state.open, extents: { ...state.open.extents, [site]: { queries: 2048, keys: 2048 } } } });
    await page.reload();
    await at('map').waitFor();
    const { value, error } = await call('mapFile', { as: 'csv-head' }) as { value?: unknown; error?: { message: string; remedy: string } };
    expect(value).toBeUndefined();
    expect(error).toMatchObject({ message: 'A table of 2,048 × 2,048 cells is too large; the limit is 1,000,000.', remedy: 'Zoom in and export what is visible, or export the pattern as safetensors.' });
  }));
});
