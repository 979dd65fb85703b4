/** The walk to an image: a LLaVA in three files is traced from the palette on ids and a picture of the workspace, and the Grounding tab shows where a token and a patch look. */
import { strict as assert } from 'node:assert';
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { results, root } from '../../bed/run.mjs';
import { openWorkbench, runCommand, webviewFrame } from '../../bed/workbench.mjs';
import { wear } from '../steps.mjs';

export function llavaWorkspace(workspace) {
  cpSync(join(root, 'test/zoo/folders/llava_multi'), join(workspace, 'llava'), { recursive: true });
  copyFileSync(join(workspace, 'llava/onnx/decoder_model.onnx'), join(workspace, 'llava/onnx/decoder_model_q4.onnx'));
  copyFileSync(join(root, 'test/unit/images/fixtures/scene.png'), join(workspace, 'scene.png'));
  mkdirSync(join(workspace, '.vscode'), { recursive: true });
  writeFileSync(join(workspace, '.vscode/settings.json'), JSON.stringify({ 'attnscope.keepResidualStream': true }));
}

/** The steps as [name, work]; each stands on those before it. */
export function groundingCases({ server, page, lines }) {
  const picture = name => page.screenshot({ path: join(results, `grounding-walk-${name}.png`) });
  let frame;
  const at = (testid, more = '') => frame.locator(`[data-testid="${testid}"]${more}`);
  const drawn = () => at('grounding-image', '[data-ready="true"]').waitFor();
  const title = text => page.locator('.quick-input-title', { hasText: text }).waitFor({ timeout: 30_000 });
  const row = text => page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();

  return [
    ['Trace Attention asks for model, prompt and image', async () => {
      await openWorkbench(page, server.url);
      await page.locator('.activitybar .action-label[aria-label^="AttnScope"]').waitFor({ timeout: 60_000 });
      await runCommand(page, 'AttnScope: Trace Attention With');
      await title('Trace Attention: model');
      // Weight files of the folder stand by part, what a run starts from first; variants of a part stand together.
      const parts = await page.locator('.quick-input-list .quick-input-list-separator').allInnerTexts();
      assert.deepEqual(parts.filter(part => part.startsWith('llava')), ['llava · decoder', 'llava · vision encoder', 'llava · token embedding']);
      assert.ok((await row('decoder_model_q4.onnx').innerText()).includes('q4'));
      await picture('models');
      await row('decoder_model.onnx').click();
      await title('prompt for decoder_model.onnx');
      await page.locator('.quick-input-widget input').first().fill('61, 51, 40, 96, 82, 31, 23');
      await page.keyboard.press('Enter');
      await title('image for decoder_model.onnx');
      await picture('asks');
      await row('scene.png').click();
      frame = await webviewFrame(page, '[data-testid="tab-grounding"]', 60_000);
    }],
    ['the Grounding tab shows where the next token looks, in the dark, the light and high contrast', async () => {
      await at('tab-grounding').click();
      await drawn();
      assert.equal(await at('strip-token').count(), 7);
      const shares = await at('mass').evaluateAll(all => all.map(one => Number(one.dataset.share)));
      assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-5);
      await picture('dark');
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await drawn();
        await picture(name);
      }
    }],
    ['sinks are told by the residual stream, which a setting keeps', async () => {
      await at('sinks-by').click();
      await frame.locator('vscode-option', { hasText: 'Hidden state' }).click();
      await at('sinks-found').filter({ hasText: 'The residual stream has no massive activation' }).waitFor();
      await picture('sinks');
    }],
    ['a patch of the vision tower looks where it was clicked', async () => {
      await at('tower').locator('[data-value="vision"]').click();
      await drawn();
      const box = await at('grounding-image').boundingBox();
      await at('grounding-image').click({ position: { x: box.width * 0.4, y: box.height * 0.6 } });
      await at('grounding-title').filter({ hasText: 'patch at row 2, column 1' }).waitFor();
      await picture('patch');
    }],
    ['model, prompt and image are remembered', async () => {
      await runCommand(page, 'AttnScope: Trace Again');
      await page.locator('.tab', { hasText: '.attntrace' }).nth(1).waitFor({ timeout: 60_000 });
    }],
    ['the page broke no content policy and did not throw', () => {
      assert.deepEqual(lines.filter(line => /content security policy/i.test(line) && /nonce-/.test(line)), []);
      assert.deepEqual(lines.filter(line => /^uncaught:/.test(line)), []);
    }],
  ];
}
