/** The Overview's heads in a page: heat map, ranking, order, filter, groups, keyboard and names, over traces of the demo, of a model with shared key/value heads in a batch, and of 32 × 32 heads. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Prompt, TracePanelState } from '../../extension/contract/api.ts';
import { headLabel } from '../../extension/contract/site.ts';
import type { HeadStats, Manifest, MetricName } from '../../extension/contract/trace.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { generateDecoder } from '../bench/generate-decoder.ts';
import { openGallery, type Gallery, type Theme } from './gallery.ts';
import { browserFlags, browserPath } from './stage.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-overview-')), root = resolve(import.meta.dirname, '../..');
const traces = { demo: join(folder, 'demo.attntrace'), shared: join(folder, 'shared.attntrace'), large: join(folder, 'large.attntrace'), huge: join(folder, 'huge.attntrace'), one: join(folder, 'one.attntrace') };
const patient = { timeout: 10_000 };
let browser: Browser, page: Page, manifest: Manifest;

async function trace(out: string, model: string, prompt: Prompt): Promise<void> {
  await capture({ model, prompt, out }, { progress: () => undefined });
  await completeCapture({ out });
}
beforeAll(async () => {
  await trace(traces.demo, join(root, 'media/demo/storyteller/model.onnx'), { kind: 'text', text: 'Anna gave the lantern to Boris. Then Boris gave the lantern to' });
  await trace(traces.shared, join(root, 'test/zoo/models/llama/eager-ts.onnx'), { kind: 'tensors', file: join(root, 'test/zoo/models/llama/reference.safetensors') });
  await trace(traces.large, generateDecoder(join(folder, 'large'), { layers: 32, heads: 32, width: 64, vocabulary: 16, positions: 64 }), { kind: 'ids', ids: Array.from({ length: 24 }, (_, i) => i % 7) });
  await trace(traces.huge, generateDecoder(join(folder, 'huge'), { layers: 64, heads: 64, width: 128, vocabulary: 16, positions: 64 }), { kind: 'ids', ids: Array.from({ length: 12 }, (_, i) => i % 7) });
  await trace(traces.one, generateDecoder(join(folder, 'one'), { layers: 1, heads: 1, width: 8, vocabulary: 16, positions: 64 }), { kind: 'ids', ids: [1, 2, 3] });
  browser = await chromium.launch({ executablePath: browserPath, args: [...browserFlags] });
});
afterAll(async () => { await browser?.close(); rmSync(folder, { recursive: true, force: true }); });

const at = (testid: string, more = '') => page.locator(`[data-testid="${testid}"]${more}`);
const cell = (label: string) => at('head-cell', `[data-label="${label}"]`);
const status = () => at('filter-answer').innerText();
const focused = () => page.evaluate<string>('document.activeElement.dataset.label ?? document.activeElement.dataset.testid');
const labels = (testid: string) => at(testid).evaluateAll(found => found.map(one => (one as HTMLElement).dataset['label']!));
async function choose(testid: string, text: string): Promise<void> {
  await at(testid).click();
  await at(testid).locator('vscode-option', { hasText: new RegExp(`^\\s*${text}\\s*$`) }).click();
}
/** Labels of the trace's heads by a metric, most first. */
function ranked(metric: MetricName, batch = 0): string[] {
  return manifest.sites.flatMap((site, index) => manifest.heads[site.name].filter(one => one.batch === batch).map(one => ({ label: headLabel(site, one.head), value: one[metric], index, head: one.head })))
    .sort((a, b) => b.value! - a.value! || a.index - b.index || a.head - b.head).map(one => one.label);
}
const numberOf = (label: string, metric: MetricName): number => {
  for (const site of manifest.sites) for (const one of manifest.heads[site.name]) if (headLabel(site, one.head) === label) return one[metric]!;
  throw new Error(label);
};

