/** Tokenizers and configurations: a prompt is made into tokens with them, beside a whole model. */
import { copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { breakJson } from '../mutate-json.ts';
import type { Target } from '../target.ts';

const root = resolve(import.meta.dirname, '../../..'), demo = join(root, 'media/demo/storyteller'), fixtures = join(root, 'test/unit/run/fixtures');

function beside(name: string, file: string, share: number, seeds: readonly string[]): Target {
  return {
    name, share, seeds, mutate: breakJson, file,
    prepare: folder => { for (const one of ['model.onnx', 'weights.bin', 'config.json', 'tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(demo, one), join(folder, one)); },
    use: async (engine, folder) => { await engine.weigh({ model: join(folder, 'model.onnx'), prompt: { kind: 'text', text: 'Anna gave the lantern to Boris. 日本 é 🙂' }, out: join(folder, 'out.attntrace') }); },
  };
}

export const tokenizers = beside('tokenizers', 'tokenizer.json', 4, [join(demo, 'tokenizer.json'), ...['byte-level', 'llama2-like', 'unigram-metaspace', 'wordpiece-uncased'].map(name => join(fixtures, `${name}.json`))]);
export const configs = beside('configs', 'config.json', 1, [join(demo, 'config.json')]);
export const tokenizerConfigs = beside('tokenizer-configs', 'tokenizer_config.json', 1, [join(demo, 'tokenizer_config.json')]);
