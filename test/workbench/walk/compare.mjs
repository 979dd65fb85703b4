/** The walk through Compare Traces: two traces selected in the Explorer, where they start to differ, and one head in both; in the dark, the light and high contrast. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { importBundled } from '../../bed/bundle.mjs';
import { results, root, run } from '../../bed/run.mjs';
import { openFile, openWorkbench, rowMenu, runCommand, webviewFrame } from '../../bed/workbench.mjs';
import { prompt, wear } from '../steps.mjs';

/** Two traces of the demo in the workspace, the second of a copy with the W_Q of L1H3 changed. */
export async function twoTraces(workspace, place) {
  const { alteredDemo } = await importBundled('test/unit/analysis/altered-demo.ts');
  for (const [model, name] of [[join(workspace, 'storyteller/model.onnx'), 'before'], [await alteredDemo(place, 'q', 1, 3), 'after']]) {
    await run(process.execPath, [join(root, 'dist/attnscope.js'), 'trace', model, '--prompt', prompt, '--out', join(workspace, `${name}.attntrace`)]);
  }
}

/** The steps as [name, work]; each stands on those before it. */
export function compareCases({ server, page, lines }) {
  const picture = name => page.screenshot({ path: join(results, `compare-walk-${name}.png`) });
  let frame;
  const at = testid => frame.locator(`[data-testid="${testid}"]`);
  const compared = async label => {
    frame = await webviewFrame(page, '[data-testid="compare-head"]');
    await frame.locator(`[data-testid="compare-head"][data-label="${label}"][data-ready="true"]`).waitFor();
  };

  return [
    ['two traces that are selected in the Explorer are compared from its menu', async () => {
      await openWorkbench(page, server.url);
      // The Explorer is there before the extensions are.
      await page.locator('.activitybar .action-label[aria-label^="AttnScope"]').waitFor({ timeout: 60_000 });
      const file = name => page.locator('.explorer-folders-view .monaco-list-row', { hasText: name });
      await file('before.attntrace').click();
      // Its editor comes a moment later, and the Explorer then selects its file alone.
      await webviewFrame(page, '[data-testid="head-grid"]');
      await file('after.attntrace').click({ modifiers: ['ControlOrMeta'] });
      await rowMenu(page, file('after.attntrace'), 'Compare Traces');
      await compared('L1H3');
    }],
    ['the sentence names the head whose weights were changed, and the grid marks it', async () => {
      assert.match(await at('compare-sentence').innerText(), /^It starts at L1, at L1H3 alone: .+ All 8 heads before it agree exactly\./);
      assert.equal(await at('compare-cell').count(), 48);
      assert.equal(await frame.locator('[data-testid="compare-cell"][data-first="true"]').getAttribute('data-label'), 'L1H3');
      assert.match(await at('next-kl').innerText(), /Only the 5 most likely are stored/);
      await page.locator('.tab', { hasText: 'before ↔ after' }).waitFor();
      await picture('dark');
    }],
    ['over the difference map both probabilities are told', async () => {
      const map = at('compare-map-difference');
      await map.scrollIntoViewIfNeeded();
      const box = await map.boundingBox();
      await map.hover({ position: { x: box.width * 0.1, y: box.height * 0.6 } });
      await at('compare-hover-values').filter({ hasText: /\d%? → \d.* pt/ }).waitFor();
      await picture('hover-dark');
    }],
    ['a head opens in the trace of either side, and behind it the comparison stays', async () => {
      await at('compare-open-b').click();
      frame = await webviewFrame(page, '[data-testid="map"]');
      await frame.locator('[data-testid="map"][data-site="blocks.1.attn"][data-head="3"][data-ready="true"]').waitFor();
      await page.locator('.tab.active', { hasText: 'after.attntrace' }).waitFor();
      await page.locator('.tab', { hasText: 'before ↔ after' }).click();
      await compared('L1H3');
    }],
    ['from an open trace the other one is asked for, and the panel that compares them already is shown', async () => {
      await openFile(page, 'before.attntrace');
      await webviewFrame(page, '[data-testid="head-grid"]');
      await runCommand(page, 'AttnScope: Compare Traces');
      await page.locator('.quick-input-title', { hasText: 'before.attntrace with B' }).waitFor();
      await page.locator('.quick-input-list .monaco-list-row', { hasText: 'after.attntrace' }).first().click();
      await compared('L1H3');
      assert.equal(await page.locator('.tab', { hasText: '↔' }).count(), 1);
    }],
    ['the panel comes back after the window was loaded anew', async () => {
      // As a person does it: what is open is then saved first.
      await Promise.all([page.waitForEvent('load', { timeout: 60_000 }), runCommand(page, 'Developer: Reload Window')]);
      await page.locator('.tab', { hasText: 'before ↔ after' }).click({ timeout: 60_000 });
      await compared('L1H3');
    }],
    ['the light theme and high contrast', async () => {
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await compared('L1H3');
        await picture(name);
      }
    }],
    ['the page broke no content policy and did not throw', () => {
      assert.deepEqual(lines.filter(line => /content security policy/i.test(line) && /nonce-/.test(line)), []);
      assert.deepEqual(lines.filter(line => /^uncaught:/.test(line)), []);
    }],
  ];
}