/** Opens the panel on a trace, lets `work` look at it, and sees that neither the policy nor the page objected. */
async function shown(file: string, theme: Theme, work: (gallery: Gallery) => Promise<void>, { prepare, size = { width: 1300, height: 900 } }: { readonly prepare?: (gallery: Gallery) => void; readonly size?: { readonly width: number; readonly height: number } } = {}): Promise<void> {
  const gallery = await openGallery(file), errors: string[] = [];
  prepare?.(gallery);
  ({ manifest } = (gallery.answers.state({}) as TracePanelState).open);
  page = await browser.newPage({ viewport: size });
  page.setDefaultTimeout(10_000);
  page.on('pageerror', error => errors.push(error.message));
  try {
    await page.goto(gallery.url(theme));
    await at('head-cell').first().waitFor();
    await work(gallery);
    expect(await page.evaluate('window.violations')).toEqual([]);
    expect(errors).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out sideways').toBe(true);
  } finally { await page.close(); gallery.close(); }
}
function withManifest(change: (manifest: Manifest) => Partial<Manifest>): (gallery: Gallery) => void {
  return gallery => {
    const state = gallery.answers.state({}) as TracePanelState;
    gallery.answers.state = () => ({ ...state, open: { ...state.open, manifest: { ...state.open.manifest, ...change(state.open.manifest) } } });
  };
}

describe.each(['dark', 'light', 'contrast'] as const)('in the %s theme', theme => {
  it('any metric as a heat map: its number in every cell, the strongest brightest, a legend, the list beside it', () => shown(traces.demo, theme, async () => {
    await at('show').locator('[data-value="heat"]').click();
    await choose('metric', 'Previous token');
    await at('metric-legend', '[data-metric="prevTokenScore"]').waitFor();
    const cells = await at('head-cell').evaluateAll(found => found.map(one => ({ label: (one as HTMLElement).dataset['label']!, value: Number((one as HTMLElement).dataset['value']), text: one.textContent, ground: getComputedStyle(one).backgroundColor })));
    expect(cells).toHaveLength(48);
    for (const { label, value } of cells) expect(value).toBe(numberOf(label, 'prevTokenScore'));
    expect(cells.every(one => /^(<?\d+(\.\d+)?%)$/.test(one.text!))).toBe(true);
    const [strongest] = ranked('prevTokenScore');
    expect(cells.find(one => one.label === strongest)!.ground).toBe('rgb(253, 231, 37)');
    expect(cells.filter(one => one.ground === 'rgb(253, 231, 37)')).toHaveLength(1);
    expect(await at('metric-legend').innerText()).toMatch(/previous token, linear scale/);
    expect(await labels('ranked-head')).toEqual(ranked('prevTokenScore').slice(0, 20));
  }));
});

describe('ranking', () => {
  it.each(['sink', 'patternEntropy', 'prevTokenScore', 'inductionScore', 'selfAttentionScore', 'qkDistance', 'firstTokenShare'] as const)('by %s, from either end, is the trace’s own', metric => shown(traces.demo, 'dark', async () => {
    const title = { sink: 'Sink', patternEntropy: 'Entropy', prevTokenScore: 'Previous token', inductionScore: 'Induction', selfAttentionScore: 'Self', qkDistance: 'Distance', firstTokenShare: 'First-token share' }[metric];
    if (metric !== 'sink') await choose('metric', title);
    await expect.poll(() => labels('ranked-head'), patient).toEqual(ranked(metric).slice(0, 20));
    await at('direction').click();
const least = Math.min(...ranked(metric).map(label => numberOf(label, metric)));
    await expect.poll(async () => (await labels('ranked-head'))[0], patient).toBe(ranked(metric).find(label => numberOf(label, metric) === least));
  }));
  it('a click opens the head; more are shown on request; pointing at one marks it in the grid', () => shown(traces.demo, 'light', async () => {
    await choose('metric', 'Induction');
    await at('ranking-more').click();
    await expect.poll(() => labels('ranked-head'), patient).toEqual(ranked('inductionScore'));
    const [first] = ranked('inductionScore');
    await at('ranked-head').first().hover();
    await at('head-cell', `[data-label="${first}"][data-hot]`).waitFor();
    await at('ranked-head').first().click();
    const [, layer, head] = /^L(\d+)H(\d+)$/.exec(first)!;
    await at('map', `[data-site="blocks.${layer}.attn"][data-head="${head}"]`).waitFor();
  }));
});

