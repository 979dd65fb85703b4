/** TransformerLens for the benchmark: a virtual environment on top of the one with PyTorch, which it would bring a second time. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkDisk, makeVenv, pip } from '../bed/pip.mjs';
import { cache, once, run } from '../bed/run.mjs';
import { ensureTorch } from '../bed/torch.mjs';

const pins = ['transformer-lens==4.3.0'], folder = join(cache, 'smollm2/lens-venv');

/** Resolves with an interpreter that has TransformerLens, PyTorch and transformers. Throws a sentence where it cannot be installed. */
export async function ensureLens() {
  const torch = await ensureTorch(), python = join(folder, 'bin/python');
  await once({ stamp: join(cache, 'smollm2/stamps/lens'), key: `${torch} ${pins.join(' ')}`, product: python, what: `${pins.join(' ')}, to measure beside it` }, async () => {
    checkDisk(cache, 2e9, 'TransformerLens with what it needs');
    await makeVenv(folder);
    const under = (await run(torch, ['-c', 'import torch, os; print(os.path.dirname(os.path.dirname(torch.__file__)))'])).trim().split('\n').at(-1), lib = join(folder, 'lib');
    writeFileSync(join(lib, readdirSync(lib).find(name => name.startsWith('python3')), 'site-packages/torch.pth'), `${under}\n`);
    await pip(python, pins);
  });
  return python;
}
