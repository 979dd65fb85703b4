/** The walk of somebody who has no ONNX file yet: from the lens over the script to the trace of what it wrote. */
import { strict as assert } from 'node:assert';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { results, root, run } from '../../bed/run.mjs';
import { lens, openWorkbench } from '../../bed/workbench.mjs';
import { python } from '../../bed/venv.mjs';
import { lensOverAttention, overview, prompt, wear } from '../steps.mjs';

/** The demo's source with weights and no model. PyTorch is not in the tests' environment: the workspace's Python is a program that writes down its arguments and leaves the demo's own export where the script would (`npm run test:export` has the real one). */
export function exportWorkspace(workspace) {
  rmSync(join(workspace, 'storyteller'), { recursive: true });
  mkdirSync(join(workspace, 'weights'));
  writeFileSync(join(workspace, 'weights/model.safetensors'), '');
  const bin = join(workspace, '.venv/bin'), shipped = join(root, 'media/demo/storyteller');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(workspace, '.venv/pyvenv.cfg'), 'home = /usr/bin\n');
  writeFileSync(join(bin, 'python'), `#!/bin/sh\nprintf '%s\\n' "$@" > arguments.txt\nmkdir -p storyteller_onnx\ncp '${shipped}/weights.bin' '${shipped}/tokenizer.json' '${shipped}/config.json' storyteller_onnx/\ncp '${shipped}/model.onnx' storyteller_onnx/\necho written\n`);
  chmodSync(join(bin, 'python'), 0o755);
}

/** The steps as [name, work]; each stands on those before it. */
export function exportCases({ server, page }) {
  const picture = name => page.screenshot({ path: join(results, `${name}.png`) });
  const script = join(server.workspace, 'export_storyteller_onnx.py');
  const button = text => page.locator('.notification-list-item .monaco-button', { hasText: text }).first();

  return [
    ['a class without a model offers the export beside the trace', async () => {
      await openWorkbench(page, server.url);
      await lensOverAttention(page, 'Trace Attention');
      await lens(page, 'Export to ONNX').waitFor();
      await picture('export-1-lens-dark');
    }],
    ['a click writes a script beside the source, opens it, and says how to run it', async () => {
      await lens(page, 'Export to ONNX').click();
      await page.locator('.tab.active', { hasText: 'export_storyteller_onnx.py' }).waitFor();
      await page.locator('.notification-list-item', { hasText: 'python export_storyteller_onnx.py --weights FILE' }).first().waitFor();
      assert.match(readFileSync(script, 'utf8'), /^"""Exports Storyteller of model\.py to ONNX/);
      await run(python, ['-m', 'py_compile', script]);
      await picture('export-2-script-dark');
    }],
    ['what was changed in the script is not replaced without asking', async () => {
      appendFileSync(script, '# mine\n');
      await lensOverAttention(page, 'Export to ONNX');
      await lens(page, 'Export to ONNX').click();
      const dialog = page.locator('.monaco-dialog-box', { hasText: 'is not what AttnScope would write now' });
      await dialog.waitFor();
      await picture('export-3-asks-dark');
      await dialog.locator('.monaco-button', { hasText: 'Open It' }).click();
      await page.locator('.tab.active', { hasText: 'export_storyteller_onnx.py' }).waitFor();
      assert.match(readFileSync(script, 'utf8'), /# mine\n$/);
    }],
    ['Run in Terminal asks for the weights and runs the workspace\'s Python', async () => {
      await button('Run in Terminal').click();
      await page.locator('.quick-input-title').filter({ hasText: 'weights' }).waitFor();
      await picture('export-4-weights-dark');
      await page.locator('.quick-input-list .monaco-list-row', { hasText: 'model.safetensors' }).first().click();
      await button('Trace Attention').waitFor({ timeout: 60_000 });
      assert.deepEqual(readFileSync(join(server.workspace, 'arguments.txt'), 'utf8').trim().split('\n'), ['export_storyteller_onnx.py', '--weights', join(server.workspace, 'weights/model.safetensors')]);
      await picture('export-5-done-dark');
    }],
    ['Trace Attention traces what was written, and the offer to export is gone', async () => {
      await button('Trace Attention').click();
      await page.locator('.quick-input-title').filter({ hasText: 'prompt' }).waitFor();
      await page.locator('.quick-input-widget input').first().fill(prompt);
      await page.locator('.quick-input-list .monaco-list-row', { hasText: 'trace this' }).first().waitFor();
      await page.keyboard.press('Enter');
      await overview(page);
      await lensOverAttention(page, 'sink head');
      assert.equal(await page.locator('.codelens-decoration a', { hasText: 'Export to ONNX' }).filter({ visible: true }).count(), 0);
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await picture(`export-6-measured-${name}`);
      }
    }],
  ];
}
