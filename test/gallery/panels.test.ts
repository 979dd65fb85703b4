/** The panels over a trace of the demo model, under VS Code's policy: what a person reads and does in Overview and Attention, in every theme. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { PeerGone, UserError } from '../../extension/contract/errors.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { openGallery, type Gallery, type Theme } from './gallery.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-gallery-')), out = join(folder, 'fox.attntrace');
const model = resolve(import.meta.dirname, '../../media/demo/storyteller/model.onnx');
const text = 'Once upon a time, there was a little girl named Lily. She liked to play in the garden with her dog.';
let browser: Browser, gallery: Gallery, page: Page;

beforeAll(async () => {
  await capture({ model, prompt: { kind: 'text', text }, out }, { progress: () => undefined });
  await completeCapture({ out });
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--enable-unsafe-swiftshader'] });
});
afterAll(async () => { await browser?.close(); rmSync(folder, { recursive: true, force: true }); });

const at = (testid: string, more = '') => page.locator(`[data-testid="${testid}"]${more}`);
const ready = () => at('map', '[data-ready="true"]').waitFor();

/** Opens the panel afresh, lets `work` look at it, and sees that neither the policy nor the page objected. */
async function shown(theme: Theme, work: () => Promise<void>, prepare: (gallery: Gallery) => void = () => undefined): Promise<void> {
  gallery = await openGallery(out);
  prepare(gallery);
  page = await browser.newPage({ viewport: { width: 1200, height: 860 } });
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  try {
    await page.goto(gallery.url(theme));
    // Until its first layout a page has elements, but no text.
    await page.waitForFunction('document.body.innerText.trim() !== ""');
    await work();
    expect(await page.evaluate('window.violations')).toEqual([]);
    expect(errors).toEqual([]);
  } finally { await page.close(); gallery.close(); }
}
const patient = { timeout: 10_000 };
async function keptView(): Promise<unknown> { return (JSON.parse(await page.evaluate('sessionStorage.getItem("kept")')) as { readonly view?: unknown }).view; }
async function openHead(label: string): Promise<void> {
  await at('head-cell', `[data-label="${label}"]`).click();
  await ready();
}

describe.each(['dark', 'light', 'contrast'] as const)('in the %s theme', theme => {
  it('Overview tells prompt, parity, next tokens, verdicts and every head', () => shown(theme, async () => {
    await at('head-cell', '[data-ready="true"]').first().waitFor();
    expect((await at('prompt').innerText()).replaceAll('·', ' ')).toContain('Once');
    expect(await at('prompt').locator('.token.special').allInnerTexts()).toContain('<bos>');
    expect(await at('parity-badge').getAttribute('data-level')).toBe('ok');
    expect(await at('parity-badge').innerText()).toMatch(/parity \d(\.\d)?e-\d/);
    expect(await at('next-token').count()).toBe(5);
    expect(await at('head-cell').count()).toBe(48);
    expect(await at('verdict').count()).toBeGreaterThan(0);
    const sinks = await at('head-cell').evaluateAll(cells => cells.filter(cell => Number((cell as HTMLElement).dataset['sink']) > 0.3).map(cell => cell.textContent));
    expect(sinks.length).toBeGreaterThan(10);
    for (const sink of sinks) expect(sink).toMatch(/L\dH\d\d+% </);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out sideways').toBe(true);
  }));

  it('Attention shows one head, and says in words what lies under the pointer', () => shown(theme, async () => {
    await openHead('L3H7');
    expect(await at('head-facts').innerText()).toContain('L3H7');
    expect(await at('legend').innerText()).toContain('linear scale');
    const box = (await at('map').boundingBox())!;
    await page.mouse.move(box.x + 3, box.y + 3);
    await at('row-key').first().waitFor();
    expect(await at('hover-probability').innerText()).toMatch(/^100%/);
    expect(await at('row-key').count()).toBe(1);
    expect(await at('spoken').innerText()).toBe('Query 0 <bos>, key 0 <bos>, 100%');
  }));
});

