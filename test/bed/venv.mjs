/** The Python half of the tests: a virtual environment with numpy, safetensors and tokenizers, pinned; no torch. */
import { join } from 'node:path';
import { cache, once, run } from './run.mjs';

const pins = ['numpy==2.4.6', 'safetensors==0.8.0', 'tokenizers==0.23.3'];
const folder = join(cache, 'venv');
/** The interpreter that tests get as ATTNSCOPE_PYTHON. */
export const python = join(folder, 'bin/python');

export async function ensureVenv() {
  await once({ stamp: join(folder, 'stamp'), key: pins.join(' '), product: python, what: `Python packages ${pins.join(', ')}` }, async () => {
    await run('python3', ['-m', 'venv', '--clear', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:', ...pins]);
  });
}