describe('order and filter', () => {
  it('all heads by the metric, each with its own thumbnail', () => shown(traces.demo, 'dark', async () => {
    await choose('order', 'Metric, all heads');
    await expect.poll(() => labels('head-cell'), patient).toEqual(ranked('sink'));
    await at('head-cell', '[data-ready]').first().waitFor();
    await choose('order', 'Metric, in each layer');
    await expect.poll(async () => (await labels('head-cell')).slice(0, 8), patient).toEqual(ranked('sink').filter(label => label.startsWith('L0')));
  }));
  it('a threshold leaves its heads, in grid and list; the rest is faint and skipped by the keyboard; Escape takes it back', () => shown(traces.demo, 'dark', async () => {
    const over = ranked('sink').filter(label => numberOf(label, 'sink') > 0.6);
    expect(over.length).toBeGreaterThan(3);
    await at('head-filter').fill('sink > 0.6');
    await expect.poll(status, patient).toBe(`${over.length} of 48 heads`);
    expect((await labels('ranked-head')).every(label => over.includes(label))).toBe(true);
    expect(new Set(await at('head-cell', ':not([aria-disabled])').evaluateAll(found => found.map(one => (one as HTMLElement).dataset['label']!)))).toEqual(new Set(over));
    await page.keyboard.press('ArrowDown');
    expect(over).toContain(await focused());
    await page.keyboard.press('ArrowDown');
    expect(over).toContain(await focused());
    await at('head-filter').focus();
    await page.keyboard.press('Escape');
    await expect.poll(status, patient).toBe('48 heads');
  }));
  it('names of heads and layers; what is not understood is said, and the last that was stays', () => shown(traces.demo, 'light', async () => {
    await at('head-filter').fill('L3H1, L5');
    await expect.poll(status, patient).toBe('9 of 48 heads');
    expect(await at('head-grid').locator('[role="row"]').count()).toBe(2);
    await at('head-filter').fill('L3H1, L5 snk > 2');
    await expect.poll(status, patient).toMatch(/“snk” names no layer, head or metric/);
    expect(await at('head-grid').locator('[role="row"]').count()).toBe(2);
    await at('head-filter').fill('L77');
    await at('no-head').waitFor();
    expect(await status()).toBe('0 of 48 heads');
  }));
  it('metric, order, filter and view are kept over a reload', () => shown(traces.demo, 'dark', async () => {
    await at('show').locator('[data-value="heat"]').click();
    await choose('metric', 'Entropy');
    await choose('order', 'Metric, all heads');
    await at('direction').click();
    await at('head-filter').fill('L2-3');
    await expect.poll(status, patient).toBe('16 of 48 heads');
    const before = await labels('head-cell');
    await page.reload();
    await at('metric-legend', '[data-metric="patternEntropy"]').waitFor();
    expect(await labels('head-cell')).toEqual(before);
    expect(await at('head-filter').inputValue()).toBe('L2-3');
    expect(await at('show').locator('[aria-checked="true"]').innerText()).toBe('Heat map');
    expect(await at('direction').innerText()).toContain('Lowest first');
  }));
});

