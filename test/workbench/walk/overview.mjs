/** The walk through the Overview's heads: heat map, filter and keyboard over a trace of the demo, and a grid of 32 × 32 heads; in the dark, the light and high contrast. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { importBundled } from '../../bed/bundle.mjs';
import { results, root, run } from '../../bed/run.mjs';
import { openFile, openWorkbench, webviewFrame } from '../../bed/workbench.mjs';
import { mapOf, prompt, wear } from '../steps.mjs';

/** A trace of the demo and one of a random model of 32 layers with 32 heads, in the workspace. */
export async function gridTraces(workspace, place) {
  const { generateDecoder } = await importBundled('test/bench/generate-decoder.ts');
  const large = generateDecoder(join(place, 'large'), { layers: 32, heads: 32, width: 128, vocabulary: 64, positions: 64 }), trace = (model, text, name) => run(process.execPath, [join(root, 'dist/attnscope.js'), 'trace', model, ...text, '--out', join(workspace, `${name}.attntrace`)]);
  await trace(join(workspace, 'storyteller/model.onnx'), ['--prompt', prompt], 'story');
  await trace(large, ['--ids', Array.from({ length: 48 }, (_, i) => i % 11).join(',')], 'large');
}

/** The steps as [name, work]; each stands on those before it. */
export function overviewCases({ server, page }) {
  const picture = name => page.screenshot({ path: join(results, `overview-${name}.png`) });
  let frame;
  const at = testid => frame.locator(`[data-testid="${testid}"]`), cell = label => frame.locator(`[data-testid="head-cell"][data-label="${label}"]`), said = text => at('filter-answer').filter({ hasText: text }).waitFor();
  const choose = async (testid, text) => { await at(testid).click(); await at(testid).locator('vscode-option', { hasText: text }).first().click(); };
  const open = async (file, probe) => { await openFile(page, file); frame = await webviewFrame(page, probe); };

  return [
    ['any metric as a heat map, the strongest heads in a list beside it', async () => {
      await openWorkbench(page, server.url);
      // The Explorer is there before the extensions are.
      await page.locator('.activitybar .action-label[aria-label^="AttnScope"]').waitFor({ timeout: 60_000 });
      await open('story.attntrace', '[data-testid="head-cell"]');
      await frame.locator('[data-testid="head-cell"][data-ready]').first().waitFor();
      await at('show').scrollIntoViewIfNeeded();
      await picture('thumbnails-dark');
      await at('show').locator('[data-value="heat"]').click();
      await choose('metric', 'Previous token');
      await frame.locator('[data-testid="metric-legend"][data-metric="prevTokenScore"]').waitFor();
      assert.equal(await at('ranked-head').first().getAttribute('data-label'), 'L3H7');
      assert.match(await cell('L3H7').innerText(), /^9\d%$/);
      await cell('L3H7').hover();
      await at('head-card').filter({ hasText: 'Induction' }).waitFor();
      await picture('heat-dark');
    }],
    ['a filter by threshold, then the keyboard goes through what is left and opens a head', async () => {
      await at('head-filter').fill('prev > 0.3, L4H7');
      await said(/^\d of 48 heads$/);
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('End');
      const label = await frame.evaluate(() => document.activeElement.dataset.label), [, layer, head] = /^L(\d+)H(\d+)$/.exec(label);
      await picture('filter-dark');
      await page.keyboard.press('Enter');
      await mapOf(frame, `blocks.${layer}.attn`, head);
    }],
    ['what was arranged is there again after the editor was closed to another', async () => {
      await open('large.attntrace', '[data-testid="head-cell"][data-label="L31H31"]');
      assert.equal(await at('head-cell').count(), 1024);
      await cell('L0H0').focus();
      await page.keyboard.press('Control+End');
      await frame.locator('[data-testid="head-cell"][data-label="L31H31"][data-ready]').waitFor();
      await picture('32x32-dark');
      await open('story.attntrace', '[data-testid="map"]');
      await at('tab-overview').click();
      await said(/^\d of 48 heads$/);
      assert.equal(await at('head-filter').inputValue(), 'prev > 0.3, L4H7');
      await at('head-filter').fill('');
      await said('48 heads');
    }],
    ['the light theme and high contrast', async () => {
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await open('story.attntrace', '[data-testid="head-cell"]');
        await at('metric-legend').scrollIntoViewIfNeeded();
        await at('ranked-head').first().focus();
        await picture(`heat-${name}`);
        await at('show').locator('[data-value="thumbnails"]').click();
        await frame.locator('[data-testid="head-cell"][data-ready]').first().waitFor();
        await at('group-kv').check();
        await at('kv-group').first().waitFor();
        await cell('L1H0').scrollIntoViewIfNeeded();
        await picture(`groups-${name}`);
        await at('group-kv').uncheck();
        await at('show').locator('[data-value="heat"]').click();
        await at('metric-legend').waitFor();
      }
    }],
  ];
}
