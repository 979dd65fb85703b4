/** The walk to a sound: a speech folder asks for a WAV file of the workspace; its decoder's cross-attention stands over moments of the sound; a file that is no sound is a sentence. */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importBundled } from '../../bed/bundle.mjs';
import { results } from '../../bed/run.mjs';
import { openWorkbench, rowMenu, runCommand, webviewFrame } from '../../bed/workbench.mjs';
import { mapOf, wear } from '../steps.mjs';

export async function speechWorkspace(workspace) {
  const { generateSound, generateSpeech } = await importBundled('test/unit/run/generate-pair.ts');
  generateSpeech(join(workspace, 'speech'));
  generateSound(join(workspace, 'tone.wav'));
  writeFileSync(join(workspace, 'broken.wav'), 'RIFF, or so they say');
}

/** The steps as [name, work]; each stands on those before it. */
export function hearCases({ server, page }) {
  const picture = name => page.screenshot({ path: join(results, `hear-${name}.png`) });
  const model = page.locator('.pane', { has: page.locator('.pane-header[aria-label^="Models"]') }).locator('.monaco-list-row', { hasText: 'decoder_model.onnx' }).first();
  const row = text => page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
  let frame;
  const at = testid => frame.locator(`[data-testid="${testid}"]`);
  return [
    ['Trace Attention on a speech model asks for a sound, and says what is no sound', async () => {
      await openWorkbench(page, server.url);
      await page.locator('.activitybar .action-item a[aria-label^="AttnScope"]').click();
      await rowMenu(page, model, 'Trace Attention With');
      await page.locator('.quick-input-title', { hasText: 'sound for decoder_model.onnx' }).waitFor();
      await row('tone.wav').waitFor();
      await picture('question-dark');
      await row('broken.wav').click();
      await page.locator('.notification-list-item-message', { hasText: 'broken.wav' }).first().waitFor();
      // It fades in.
      await page.waitForTimeout(500);
      await picture('refused-dark');
      await runCommand(page, 'Notifications: Clear All');
    }],
    ['the trace has encoder, decoder and cross-attention, with alignment heads marked', async () => {
      await rowMenu(page, model, 'Trace Attention With');
      await row('tone.wav').click();
      frame = await webviewFrame(page, '[data-testid="head-grid"]', 60_000);
      await at('head-cell').first().waitFor();
      assert.equal(await at('parity-badge').getAttribute('data-level'), 'ok');
      assert.equal(await at('head-cell').count(), 12);
      await picture('overview-dark');
    }],
    ['a head of cross-attention: tokens over moments of the sound', async () => {
      await frame.locator('[data-testid="head-cell"][data-label="decoder.cross.L1H1"]').click();
      await mapOf(frame, 'decoder.blocks.1.cross_attn', 1);
      await picture('cross-dark');
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await mapOf(frame, 'decoder.blocks.1.cross_attn', 1);
        await picture(`cross-${name}`);
      }
    }],
  ];
}
