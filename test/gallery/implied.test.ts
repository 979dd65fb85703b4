/** Linear attention in the panels: implied weights, signed, in diverging colours, and the word probability nowhere near them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtures } from '../operators/linear-attention.ts';
import { linearTrace } from '../operators/linear-trace.ts';
import { openGallery, type Theme } from './gallery.ts';
import { browserFlags, browserPath } from './stage.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-implied-gallery-')), fixture = fixtures.find(({ name }) => name.endsWith('gated delta, decay of heads'))!;
let browser: Browser, page: Page, kept: string, bare: string;
beforeAll(async () => {
  kept = await linearTrace(folder, fixture, 'kept', true);
  bare = await linearTrace(folder, fixture, 'bare', false);
  browser = await chromium.launch({ executablePath: browserPath, args: [...browserFlags] });
});
afterAll(async () => { await browser?.close(); rmSync(folder, { recursive: true, force: true }); });
const at = (testid: string, more = '') => page.locator(`[data-testid="${testid}"]${more}`);

async function shown(trace: string, theme: Theme, work: () => Promise<void>): Promise<void> {
  const gallery = await openGallery(trace), errors: string[] = [];
  page = await browser.newPage({ viewport: { width: 1200, height: 860 } });
  page.on('pageerror', error => errors.push(error.message));
  try {
    await page.goto(gallery.url(theme));
    await at('head-cell').first().waitFor();
    await work();
    expect(await page.evaluate('window.violations')).toEqual([]);
    expect(errors).toEqual([]);
  } finally { await page.close(); gallery.close(); }
}
const picture = async (name: string): Promise<void> => { if (process.env['ATTNSCOPE_PICTURES']) await page.screenshot({ path: join(process.env['ATTNSCOPE_PICTURES'], `${name}.png`) }); };
/** [head, query, key] of sample 0. */
const weight = (h: number, i: number, j: number): number => fixture.weights[(h * fixture.queries + i) * fixture.queries + j];

describe.each(['dark', 'light', 'contrast'] as const)('in the %s theme', theme => {
  it('thumbnails, map, row and cell say implied weights', () => shown(kept, theme, async () => {
    await at('head-cell', '[data-ready="true"]').nth(1).waitFor();
    expect(await at('head-cell').nth(1).getAttribute('aria-label')).toContain('linear attention, implied weights');
    expect(await at('implied-note').innerText()).toContain('implied weights, blue below 0');
    await picture(`implied-overview-${theme}`);
    await at('head-cell').nth(1).click();
    await at('map', '[data-ready="true"]').waitFor();
    expect(await at('legend').innerText()).toContain('implied weight, linear scale');
    expect(await at('legend').getAttribute('data-colours')).toBe('diverging');
    expect(await at('implied-fact').innerText()).toBe('implied weights of linear attention, no probabilities');
    await at('map').focus();
    await page.keyboard.press('End');
    for (let n = 0; n < 5; n++) await page.keyboard.press('ArrowDown');
    await at('row-key').first().waitFor();
    const rows = await at('row-key').evaluateAll(all => all.map(one => [Number((one as HTMLElement).dataset['key']), Number((one as HTMLElement).dataset['weight'])] as const)), query = Number(/\d+/.exec(await at('row-strip').locator('h2').innerText())![0]);
    expect(rows.length).toBeGreaterThan(1);
    for (const [key, value] of rows) expect(value).toBeCloseTo(weight(1, query, key), 5);
    await page.keyboard.press('Enter');
    await picture(`implied-map-${theme}`);
    // Whatever this tab says of the head, it is no probability, and nothing has a percent sign.
    const words = await page.locator('.map-and-row').innerText();
    expect(words.replaceAll('no probabilities', '')).not.toMatch(/probabilit|%/i);
    expect(await at('sink-apart').isDisabled()).toBe(true);
  }));
});

it('weights that were not kept are told so, with what to do', () => shown(bare, 'dark', async () => {
  await at('head-cell').first().click();
  expect(await at('not-kept').innerText()).toContain('The weights that it implies were not kept');
  expect(await at('map').count()).toBe(0);
}));
