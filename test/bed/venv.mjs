/** The Python half of the tests: a virtual environment with numpy, safetensors and tokenizers, pinned, and Hugging Face's own modelling files; no torch. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cache, once, run } from './run.mjs';

const pins = ['numpy==2.4.6', 'safetensors==0.8.0', 'tokenizers==0.23.3'];
/** Read by the source tests, never run: of its 2,600 files those of these models, into the venv where a package would lie. */
const transformers = 'transformers==5.17.0';
const models = ['bert', 'clip', 'distilbert', 'gemma2', 'git', 'gpt2', 'llama', 'mistral', 'phi3', 'sam', 'vit', 'wav2vec2'];
const folder = join(cache, 'venv');
/** The interpreter that tests get as ATTNSCOPE_PYTHON. */
export const python = join(folder, 'bin/python');

export async function ensureVenv() {
  await once({ stamp: join(folder, 'stamp'), key: pins.join(' '), product: python, what: `Python packages ${pins.join(', ')}` }, async () => {
    await run('python3', ['-m', 'venv', '--clear', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:', ...pins]);
  });
  await ensureModellingFiles();
}

async function ensureModellingFiles() {
  const lib = join(folder, 'lib'), packages = join(lib, readdirSync(lib).find(name => name.startsWith('python3')), 'site-packages'), wheels = join(cache, 'wheels');
  await once({ stamp: join(folder, 'stamp-transformers'), key: `${transformers} ${models.join(' ')}`, product: join(packages, 'transformers/models', models[0]), what: `modelling files of ${transformers}` }, async () => {
    rmSync(wheels, { recursive: true, force: true });
    mkdirSync(wheels, { recursive: true });
    await run(python, ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', '--dest', wheels, transformers]);
    const wheel = join(wheels, readdirSync(wheels).find(name => name.endsWith('.whl')));
    const wanted = `^transformers/models/(${models.join('|')})/(__init__|configuration_\\w+|modeling_\\w+|modular_\\w+)\\.py$|^transformers/(__init__|modeling_layers|activations)\\.py$|^transformers-.*/(METADATA|licenses/LICENSE)$`;
    await run(python, ['-c', 'import re, sys, zipfile\nwheel = zipfile.ZipFile(sys.argv[1])\nwheel.extractall(sys.argv[2], [name for name in wheel.namelist() if re.match(sys.argv[3], name)])', wheel, packages, wanted]);
    rmSync(wheels, { recursive: true, force: true });
  });
}