describe('hands and ears', () => {
  it('one Tab stop; arrows, Home, End and Page Down go from head to head; Enter opens; Tab comes back to the head', () => shown(traces.demo, 'contrast', async () => {
    expect(await at('head-cell', '[tabindex="0"]').count()).toBe(1);
    await cell('L0H0').focus();
    for (const [key, label] of [['ArrowRight', 'L0H1'], ['ArrowDown', 'L1H1'], ['End', 'L1H7'], ['Home', 'L1H0'], ['PageDown', 'L5H0'], ['Control+Home', 'L0H0'], ['Control+End', 'L5H7'], ['ArrowDown', 'L5H7'], ['ArrowUp', 'L4H7']] as const) {
      await page.keyboard.press(key);
      expect(await focused()).toBe(label);
    }
    expect(await at('head-cell', '[tabindex="0"]').count()).toBe(1);
    expect(await cell('L4H7').getAttribute('tabindex')).toBe('0');
    await at('head-card', '[data-label="L4H7"]').waitFor();
    expect(await at('head-card').innerText()).toMatch(/Induction\s*\d+/);
    await page.keyboard.press('Escape');
    await at('head-card').waitFor({ state: 'detached' });
    await page.keyboard.press('Enter');
    await at('map', '[data-site="blocks.4.attn"][data-head="7"]').waitFor();
    await at('tab-overview').click();
    await expect.poll(() => cell('L4H7').getAttribute('tabindex'), patient).toBe('0');
  }));
  it('the view is chosen with arrows, and the ranked list walked', () => shown(traces.demo, 'dark', async () => {
    await at('show').locator('[aria-checked="true"]').focus();
    await page.keyboard.press('ArrowRight');
    await at('metric-legend').waitFor();
    const first = at('ranked-head').first();
    await first.focus();
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toBe(ranked('sink')[1]);
    await page.keyboard.press('End');
    expect(await focused()).toBe(ranked('sink')[19]);
    expect(await at('ranked-head', '[tabindex="0"]').count()).toBe(1);
  }));
  it('a screen reader hears a grid of rows and cells, each with its numbers', () => shown(traces.demo, 'dark', async () => {
    expect(await page.getByRole('grid', { name: 'Heads' }).getByRole('row').count()).toBe(6);
    expect(await page.getByRole('row').first().getByRole('rowheader').innerText()).toBe('L0');
    expect(await page.getByRole('gridcell').count()).toBe(48);
    expect(await cell('L3H7').getAttribute('aria-label')).toMatch(/^L3H7: sink [\d.]+%.*, previous token \d+%, induction .*, entropy .* nats, distance .* tokens, key\/value head 3$/);
    expect(await page.getByRole('radiogroup', { name: 'Show heads as' }).getByRole('radio').count()).toBe(2);
    expect(await page.getByRole('searchbox', { name: 'Filter heads' }).count()).toBe(1);
    expect(await page.getByRole('complementary', { name: 'Heads by sink' }).count()).toBe(1);
  }));
  it('resting on a head shows all of its numbers', () => shown(traces.demo, 'dark', async () => {
    await cell('L3H7').hover();
    await at('head-card', '[data-label="L3H7"]').waitFor();
    const told = await at('head-card').innerText();
    for (const title of ['Previous token', 'Self', 'Induction', 'Sink', 'First-token share', 'Entropy', 'Distance']) expect(told).toContain(title);
    await page.mouse.move(2, 2);
    await at('head-card').waitFor({ state: 'detached' });
  }));
});

