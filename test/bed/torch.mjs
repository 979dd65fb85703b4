/** A Python with PyTorch and Hugging Face's transformers, pinned, in .cache: for what exports models or measures beside them. */
import { join } from 'node:path';
import { checkDisk, makeVenv, pip } from './pip.mjs';
import { cache, once } from './run.mjs';

const folder = join(cache, 'torch-venv');
/** PyTorch's own wheel brings CUDA's libraries, which are not used here: 5 GB. */
const pins = ['torch==2.11.0', 'transformers==5.17.0', 'onnx==1.23.2', 'onnxscript==0.7.2', 'onnxruntime==1.30.0', 'safetensors==0.8.0'];

/** Resolves with the interpreter: that of ATTNSCOPE_TORCH_PYTHON, or our own. */
export async function ensureTorch() {
  if (process.env.ATTNSCOPE_TORCH_PYTHON) return process.env.ATTNSCOPE_TORCH_PYTHON;
  const python = join(folder, 'bin/python');
  await once({ stamp: join(folder, 'stamp'), key: pins.join(' '), product: python, what: `Python packages ${pins.join(', ')} (5 GB)` }, async () => {
    checkDisk(cache, 8e9, 'PyTorch with its libraries');
    await makeVenv(folder);
    await pip(python, ['--only-binary=:all:', ...pins]);
  });
  return python;
}
