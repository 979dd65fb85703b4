/** `npm run test:real`: traces a trained encoder from PyPI through the command line, and in a real workbench with the packed extension; its last line is `tests: N passed, N failed`. */
import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureCodeServer, startCodeServer } from '../bed/code-server.mjs';
import { ensurePackages } from '../bed/packages.mjs';
import { results, root, run, say } from '../bed/run.mjs';
import { ensureSystem, swiftshader } from '../bed/system.mjs';
import { ensureVenv, python } from '../bed/venv.mjs';
import { packVsix } from '../bed/vsix.mjs';
import { placeModel } from './model.mjs';

const first = 'How can I reset my password?';
const second = 'I have forgotten my password, what should I do?';
const layers = 3, heads = 12;

await ensureSystem();
await ensurePackages();
await ensureVenv();
await ensureCodeServer();
const vsix = await packVsix();
// Imported late: these need our own packages, which a fresh clone does not have when this file is read.
const { openBrowser } = await import('../bed/browser.mjs');
const { openWorkbench, runCommand } = await import('../bed/workbench.mjs');
const { mapOf, overview, readOverview } = await import('../workbench/steps.mjs');

const place = mkdtempSync(join(tmpdir(), 'attnscope-real-'));
mkdirSync(results, { recursive: true });
let passed = 0, failed = 0;
try {
  const model = await placeModel(join(place, 'workspace'));
  await test('command line: sites', async () => {
    const { sites, refused } = JSON.parse(await attnscope('sites', model, '--json'));
    assert.deepEqual(sites.map(site => [site.name, site.kind, site.heads, site.headDim, site.mask.causal]), Array.from({ length: layers }, (_, layer) => [`blocks.${layer}.attn`, 'self', heads, 32, false]));
    assert.deepEqual(refused, []);
  });
  await test('command line: one text', () => traced(model, [first]));
  await test('command line: two texts', () => traced(model, [first, second]));
  await test('workbench: two texts, parity shown, a head in full', () => inWorkbench(model));
} finally { rmSync(place, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 }); }
say(`tests: ${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;

async function test(name, work) {
  const start = Date.now();
  try { await work(); passed++; say(`✓ ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`); } catch (error) { failed++; say(`✗ ${name}: ${error.stack}`); }
}

function attnscope(...args) { return run(process.execPath, [join(root, 'dist/attnscope.js'), ...args]); }

/** Traces, and compares tokens with Python's tokenizers and parity with its tolerance. */
async function traced(model, texts) {
  const out = join(place, `${texts.length}.attntrace`), manifest = JSON.parse(await attnscope('trace', model, '--prompt', texts[0], ...(texts[1] ? ['--pair', texts[1]] : []), '--out', out, '--json'));
  const theirs = JSON.parse(await run(python, [join(import.meta.dirname, 'tokens.py'), join(dirname(model), 'tokenizer.json'), ...texts]));
  assert.deepEqual(manifest.input.ids, [theirs.ids]);
  assert.deepEqual(manifest.input.tokens, [theirs.tokens]);
  if (texts[1]) assert.deepEqual(manifest.input.segments, [theirs.types]);
  assert.equal(Object.keys(manifest.parity).length, layers);
  for (const [site, { ok, of, rows }] of Object.entries(manifest.parity)) assert.deepEqual({ site, ok, of, rows }, { site, ok: true, of: 'pattern', rows: theirs.ids.length });
  const worst = Math.max(...Object.values(manifest.parity).map(parity => parity.maxAbs));
  say(`  ${theirs.ids.length} tokens, parity ${worst.toExponential(1)}; ${manifest.verdicts.map(verdict => verdict.text).join(' ')}`);
}

async function inWorkbench(model) {
  const home = join(place, 'home'), server = await startCodeServer({ workspace: dirname(model), home, vsix: [vsix], env: { VK_ICD_FILENAMES: process.env.VK_ICD_FILENAMES ?? swiftshader }, settings: { 'workbench.colorTheme': 'Dark Modern' } });
  const { browser, page } = await openBrowser(), picture = name => page.screenshot({ path: join(results, `real-${name}.png`) });
  try {
    await openWorkbench(page, server.url);
    // Its icon in the activity bar is there when its commands are.
    await page.locator('.activitybar [aria-label*="AttnScope"]').first().waitFor();
    await page.locator('.explorer-folders-view .monaco-list-row', { hasText: '.onnx' }).first().click({ button: 'right' });
    await page.locator('.monaco-menu .action-item', { hasText: /^Trace Attention$/ }).first().click();
    const title = page.locator('.quick-input-title'), box = page.locator('.quick-input-widget input').first();
    // The model takes two texts, and the box says so.
    await title.filter({ hasText: 'two texts as A ||| B' }).waitFor();
    await box.fill(`${first} ||| ${second}`);
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'trace this' }).first().waitFor();
    await picture('1-two-texts');
    await page.keyboard.press('Enter');
    const frame = await overview(page), shown = await readOverview(frame);
    await page.waitForTimeout(500);
    await picture('2-overview-dark');
    assert.equal(shown.heads.length, layers * heads);
    assert.equal(shown.parity.level, 'ok', shown.parity.text);
    assert.match(shown.parity.text, /parity/i);
    assert.match(shown.prompt, /\[CLS\].*\[SEP\].*\[SEP\]/s);
    say(`  ${shown.parity.text}; ${shown.verdicts.join(' | ')}`);
    const strongest = shown.heads.toSorted((a, b) => b.sink - a.sink)[0];
    await frame.locator(`[data-testid="head-cell"][data-label="${strongest.label}"]`).click();
    await mapOf(frame, `blocks.${strongest.row}.attn`, /H(\d+)$/.exec(strongest.label)[1]);
    await page.waitForTimeout(500);
    await picture('3-attention-dark');
    await runCommand(page, 'Preferences: Toggle between Light/Dark Themes');
    await page.waitForTimeout(2000);
    await picture('4-attention-light');
  } catch (error) {
    await picture('failed').catch(() => undefined);
    throw error;
  } finally {
    await browser.close();
    await server.stop();
  }
}
