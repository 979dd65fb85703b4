/** What is found below a workspace's folders: folders with a card, lone files, their sizes; and what is never opened for it. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import { dataNames, roleOf, typeOfVariant } from '../../../extension/contract/model-role.ts';
import { discover, type Discovery } from '../../../extension/host/models/discover.ts';
import { readModelCard } from '../../../extension/host/models/model-card.ts';

vi.mock('node:fs/promises', async original => { const real = await original<typeof fs>(); return { ...real, readFile: vi.fn(real.readFile), open: vi.fn(real.open) }; });

const root = mkdtempSync(join(tmpdir(), 'attnscope-discover-')), folder = join(root, 'workspace');
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => { rmSync(folder, { recursive: true, force: true }); mkdirSync(folder); vi.mocked(fs.readFile).mockClear(); });
const file = (path: string, content: string | number = ''): string => {
  const at = join(folder, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, typeof content === 'string' ? content : '');
  if (typeof content === 'number') truncateSync(at, content);
  return at;
};
const shown = ({ groups }: Discovery): unknown[] => groups.map(group => [relative(folder, group.folder), group.card?.architecture, group.models.map(model => [basename(model.path), model.bytes])]);

it('finds Hugging Face folders with their exports, and lone files', async () => {
  file('llama/config.json', '{"model_type":"llama","architectures":["LlamaForCausalLM"]}');
  file('llama/onnx/model.onnx', 10);
  file('llama/onnx/model.onnx_data', 2_000);
  file('llama/onnx/model.onnx_data_1', 3_000);
  file('llama/onnx/model_fp16.onnx', 7);
  file('llama/onnx/model_fp16.onnx_data', 100);
  file('llama/tokenizer.json', '{}');
  file('tiny/lone.onnx', 5);
  file('tiny/config.json', '{"compilerOptions":{}}');
  file('genai/genai_config.json', '{"model":{"type":"phi3"}}');
  file('genai/model.onnx', 1);
  file('genai/model.onnx.data', 9);
  expect(shown(await discover([folder]))).toEqual([
    ['genai', 'phi3', [['model.onnx', 10]]],
    ['llama', 'LlamaForCausalLM', [['model.onnx', 5_010], ['model_fp16.onnx', 107]]],
    ['tiny', undefined, [['lone.onnx', 5]]],
  ]);
});
it('lists folders whose weights were not exported yet', async () => {
  file('bert/config.json', '{"model_type":"bert"}');
  file('bert/model.safetensors', 50);
  expect(shown(await discover([folder]))).toEqual([['bert', 'bert', []]]);
});
it('reads small JSON files beside models and nothing else, however large the models are', async () => {
  file('big/config.json', '{"model_type":"gpt2"}');
  file('big/model.onnx', 2 ** 34);
  file('big/model.safetensors', 2 ** 34);
  file('web/config.json', '{"name":"app"}');
  file('vast/config.json', 5 * 2 ** 20);
  file('vast/model.onnx', 1);
  const found = await discover([folder]);
  expect(found.groups[0].models[0].bytes).toBe(2 ** 34);
  expect(vi.mocked(fs.readFile).mock.calls.map(([path]) => relative(folder, String(path)))).toEqual(['big/config.json']);
  expect(fs.open).not.toHaveBeenCalled();
});
it('passes by what belongs to tools, and finds traces', async () => {
  for (const place of ['node_modules/x', '.git', '.venv/lib', 'deep/site-packages/p']) file(`${place}/model.onnx`, 1);
  const trace = file('runs/a.attntrace', 3);
  file('runs/a.attntrace.part', 3);
  const found = await discover([folder, join(folder, 'runs'), join(folder, 'missing')]);
  expect(found.groups).toEqual([]);
  expect(found.traces).toEqual([trace]);
});
it('follows links to folders, each once, and comes to an end in circles', async () => {
  const elsewhere = join(root, 'disk');
  mkdirSync(join(elsewhere, 'gpt2'), { recursive: true });
  writeFileSync(join(elsewhere, 'gpt2', 'model.onnx'), 'x');
  symlinkSync(elsewhere, join(folder, 'models'));
  symlinkSync(folder, join(elsewhere, 'back'));
  symlinkSync(join(elsewhere, 'gpt2'), join(folder, 'v1.5'));
  const found = await discover([folder]);
  expect(found.groups).toHaveLength(1);
  expect(relative(folder, found.groups[0].models[0].path).startsWith('..')).toBe(false);
  rmSync(elsewhere, { recursive: true });
});
it('takes data for a model only by the names that exporters give', () => {
  expect(dataNames('model.onnx', ['model.onnx_data', 'model.onnx_data_12', 'model.onnx.data', 'model.data', 'model_data', 'model_fp16.onnx_data', 'model.onnx_dataset', 'other.data']))
    .toEqual(['model.onnx_data', 'model.onnx_data_12', 'model.onnx.data', 'model.data', 'model_data']);
});
it('reads a card only from what names a model', () => {
  expect(readModelCard('{"model_type":"vit","architectures":["ViTModel","X"]}')).toEqual({ architecture: 'ViTModel', type: 'vit' });
  for (const other of [undefined, 'no json', '[]', '3', 'null', '{"architectures":"x"}', '{"model_type":7}', '{"model":null}']) expect(readModelCard(other)).toBeUndefined();
});
it('reads the type of the weights from names of exporters', () => {
  expect(['model.onnx', 'model_fp16.onnx', 'model_quantized.onnx', 'decoder_model_merged_q4f16.onnx', 'fp16.onnx'].map(name => typeOfVariant(roleOf(name)))).toEqual([undefined, 'fp16', 'int8', 'q4f16', undefined]);
});
