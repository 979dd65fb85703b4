/** `npm run demo:smollm2`: makes SmolLM2-135M-Instruct as people have it and opens it as `npm start` opens the demo; `-- --check` traces it headless in a real workbench and prints what it found. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { adapterEnv, openEditor, readyForCheck } from '../bed/open-editor.mjs';
import { BedError } from '../bed/run.mjs';
import { ensureModel } from './model.mjs';

try {
  process.exitCode = await (process.argv.includes('--check') ? check() : openEditor({ prepare: workspace, at: 'prompts.md', home: 'smollm2-editor', what: 'Right-click onnx/model.onnx and choose Trace Attention; prompts.md has texts to try.' }));
} catch (error) {
  process.stderr.write(`${error instanceof BedError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}

async function workspace() {
  const folder = await ensureModel();
  copyFileSync(join(import.meta.dirname, 'prompts.md'), join(folder, 'prompts.md'));
  return folder;
}

async function check() {
  const vsix = await readyForCheck(), folder = await workspace();
  // Imported late: it needs playwright-core, which a fresh clone does not have when this file is read.
  const { checkModel } = await import('./check.mjs');
  return checkModel(vsix, folder, adapterEnv());
}