describe('hands', () => {
  let saved: { readonly name: string; readonly png: unknown } | undefined;
  it('keyboard: arrows move the cell, ] and [ the head, plus zooms and 0 fits', () => shown('dark', async () => {
    await openHead('L0H0');
    await at('map').focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
    await expect.poll(() => at('spoken').innerText(), patient).toMatch(/^Query 2 .*, key 3 .*, not visible$/);
    await page.keyboard.press(']');
    await at('map', '[data-head="1"]').waitFor();
    await at('map').focus();
    await page.keyboard.press('[');
    await at('map', '[data-head="0"]').waitFor();
    await at('map').focus();
    await page.keyboard.press('+');
    await expect.poll(keptView, patient).toMatchObject({ cell: expect.any(Number) });
    await page.keyboard.press('0');
    await expect.poll(keptView, patient).toBeUndefined();
  }));

  it('only the main button drags, and a drag ends when the pointer is taken away', () => shown('dark', async () => {
    await openHead('L0H0');
    await at('map').focus();
    for (const _ of [1, 2, 3, 4, 5, 6]) await page.keyboard.press('+');
    await expect.poll(keptView, patient).toMatchObject({ cell: expect.any(Number) });
    const box = (await at('map').boundingBox())!, view = await keptView();
    await page.mouse.move(box.x + 200, box.y + 200);
    await page.mouse.down({ button: 'right' });
    await page.mouse.move(box.x + 100, box.y + 100, { steps: 4 });
    await page.mouse.up({ button: 'right' });
    expect(await keptView()).toEqual(view);
    await page.mouse.down();
    await page.mouse.move(box.x + 60, box.y + 60, { steps: 4 });
    await expect.poll(keptView, patient).not.toEqual(view);
    await at('map').dispatchEvent('pointercancel');
    const dragged = await keptView();
    await page.mouse.move(box.x + 160, box.y + 160, { steps: 4 });
    await at('hover-card').waitFor();
    expect(await keptView()).toEqual(dragged);
    await page.mouse.up();
  }));

  it('the picker takes L4H2, 1.3 and layer 2 head 5, and explains itself', () => shown('dark', async () => {
    await openHead('L0H0');
    for (const [typed, site, head] of [['L4H2', 'blocks.4.attn', 2], ['1.3', 'blocks.1.attn', 3], ['layer 2 head 5', 'blocks.2.attn', 5]] as const) {
      await at('head-picker').locator('input').fill(typed);
      await page.keyboard.press('Enter');
      await at('map', `[data-site="${site}"][data-head="${head}"][data-ready="true"]`).waitFor();
    }
    await at('head-picker').locator('input').fill('L99H1');
    await page.keyboard.press('Enter');
    expect(await at('picker-problem').innerText()).toBe('This trace has no layer 99: its layers are 0 to 5.');
  }));

  it('a scale is chosen from the toolkit’s dropdown, named in the legend and kept with the head over a reload', () => shown('light', async () => {
    await openHead('L2H2');
    await at('scale-picker').click();
    await page.locator('vscode-option', { hasText: 'Log' }).click();
    await at('legend', '[data-scale="log"]').waitFor();
    expect(await at('legend').innerText()).toContain('log scale, 6 decades');
    await page.reload();
    await at('map', '[data-site="blocks.2.attn"][data-head="2"][data-ready="true"]').waitFor();
    await at('legend', '[data-scale="log"]').waitFor();
  }));

  it('what is remembered and no longer there falls back: a sample, a site, a head, a place far outside', () => shown('dark', async () => {
    for (const kept of [{ site: 'blocks.2.attn', head: 99, batch: 7, view: { row: 1e9, col: 3, cell: 1e-9 } }, { site: 'blocks.99.attn', head: 3, batch: 1 }]) {
      await page.evaluate(`sessionStorage.setItem('kept', ${JSON.stringify(JSON.stringify({ tab: 'attention', scale: 'log', ...kept }))})`);
      await page.reload();
      await ready();
      expect(await page.locator('.failure').count()).toBe(0);
    }
  }));

  it('the source and the picture are asked of the host', () => shown('dark', async () => {
    await openHead('L0H0');
    await at('source').click();
    await at('save-image').click();
    await expect.poll(() => gallery.calls, patient).toEqual(expect.arrayContaining(['revealSource', 'saveImage']));
    expect(saved?.name).toBe('model-L0H0.png');
    expect(Buffer.from(String(saved?.png), 'base64').subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
  }, gallery => { gallery.answers.saveImage = request => { saved = request; }; }));
});

describe('a graphics card that fails', () => {
  /** What the map canvas holds at one point, as a person would see it. */
  const pixel = (x: number, y: number): Promise<number[]> => page.evaluate(`(() => {
    const map = document.querySelector('[data-testid="map"]'), copy = document.createElement('canvas'), context = copy.getContext('2d');
    copy.width = map.width; copy.height = map.height;
    context.drawImage(map, 0, 0);
    return [...context.getImageData(${x} * devicePixelRatio, ${y} * devicePixelRatio, 1, 1).data];
  })()`);
  // <bos> sees only itself: the first cell has the last colour of viridis, on every painter.
  const yellow = [253, 231, 37, 255];

  it('shaders that do not link leave the plain canvas', () => shown('dark', async () => {
    await page.evaluate('WebGL2RenderingContext.prototype.linkProgram = () => undefined');
    await openHead('L3H7');
    await expect.poll(() => pixel(3, 3), patient).toEqual(yellow);
  }));

  it('a context that is lost under an open map: painted again without it, where it was', () => shown('dark', async () => {
    await openHead('L3H7');
    await expect.poll(() => pixel(3, 3), patient).toEqual(yellow);
    await at('map').focus();
    await page.keyboard.press('+');
    await expect.poll(keptView, patient).toMatchObject({ cell: expect.any(Number) });
    const view = await keptView();
    await page.evaluate(`document.querySelector('[data-testid="map"]').getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()`);
    await expect.poll(() => page.evaluate(`document.querySelector('[data-testid="map"]').getContext('webgl2') === null`), patient).toBe(true);
    await ready();
    expect(await keptView()).toEqual(view);
    await at('map').focus();
    await page.keyboard.press('0');
    await expect.poll(() => pixel(3, 3), patient).toEqual(yellow);
    await page.keyboard.press(']');
    await at('map', '[data-site="blocks.4.attn"][data-head="0"][data-ready="true"]').waitFor();
    await expect.poll(() => pixel(3, 3), patient).toEqual(yellow);
  }));
});

describe('what goes wrong', () => {
  it('a stale trace offers to trace again', () => shown('dark', async () => {
    expect(await at('stale-banner').innerText()).toContain('model.onnx has changed since this trace was made.');
    await at('retrace').click();
    await expect.poll(() => gallery.calls, patient).toContain('retrace');
  }, gallery => gallery.setStale('model.onnx has changed since this trace was made.')));

  it('an engine that stops under an open map says so, and a restart brings the map back', () => shown('dark', async () => {
    await at('head-cell').first().waitFor();
    const tile = gallery.answers.tile;
    gallery.answers.tile = () => { throw new PeerGone('The analysis process ended (SIGKILL).'); };
    await at('head-cell', '[data-label="L0H0"]').click();
    await at('restart').waitFor();
    expect(await at('error').innerText()).toContain('The engine stopped. The analysis process ended (SIGKILL).');
    gallery.answers.tile = tile;
    await at('restart').click();
    await ready();
    expect(await at('error').count()).toBe(0);
    expect(gallery.calls).toContain('restartEngine');
  }));

  it('a trace that cannot be opened is a sentence with a way on', () => shown('light', async () => {
    expect(await at('error').innerText()).toContain('fox.attntrace is cut short. Trace again.');
    expect(await at('head-cell').count()).toBe(0);
    expect(await at('retry').count()).toBe(1);
  }, gallery => { gallery.answers.state = () => { throw new UserError('fox.attntrace is cut short.', 'Trace again.'); }; }));

  it('a site that failed parity is named and never drawn, here or there', () => shown('dark', async () => {
    await at('head-cell', '[data-label="L1H0"]').waitFor();
    expect(await at('parity-badge').getAttribute('data-level')).toBe('failed');
    expect(await page.locator('.failure').allInnerTexts()).toContain('L1: off by 0.3 where 1e-5 is allowed (probabilities). The scale does not fit.');
    await at('head-cell', '[data-label="L0H7"][data-ready="true"]').waitFor();
    expect(await at('head-cell', '[data-label^="L1H"][data-ready]').count()).toBe(0);
    expect(await page.locator('.layer', { has: at('head-cell', '[data-label="L1H0"]') }).locator('canvas').count()).toBe(0);
    expect(await page.locator('.layer', { has: at('head-cell', '[data-label="L0H0"]') }).locator('canvas').count()).toBe(1);
    await at('head-cell', '[data-label="L1H0"]').click();
    expect(await at('not-drawn').innerText()).toContain('It is not drawn.');
    expect(await at('map').count()).toBe(0);
    expect(gallery.calls).not.toContain('tile');
  }, gallery => {
    const state = gallery.answers.state({}) as TracePanelState, { manifest } = state.open;
    gallery.answers.state = () => ({ ...state, open: { ...state.open, manifest: { ...manifest, parity: { ...manifest.parity, 'blocks.1.attn': { maxAbs: 0.3, of: 'pattern', rows: 64, dtype: 'F32', tolerance: 1e-5, ok: false, why: 'The scale does not fit.' } } } } });
  }));
});
