/** `npm start`: installs, builds, packs, and opens VS Code on the demo with the extension in it; `-- --check` does it headless and reads the page. */
import { join } from 'node:path';
import { attentionLine, copyDemo } from './demo.mjs';
import { adapterEnv, openEditor, readyForCheck } from './open-editor.mjs';
import { BedError, cache } from './run.mjs';

const check = process.argv.includes('--check');

try {
  process.exitCode = await (check ? checkHeadless() : openEditor({
    prepare: () => copyDemo(join(cache, 'demo')), at: `model.py:${attentionLine()}`, home: 'start', what: 'Click "Trace Attention" over class Attention in model.py.',
  }));
} catch (error) {
  process.stderr.write(`${error instanceof BedError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}

async function checkHeadless() {
  const vsix = await readyForCheck();
  // Imported late: it needs playwright-core, which a fresh clone does not have when this file is read.
  const { checkDemo } = await import('../workbench/check.mjs');
  return checkDemo(vsix, adapterEnv());
}
