/** Choosing tokens, the cache's names, what later runs are fed, and generation of models with and without a cache. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Progress, TraceRequest } from '../../../extension/contract/api.ts';
import type { Manifest } from '../../../extension/contract/trace.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { numbersOfFeed } from '../../../extension/engine/run/inputs/feeds.ts';
import { fillInputs } from '../../../extension/engine/run/inputs/inputs.ts';
import { cacheOf } from '../../../extension/engine/run/generate/kv-cache.ts';
import { greedy, sampled } from '../../../extension/engine/run/generate/sampling.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-generation-')), zoo = join(import.meta.dirname, '../../zoo');
const cached = join(zoo, 'folders/llama_cache'), plain = join(zoo, 'models/gpt2/eager-ts.onnx');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ids = [5, 17, 3, 41, 8, 2, 60, 9];
let serial = 0;
async function traced(request: Omit<TraceRequest, 'out' | 'prompt'>, prompt = ids, progress: (progress: Progress) => void = () => undefined): Promise<Manifest> {
  const out = join(folder, `${serial++}.attntrace`);
  await capture({ prompt: { kind: 'ids', ids: prompt }, out, ...request }, { progress });
  return (await completeCapture({ out })).manifest;
}

describe('choosing', () => {
  const logits = Float32Array.of(1, 3, 2, 3, -Infinity), sampling = { temperature: 1, topK: null, topP: null, seed: 1 };
  const draws = (of: Partial<typeof sampling> | { topK?: number; topP?: number }, count = 4_000): number[] => { const choose = sampled({ ...sampling, ...of }); return Array.from({ length: count }, () => choose(logits)); };
  it('greedy takes the first of the most likely', () => expect(greedy(logits)).toBe(1));
  it('draws as often as the softmax says', () => {
    const counts = [0, 0, 0, 0, 0], weights = [Math.exp(-2), 1, Math.exp(-1), 1], all = weights.reduce((a, b) => a + b);
    for (const id of draws({})) counts[id]++;
    expect(counts[4]).toBe(0);
    // Four standard deviations of 4,000 draws.
    weights.forEach((weight, id) => expect(Math.abs(counts[id] / 4_000 - weight / all)).toBeLessThan(4 * Math.sqrt(0.25 / 4_000)));
  });
  it('keeps the k most likely, and the fewest that reach p', () => {
    expect(new Set(draws({ topK: 3 }))).toEqual(new Set([1, 2, 3]));
    expect(new Set(draws({ topP: 0.5 }))).toEqual(new Set([1, 3]));
    expect(new Set(draws({ topP: 0.39 }))).toEqual(new Set([1]));
    expect(draws({ temperature: 0.05 }).includes(2)).toBe(false);
  });
  it('is the same for the same seed', () => {
    expect(draws({}, 50)).toEqual(draws({}, 50));
    expect(draws({ seed: 2 }, 50)).not.toEqual(draws({}, 50));
  });
});

it('finds what fills the cache, and feeds positions, mask and branch behind it', async () => {
  const model = await openModel(cached);
  expect(cacheOf(model)?.map(({ past, present }) => [past.name, present])).toEqual([['past_key_values.0.key', 'present.0.key'], ['past_key_values.0.value', 'present.0.value'], ['past_key_values.1.key', 'present.1.key'], ['past_key_values.1.value', 'present.1.value']]);
  expect(cacheOf(await openModel(plain))).toBeUndefined();
  const past = { type: 'float32', dims: [1, 2, 3, 8], data: new Float32Array(48) } as const, feeds = Object.fromEntries(cacheOf(model)!.map(pair => [pair.past.name, past]));
  const inputs = fillInputs(model, { tensors: new Map([['input_ids', { shape: [1, 2], values: [4, 5] }], ['attention_mask', { shape: [1, 5], values: [0, 1, 1, 1, 1] }]]), past: { length: 3, feeds } }, {});
  expect(numbersOfFeed(inputs.feeds['position_ids'])).toEqual([2, 3]);
  expect(inputs.sides[0].real).toEqual([[1, 1]]);
});

describe('generation', () => {
  it('without a cache: runs again over the growing prompt, and says so; each token is what a trace of those before it foretells', async () => {
    const phases: Progress[] = [], manifest = await traced({ model: plain, generate: 3 }, ids, one => phases.push(one)), all = manifest.input.ids[0];
    expect(all).toHaveLength(ids.length + 3);
    expect(manifest.generated).toMatchObject({ from: ids.length, how: 'again', stopped: 'length' });
    expect((await traced({ model: plain }, all.slice(0, -1))).next[0][0].id).toBe(all.at(-1));
    expect(phases.filter(one => one.phase === 'generate').map(one => one.done)).toEqual([0, 1, 2]);
    expect(Object.values(manifest.parity).every(parity => parity.ok)).toBe(true);
  });
  it('stops at a token that ends a text, which is part of the map', async () => {
    const own = join(folder, 'ending');
    mkdirSync(join(own, 'onnx'), { recursive: true });
    copyFileSync(join(cached, 'onnx/model.onnx'), join(own, 'onnx/model.onnx'));
    const free = await traced({ model: cached, generate: 4 }), end = free.input.ids[0][ids.length + 1];
    writeFileSync(join(own, 'generation_config.json'), JSON.stringify({ eos_token_id: [end] }));
    const stopped = await traced({ model: own, generate: 4 }), first = free.input.ids[0].indexOf(end, ids.length);
    expect(stopped.generated?.stopped).toBe('end');
    expect(stopped.input.ids[0]).toEqual(free.input.ids[0].slice(0, first + 1));
  });
  it('a decoder in two files: the first reads the prompt, the other goes on behind the cache', async () => {
    const own = join(folder, 'two');
    mkdirSync(own);
    for (const name of ['decoder_model.onnx', 'decoder_with_past_model.onnx']) copyFileSync(join(cached, 'onnx/model.onnx'), join(own, name));
    const two = await traced({ model: own, generate: 4 }), one = await traced({ model: cached, generate: 4 });
    expect(two.input.ids).toEqual(one.input.ids);
    expect(two.heads).toEqual(one.heads);
    // A second file without a cache is left alone.
    copyFileSync(plain, join(own, 'decoder_with_past_model.onnx'));
    expect((await traced({ model: own, generate: 4 })).generated?.how).toBe('cache');
  });
  it('sampled: the same seed gives the same text, another one another, and the manifest says how', async () => {
    const run = (seed: number): Promise<Manifest> => traced({ model: cached, generate: 5, sample: { temperature: 5, topK: 40, seed } });
    const [one, same, other] = [await run(3), await run(3), await run(4)];
    expect(same.input.ids).toEqual(one.input.ids);
    expect(other.input.ids).not.toEqual(one.input.ids);
    expect(one.generated?.sampling).toEqual({ temperature: 5, topK: 40, topP: null, seed: 3 });
  });
  it('refuses with the numbers', async () => {
    await expect(traced({ model: cached, generate: 130 })).rejects.toThrow('The prompt has 8 tokens, and 130 more were asked for; the model has 128 positions');
    await expect(traced({ model: join(zoo, 'models/bert/eager-ts.onnx'), generate: 2 })).rejects.toThrow('says nothing about a next token, so that nothing can be generated.');
  });
});