describe('other models', () => {
  it('query heads stand under the key/value head that they share; samples of a batch have numbers of their own', () => shown(traces.shared, 'dark', async () => {
    const [{ heads, kvHeads }] = manifest.sites, samples = manifest.input.ids.length;
    expect([heads! / kvHeads!, samples]).toEqual([2, 2]);
    expect(await at('kv-group').count()).toBe(0);
    await at('group-kv').check();
    await expect.poll(() => at('kv-group').count(), patient).toBe(manifest.sites.length * kvHeads!);
    expect(await cell('L0H3').getAttribute('aria-label')).toMatch(/key\/value head 1$/);
    await choose('order', 'Metric, all heads');
    await expect.poll(() => at('head-grid').locator('[role="rowheader"]').allInnerTexts(), patient).toHaveLength(manifest.sites.length * kvHeads!);
    const own = (batch: number): number => (manifest.heads['blocks.0.attn'].find(one => one.batch === batch && one.head === 3) as HeadStats).sink;
    expect(own(0)).not.toBe(own(1));
    await expect.poll(() => cell('L0H3').getAttribute('data-value'), patient).toBe(String(own(0)));
    await choose('sample', '1');
    await expect.poll(() => cell('L0H3').getAttribute('data-value'), patient).toBe(String(own(1)));
  }));
  it('encoder, decoder and cross-attention have sections; a metric of one sequence means nothing across two', () => shown(traces.demo, 'light', async () => {
    expect(await at('section-title').allInnerTexts()).toEqual(['Encoder self-attention', 'Decoder self-attention', 'Decoder cross-attention']);
    await at('show').locator('[data-value="heat"]').click();
    await choose('metric', 'Previous token');
    await expect.poll(() => cell('decoder.cross.L4H0').innerText(), patient).toBe('–');
    expect(await at('metric-legend').innerText()).toContain('means nothing here');
    expect(await at('ranking').innerText()).toContain('16 heads have no such number.');
    await at('head-filter').fill('cross');
    await expect.poll(status, patient).toBe('16 of 48 heads');
    await at('head-filter').fill('decoder.cross.L4H0');
    await expect.poll(status, patient).toBe('1 of 48 heads');
  }, { prepare: withManifest(({ sites }) => ({ sites: sites.map(site => (site.layer < 2 ? { ...site, stack: 'encoder' } : site.layer < 4 ? { ...site, stack: 'decoder' } : { ...site, stack: 'decoder', kind: 'cross' as const })) })) }));
  it('a site that failed parity has neither color nor rank', () => shown(traces.demo, 'dark', async () => {
    await at('show').locator('[data-value="heat"]').click();
    await expect.poll(() => cell('L1H0').innerText(), patient).toBe('✗');
    expect(await cell('L1H0').getAttribute('data-value')).toBeNull();
    expect(await cell('L1H0').getAttribute('aria-label')).toBe('L1H0: not drawn, its site failed the parity check');
    expect((await labels('ranked-head')).some(label => label.startsWith('L1H'))).toBe(false);
    expect(await at('metric-legend').innerText()).toContain('failed the parity check');
    await at('head-filter').fill('sink >= 0');
    await expect.poll(status, patient).toBe('40 of 48 heads');
  }, { prepare: withManifest(({ parity }) => ({ parity: { ...parity, 'blocks.1.attn': { maxAbs: 0.3, of: 'pattern', rows: 64, dtype: 'F32', tolerance: 1e-5, ok: false, why: 'The scale does not fit.' } } })) }));
  it.each([{ width: 1300, height: 900 }, { width: 560, height: 700 }])('32 × 32 heads in $width pixels: all of them, thumbnails where one looks, the list where there is room', size => shown(traces.large, 'dark', async () => {
    await expect.poll(() => at('head-cell').count(), patient).toBe(1024);
    await cell('L31H31').focus();
    await at('head-cell', '[data-label="L31H31"][data-ready]').waitFor();
    expect(await at('ranked-head').count()).toBe(12);
    await at('show').locator('[data-value="heat"]').click();
    await expect.poll(() => cell('L31H31').evaluate(one => getComputedStyle(one).backgroundColor), patient).toMatch(/^rgb\(/);
    const grid = (await at('head-grid').boundingBox())!;
    expect(grid.x + grid.width).toBeLessThanOrEqual(size.width);
  }, { size }));
  it('64 × 64 heads: only rows near the window have cells, and the keyboard goes to any', () => shown(traces.huge, 'dark', async () => {
    await cell('L0H0').waitFor();
    await expect.poll(() => at('head-cell').count(), patient).toBeGreaterThanOrEqual(64 * 4);
    expect(await at('head-cell').count()).toBeLessThan(64 * 40);
    await cell('L0H0').focus();
    await page.keyboard.press('Control+End');
    await at('head-cell', '[data-label="L63H63"][data-ready]').waitFor();
    expect(await focused()).toBe('L63H63');
    // The window has gone there, and what was left behind has no cells any more.
    await expect.poll(() => cell('L20H0').count(), patient).toBe(0);
    await page.keyboard.press('ArrowUp');
    expect(await focused()).toBe('L62H63');
    await page.keyboard.press('Control+Home');
    await expect.poll(focused, patient).toBe('L0H0');
    await page.keyboard.press('Enter');
    await at('map', '[data-site="blocks.0.attn"][data-head="0"]').waitFor();
  }));
  it('one head in one layer', () => shown(traces.one, 'light', async () => {
    await at('head-cell', '[data-ready]').waitFor();
    expect(await status()).toBe('1 head');
    expect(await labels('ranked-head')).toEqual(['L0H0']);
    await cell('L0H0').focus();
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('L0H0');
  }));
});
