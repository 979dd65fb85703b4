/** The slider over generated tokens in a browser: on the demo's decoder with a cache, in the Overview and in the Attention tab. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Manifest } from '../../extension/contract/trace.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { openGallery } from './gallery.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-steps-')), out = join(folder, 'key.attntrace');
const text = 'One morning Anna found a silver key near the mill. Anna gave the key to Boris. Boris put the key in his bag. Who has the key?';
let browser: Browser, manifest: Manifest;

beforeAll(async () => {
  await capture({ model: resolve('media/demo/storyteller/model_cached.onnx'), prompt: { kind: 'text', text }, out, generate: 4 }, { progress: () => undefined });
  ({ manifest } = await completeCapture({ out }));
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--enable-unsafe-swiftshader'] });
});
afterAll(async () => { await browser?.close(); rmSync(folder, { recursive: true, force: true }); });

it.each(['dark', 'light'] as const)('%s: a step tells what it wrote, instead of what, and what its row looked at', async theme => {
  const gallery = await openGallery(out), page = await browser.newPage({ viewport: { width: 1240, height: 880 } }), errors: string[] = [], at = (testid: string, more = '') => page.locator(`[data-testid="${testid}"]${more}`);
  page.on('pageerror', error => errors.push(error.message));
  try {
    await page.goto(gallery.url(theme));
    expect(await at('step-title').innerText()).toBe('4 generated tokens, always the most likely. Move the slider to see what each looked at.');
    expect(await at('prompt').locator('.generated').allInnerTexts()).toEqual(['·Boris', '·has', '·the', '·key']);
    await at('step').focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => at('step-title').innerText()).toMatch(/^Step 2 of 4 after ·Boris \(query \d+\) it wrote ·has, \d+%$/);
    const { steps, from } = manifest.generated!;
    expect(await at('alternative').evaluateAll(all => all.map(one => one.getAttribute('data-token')))).toEqual(steps[1].alternatives.map(one => one.token));
    expect(await at('prompt').locator('.at-step').innerText()).toBe('·has');
    // Every head is counted once.
    await at('step-key').first().waitFor();
    const heads = await at('step-key').evaluateAll(all => all.map(one => Number(/(\d+) of 48 heads/.exec(one.textContent ?? '')?.[1])));
    expect(heads.reduce((sum, count) => sum + count, 0)).toBe(48);
    const first = at('step-head').first(), label = await first.getAttribute('data-label'), share = await first.locator('.number').innerText();
    await first.locator('button').click();
    await at('map', '[data-ready="true"]').waitFor();
    expect(await at('head-facts').innerText()).toContain(label);
    await expect.poll(() => at('row-strip').innerText()).toContain(`QUERY ${from}`);
    expect(await at('row-key').first().innerText()).toContain(share);
    await at('next-step').click();
    await expect.poll(() => at('row-strip').innerText()).toContain(`QUERY ${from + 1}`);
    await at('no-step').click();
    await expect.poll(() => at('step-title').innerText()).toContain('4 generated tokens');
    expect(await page.evaluate('window.violations')).toEqual([]);
    expect(errors).toEqual([]);
  } finally { await page.close(); gallery.close(); }
});
