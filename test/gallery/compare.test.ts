/** The Compare panel over the demo and a copy of it with one head's W_Q changed, under VS Code's policy, in every theme. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompareApi } from '../../extension/contract/api.ts';
import { PeerGone, UserError } from '../../extension/contract/errors.ts';
import { differenceTile } from '../../extension/engine/analysis/diff-tile.ts';
import { diffTraces } from '../../extension/engine/analysis/diff.ts';
import { OpenTraces } from '../../extension/engine/analysis/open-traces.ts';
import { computeTile } from '../../extension/engine/analysis/tile.ts';
import { alteredDemo, demo, traced } from '../unit/analysis/altered-demo.ts';
import { diffTwin, siteTwin } from '../unit/analysis/diff-twin.ts';
import { servePanel, type Theme } from './gallery.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-compare-')), text = 'Anna gave the lantern to Boris. Then Boris gave the lantern to', traces = new OpenTraces();
const pictures = resolve(import.meta.dirname, '../../test-results');
type Answers = { [K in keyof CompareApi]: (request: Parameters<CompareApi[K]>[0]) => unknown };
let browser: Browser, page: Page, calls: string[], answers: Answers;
let whole: string, altered: string;

beforeAll(async () => {
  whole = await traced(join(demo, 'model.onnx'), text, join(folder, 'whole.attntrace'));
  altered = await traced(await alteredDemo(folder, 'q', 1, 3), text, join(folder, 'altered.attntrace'));
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--enable-unsafe-swiftshader'] });
  mkdirSync(pictures, { recursive: true });
});
afterAll(async () => { await browser?.close(); rmSync(folder, { recursive: true, force: true }); });

const at = (testid: string, more = '') => page.locator(`[data-testid="${testid}"]${more}`);
const patient = { timeout: 10_000 };

async function shown(theme: Theme, files: readonly [string, string], work: () => Promise<void>, prepare: () => void = () => undefined): Promise<void> {
  const [a, b] = files.map(file => traces.open(file)), side = (trace: string, request: Parameters<CompareApi['differenceTile']>[0] | Parameters<CompareApi['tile']>[0]) => ({ view: traces.view(trace, request.site), prepared: traces.prepared({ ...request, trace }) });
  calls = [];
  answers = {
    state: () => ({ a, b }), compared: ({ tolerance }) => diffTraces(traces.trace(a.trace), traces.trace(b.trace), { tolerance }),
    tile: request => computeTile({ ...request, of: 'prob', ...side(request.trace, request) }), differenceTile: request => differenceTile({ ...request, a: side(request.a, request), b: side(request.b, request) }),
    openHead: request => { calls.push(JSON.stringify(request)); }, restartEngine: () => undefined,
  };
  prepare();
  const server = await servePanel(answers, calls, 'compare');
  page = await browser.newPage({ viewport: { width: 1280, height: 1100 } });
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  try {
    await page.goto(server.url(theme));
    await page.waitForFunction('document.body.innerText.trim() !== ""');
    await work();
    expect(await page.evaluate('window.violations')).toEqual([]);
    expect(errors).toEqual([]);
  } finally { await page.close(); server.close(); for (const { trace } of [a, b]) traces.close(trace); }
}
async function pixel(testid: string, x: number, y: number): Promise<number[]> {
  return page.evaluate(`[...document.querySelector('[data-testid="${testid}"]').getContext('2d').getImageData(${x}, ${y}, 1, 1).data].slice(0, 3)`);
}

describe.each(['dark', 'light', 'contrast'] as const)('in the %s theme', theme => {
  it('says where it starts, colors the heads that differ, ranks them, and shows one in both', () => shown(theme, [whole, altered], async () => {
    await at('compare-head', '[data-label="L1H3"][data-ready="true"]').waitFor();
    expect(await at('compare-sentence').innerText()).toMatch(/^It starts at L1, at L1H3 alone: a probability changes by up to 0\.\d+/);
    expect(await at('compare-cell').count()).toBe(48);
    expect(await at('compare-cell', '[data-first="true"]').getAttribute('data-label')).toBe('L1H3');
    expect(await at('compare-cell', '[data-row="0"][data-above="true"]').count()).toBe(0);
    expect(await at('compare-cell', '[data-row="1"][data-above="true"]').count()).toBe(1);
    expect(await at('compare-worst').count()).toBe(12);
    expect(await at('next-change').count()).toBeGreaterThanOrEqual(5);
    expect(await at('next-kl').innerText()).toMatch(/^Only the 5 most likely are stored: KL\(A‖B\) is at least \S+ nats/);
    const background = await page.evaluate(`getComputedStyle(document.querySelector('[data-label="L1H3"]')).backgroundColor`);
    expect(background).not.toBe(await page.evaluate(`getComputedStyle(document.querySelector('[data-label="L0H0"]')).backgroundColor`));
    // The difference of a head that is equal is all zero: one color under the diagonal, another above it.
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out sideways').toBe(true);
    await page.mouse.move(0, 0);
    await page.screenshot({ path: join(pictures, `compare-${theme}.png`), fullPage: true });
  }));

  it('under the pointer both probabilities are read, and the colors are those of the change', () => shown(theme, [whole, altered], async () => {
    await at('compare-head', '[data-label="L1H3"][data-ready="true"]').waitFor();
    const a = siteTwin(whole, 'blocks.1.attn'), b = siteTwin(altered, 'blocks.1.attn'), n = a.length, change = (i: number, j: number): number => b.probs[(3 * n + i) * n + j] - a.probs[(3 * n + i) * n + j];
    let most = { i: 0, j: 0 }, least = { i: 0, j: 0 };
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) { if (change(i, j) > change(most.i, most.j)) most = { i, j }; if (change(i, j) < change(least.i, least.j)) least = { i, j }; }
    const box = (await at('compare-map-difference').boundingBox())!, cell = Math.min(box.width, box.height) / n, centre = ({ i, j }: typeof most) => [Math.round((j + 0.5) * cell), Math.round((i + 0.5) * cell)] as const;
    const [red, , blueOfMost] = await pixel('compare-map-difference', ...centre(most)), [redOfLeast, , blue] = await pixel('compare-map-difference', ...centre(least));
    expect(red, 'more is orange').toBeGreaterThan(blueOfMost);
    expect(blue, 'less is blue').toBeGreaterThan(redOfLeast);
    // Row 0 sees one key: no change there; beside it lies what is masked.
    const none = await pixel('compare-map-difference', ...centre({ i: 0, j: 0 })), hidden = await pixel('compare-map-difference', ...centre({ i: 0, j: n - 1 }));
    expect(Math.max(...none) - Math.min(...none)).toBeLessThan(4);
    expect(hidden).not.toEqual(none);
    const [x, y] = centre(most), percent = (p: number): string => `${(p * 100).toFixed(p >= 0.1 ? 0 : p >= 0.01 ? 1 : 2)}%`;
    await page.mouse.move(box.x + x, box.y + y);
    await expect.poll(() => at('compare-hover-values').innerText(), patient).toContain(`${percent(a.probs[(3 * n + most.i) * n + most.j])} → ${percent(b.probs[(3 * n + most.i) * n + most.j])}`);
    expect(await at('compare-hover').innerText()).toMatch(new RegExp(`query ${most.i} .*\nkey ${most.j} `, 's'));
    await page.screenshot({ path: join(pictures, `compare-hover-${theme}.png`) });
  }));
});

describe('what a person does', () => {
  it('chooses a metric, a head from the list, the next one, and opens it in either trace', () => shown('dark', [whole, altered], async () => {
    await at('compare-head', '[data-ready="true"]').waitFor();
    const order = (): Promise<string[]> => at('compare-worst').evaluateAll(rows => rows.map(row => (row as HTMLElement).dataset['label']!)), before = await order();
    await at('compare-metric').click();
    await at('compare-metric').locator('vscode-option', { hasText: 'Output error' }).click();
    await expect.poll(order, patient).not.toEqual(before);
    const [first, second] = await order(), twins = (label: string): number => { const [, layer, head] = /L(\d)H(\d)/.exec(label)!, site = `blocks.${layer}.attn`; return diffTwin(siteTwin(whole, site), siteTwin(altered, site), Number(head)).outputError; };
    expect(twins(first)).toBeGreaterThan(twins(second));
    await at('compare-worst', `[data-label="${first}"]`).locator('th button').click();
    await at('compare-head', `[data-label="${first}"][data-ready="true"]`).waitFor();
    await at('compare-next').click();
    await at('compare-head', `[data-label="${second}"][data-ready="true"]`).waitFor();
    await at('compare-open-b').click();
    const [, layer, head] = /L(\d)H(\d)/.exec(second)!;
    await expect.poll(() => calls, patient).toContain(JSON.stringify({ side: 'b', site: `blocks.${layer}.attn`, batch: 0, head: Number(head) }));
    expect(JSON.parse(await page.evaluate('sessionStorage.getItem("kept")'))).toMatchObject({ a: whole, b: altered, metric: 'outputError', site: `blocks.${layer}.attn`, head: Number(head) });
  }));
  it('allows more than rounding: heads that change less lose their color', () => shown('dark', [whole, altered], async () => {
    await at('compare-head', '[data-ready="true"]').waitFor();
    // Its colors are there; a rule for another thing of the same name had folded them away.
    expect((await at('compare-legend').locator('.ramp').boundingBox())?.height).toBe(10);
    const before = await at('compare-cell', '[data-above="true"]').count();
    await at('compare-tolerance').click();
    await at('compare-tolerance').locator('vscode-option', { hasText: '0.3' }).click();
    await expect.poll(() => at('compare-cell', '[data-above="true"]').count(), patient).toBeLessThan(before);
    expect(await at('compare-sentence').innerText()).toContain('where 0.3 is allowed');
    expect(await at('compare-legend').innerText()).toContain('within 0.3');
  }));
  it('with the keyboard: from cell to cell of the grid and of a map, read aloud', () => shown('light', [whole, altered], async () => {
    await at('compare-head', '[data-ready="true"]').waitFor();
    await at('compare-cell', '[data-label="L1H3"]').focus();
    for (const key of ['ArrowDown', 'ArrowRight', 'Enter']) await page.keyboard.press(key);
    await at('compare-head', '[data-label="L2H4"][data-ready="true"]').waitFor();
    await at('compare-map-b').focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight']) await page.keyboard.press(key);
    await expect.poll(() => at('compare-spoken').textContent(), patient).toMatch(/^Query 2 .+, key 1 .+: A \d+(\.\d+)?%, B \d+(\.\d+)?%$/);
  }));
  it('equal traces are said to be the same, with nothing to rank', () => shown('dark', [whole, whole], async () => {
    await at('compare-head', '[data-label="L0H0"][data-ready="true"]').waitFor();
    expect(await at('compare-sentence').innerText()).toBe('The two traces are the same: every difference at all 48 heads is exactly 0.');
    expect(await at('compare-cell', '[data-above="true"]').count()).toBe(0);
    expect(await at('compare-no-heads').count()).toBe(1);
    expect(await at('compare-map-legend').innerText()).toContain('no change');
    await page.screenshot({ path: join(pictures, 'compare-same-dark.png') });
  }));
  it('an engine that stops says so, and a restart brings the comparison', () => shown('dark', [whole, altered], async () => {
    await at('restart').waitFor();
    expect(await at('error').innerText()).toContain('The engine stopped. The analysis process ended (SIGKILL).');
    answers.compared = () => diffTraces(traces.trace((answers.state({}) as { a: { trace: string } }).a.trace), traces.trace((answers.state({}) as { b: { trace: string } }).b.trace));
    await at('restart').click();
    await at('compare-head', '[data-ready="true"]').waitFor();
    expect(await at('error').count()).toBe(0);
  }, () => { answers.compared = () => { throw new PeerGone('The analysis process ended (SIGKILL).'); }; }));
  it('what cannot be compared is a sentence', () => shown('light', [whole, altered], async () => {
    await at('error').waitFor();
    expect(await at('error').innerText()).toContain('A and B have no attention site in common. Compare two traces of one model.');
  }, () => { answers.compared = () => { throw new UserError('A and B have no attention site in common.', 'Compare two traces of one model.'); }; }));
});
