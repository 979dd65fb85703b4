/** The Grounding tab over real traces of a vision transformer and of a LLaVA: what it draws, says and asks for, in every theme. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { tiledImage } from '../fuzz/tiled-image.ts';
import { openGallery, type Gallery, type Theme } from './gallery.ts';
import { browserFlags, browserPath } from './stage.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-grounding-')), vit = join(folder, 'vit.attntrace'), llava = join(folder, 'llava.attntrace'), tiles = join(folder, 'tiles.attntrace'), root = resolve(import.meta.dirname, '../..');
const image = join(root, 'test/unit/images/fixtures/scene.png');
let browser: Browser, gallery: Gallery, page: Page;

beforeAll(async () => {
  const hooks = { progress: () => undefined };
  await capture({ model: join(root, 'test/zoo/models/vit/sdpa-ts.onnx'), prompt: { kind: 'image', image }, out: vit }, hooks);
  await completeCapture({ out: vit });
  await capture({ model: join(root, 'test/zoo/models/llava/sdpa-ts.onnx'), prompt: { kind: 'ids', ids: [12, 50, 96, 15, 19, 78, 44, 70, 16], image }, out: llava }, hooks);
  await completeCapture({ out: llava });
  await capture(tiledImage(folder, tiles), hooks);
  await completeCapture({ out: tiles });
  browser = await chromium.launch({ executablePath: browserPath, args: [...browserFlags] });
});
afterAll(async () => { await browser?.close(); rmSync(folder, { recursive: true, force: true }); });

const at = (testid: string, more = '') => page.locator(`[data-testid="${testid}"]${more}`);
const drawn = () => at('grounding-image', '[data-ready="true"]').waitFor();

/** Opens the tab of a trace, lets `work` look at it, and sees that neither the policy nor the page objected. */
async function shown(trace: string, theme: Theme, work: () => Promise<void>): Promise<void> {
  gallery = await openGallery(trace);
  page = await browser.newPage({ viewport: { width: 1200, height: 860 } });
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  try {
    await page.goto(gallery.url(theme));
    await at('tab-grounding').click();
    await drawn();
    await work();
    expect(await page.evaluate('window.violations')).toEqual([]);
    expect(errors).toEqual([]);
    if (process.env['ATTNSCOPE_PICTURES']) await page.screenshot({ path: join(process.env['ATTNSCOPE_PICTURES'], `grounding-${basename(trace, '.attntrace')}-${theme}.png`) });
  } finally { await page.close(); gallery.close(); }
}
const share = async (part: string): Promise<number> => Number(await at('mass', `[data-part="${part}"]`).getAttribute('data-share'));

describe.each(['dark', 'light', 'contrast'] as const)('in the %s theme', theme => {
  it('a token of a LLaVA: masses add up, every head is there, a cell says its pixels', () => shown(llava, theme, async () => {
    expect((await at('mass').evaluateAll(all => all.map(one => Number((one as HTMLElement).dataset['share'])))).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(await at('shares').locator('button').count()).toBe(8);
    expect(await at('strip-token').count()).toBe(9);
    const box = (await at('grounding-image').boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.9, box.y + box.height * 0.1);
    // 160 × 120 pixels, 4 × 4 patches of 40 × 30.
    await at('grounding-cell').filter({ hasText: /^Row 0, column 3, pixels 120–160, 0–30: [\d.<]+%/ }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out sideways').toBe(true);
  }));
  it('an image in tiles: their sum, one view, and sinks by the stream', () => shown(tiles, theme, async () => {
    expect(await at('grounding-image').getAttribute('data-rows')).toBe('3');
    expect(await at('mass', '[data-part="between"]').count()).toBe(1);
    await at('grounding-view').click();
    await page.locator('vscode-option', { hasText: 'Whole image, 1 × 1' }).click();
    await at('grounding-image', '[data-rows="1"][data-ready="true"]').waitFor();
    await at('sinks-by').click();
    await page.locator('vscode-option', { hasText: 'Hidden state' }).click();
    // Random weights have no massive activations, and that is said.
    await at('sinks-found').filter({ hasText: 'The residual stream has no massive activation, so nothing is a sink.' }).waitFor();
    await at('grounding-view').click();
    await page.locator('vscode-option', { hasText: 'Tiles, 3 × 4' }).click();
    await at('grounding-image', '[data-rows="3"][data-ready="true"]').waitFor();
    const box = (await at('grounding-image').boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.5);
    await at('grounding-cell').filter({ hasText: /^Row 1, column 1, pixels 40–80, 40–80: [\d.<]+%/ }).waitFor();
  }));
  it('a patch of a ViT looks where it was clicked', () => shown(vit, theme, async () => {
    expect(await at('grounding-title').innerText()).toContain('CLS');
    const box = (await at('grounding-image').boundingBox())!;
    await page.mouse.click(box.x + box.width * 0.4, box.y + box.height * 0.6);
    await at('grounding-title').filter({ hasText: 'patch at row 2, column 1' }).waitFor();
    await drawn();
    expect(await share('image') + await share('extra')).toBeCloseTo(1, 5);
  }));
});

describe('hands', () => {
  it('the keyboard chooses tokens, heads, cells and sinks, and what is in focus is said', () => shown(llava, 'dark', async () => {
    await at('strip-token', '[aria-selected="true"]').focus();
    await page.keyboard.press('ArrowLeft');
    await at('strip-token', '[data-token="23"][aria-selected="true"]').waitFor();
    await page.keyboard.press(']');
    await at('grounding-title').filter({ hasText: 'head 0' }).waitFor();
    await page.keyboard.press('s');
    await at('sinks-found').waitFor();
    await page.keyboard.press('e');
    expect(await at('exact-cells').getAttribute('aria-pressed')).toBe('true');
    await at('grounding-image').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await at('grounding-spoken').filter({ hasText: 'Row 1, column 1' }).waitFor();
  }));
  it('a head of the shares is chosen, and once more is the mean again; the vision tower has patches of its own', () => shown(llava, 'dark', async () => {
    const head = at('shares').locator('button').nth(5);
    await head.click();
    await at('grounding-title').filter({ hasText: 'L1H1' }).waitFor();
    await drawn();
    expect(await share('image')).toBeCloseTo(Number(await head.getAttribute('data-share')), 6);
    await head.click();
    await at('grounding-title').filter({ hasText: 'L1, mean over heads' }).waitFor();
    await at('tower').locator('[data-value="vision"]').click();
    await at('extra-token').waitFor();
    await drawn();
  }));
  it('the arrangement comes back', () => shown(vit, 'dark', async () => {
    await at('without-sinks').click();
    await page.reload();
    await drawn();
    expect(await at('without-sinks').getAttribute('aria-pressed')).toBe('true');
  }));
});
