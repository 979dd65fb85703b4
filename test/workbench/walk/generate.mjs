/** Generation: the demo's decoder with a cache goes on by itself, and the slider tells what each token looked at. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { results } from '../../bed/run.mjs';
import { openWorkbench, rowMenu, webviewFrame } from '../../bed/workbench.mjs';
import { wear } from '../steps.mjs';

const text = 'One morning Anna found a silver key near the mill. Anna gave the key to Boris. Boris put the key in his bag. Who has the key?';

/** The steps as [name, work]; each stands on those before it. */
export function generateCases({ server, page }) {
  const row = of => page.locator('.pane', { has: page.locator('.pane-header[aria-label^="Models"]') }).locator('.monaco-list-row', { hasText: of }).first();
  let frame;
  return [
    ['Trace Attention on the decoder with a cache offers what the model writes next', async () => {
      await openWorkbench(page, server.url);
      await page.locator('.activitybar .action-item a[aria-label^="AttnScope"]').click();
      await rowMenu(page, row('model_cached.onnx'), 'Trace Attention With');
      await page.locator('.quick-input-title', { hasText: 'prompt' }).waitFor();
      await page.locator('.quick-input-widget input').first().fill(text);
      const more = page.locator('.quick-input-list .monaco-list-row', { hasText: 'what the model writes next' }).first();
      await more.waitFor();
      await page.screenshot({ path: join(results, 'generate-question.png') });
      await more.click();
    }],
    ['the trace holds prompt and generated tokens, and the slider says what each was chosen from', async () => {
      frame = await webviewFrame(page, '[data-testid="steps"]');
      assert.match(await frame.locator('[data-testid="step-title"]').innerText(), /^24 generated tokens, always the most likely\./);
      assert.equal(await frame.locator('[data-testid="parity-badge"]').getAttribute('data-level'), 'ok');
      await frame.locator('[data-testid="next-step"]').click();
      assert.match(await frame.locator('[data-testid="step-title"]').innerText(), /^Step 1 of 24 after \? \(query 33\) it wrote ·Boris, /);
      await frame.locator('[data-testid="step-head"]').first().waitFor();
      await page.screenshot({ path: join(results, 'generate-overview.png') });
    }],
    ['a head of the step shows its row in the Attention tab', async () => {
      await frame.locator('[data-testid="step-head"] button').first().click();
      await frame.locator('[data-testid="map"][data-ready="true"]').waitFor();
      await frame.locator('[data-testid="row-strip"]', { hasText: /query 33/i }).waitFor();
      await page.screenshot({ path: join(results, 'generate-attention.png') });
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await frame.locator('[data-testid="map"][data-ready="true"]').waitFor();
        await page.screenshot({ path: join(results, `generate-attention-${name}.png`) });
      }
    }],
  ];
}
