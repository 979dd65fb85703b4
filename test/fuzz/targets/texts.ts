/** Tokenizers and configurations: a prompt is made into tokens with them, beside a whole model. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { genaiConfig, renamedDecoder } from '../../zoo/merged-decoder.ts';
import { breakJson } from '../mutate-json.ts';
import type { Target } from '../target.ts';

const root = resolve(import.meta.dirname, '../../..'), demo = join(root, 'media/demo/storyteller'), fixtures = join(root, 'test/unit/run/fixtures');

/** The tokenizer.json inside a fixture that also has cases. */
function tokenizerOf(name: string): Buffer { return Buffer.from(JSON.stringify((JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8')) as { readonly tokenizer: unknown }).tokenizer)); }

function beside(name: string, file: string, share: number, seeds: readonly Buffer[]): Target {
  return {
    name, share, seeds: seeds.map(bytes => ({ bytes })), mutate: breakJson, file,
    prepare: folder => { for (const one of ['model.onnx', 'weights.bin', 'config.json', 'tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(demo, one), join(folder, one)); },
    use: async (engine, folder) => { await engine.weigh({ model: join(folder, 'model.onnx'), prompt: { kind: 'text', text: 'Anna gave the lantern to Boris. 日本 é 🙂' }, out: join(folder, 'out.attntrace') }); },
  };
}

export const tokenizers = beside('tokenizers', 'tokenizer.json', 4, [readFileSync(join(demo, 'tokenizer.json')), ...['byte-level', 'llama2-like', 'unigram-metaspace', 'wordpiece-uncased'].map(tokenizerOf)]);
export const configs = beside('configs', 'config.json', 1, [readFileSync(join(demo, 'config.json'))]);
export const tokenizerConfigs = beside('tokenizer-configs', 'tokenizer_config.json', 1, [readFileSync(join(demo, 'tokenizer_config.json'))]);

/** Names of inputs and outputs, of a decoder that cannot be run without them. */
export const genaiConfigs: Target = {
  name: 'genai-configs', share: 1, seeds: [{ bytes: Buffer.from(JSON.stringify(genaiConfig)) }], mutate: breakJson, file: 'genai_config.json',
  prepare: folder => writeFileSync(join(folder, 'lm.onnx'), renamedDecoder()),
  use: async (engine, folder) => { await engine.weigh({ model: folder, prompt: { kind: 'ids', ids: [3, 1, 4, 1, 5] }, generate: 2, out: join(folder, 'out.attntrace') }); },
};
