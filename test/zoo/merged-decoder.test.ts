/** A merged decoder and a vision-language model around one go on as the same decoder without branches does; the residual stream of a run in steps is that of one run. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TraceRequest } from '../../extension/contract/api.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { exportPattern } from '../../extension/engine/analysis/export-pattern.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { isPast } from '../../extension/engine/run/inputs/input-names.ts';
import { prepareRun } from '../../extension/engine/run/prepare-run.ts';
import { openTrace } from '../../extension/engine/trace/open.ts';
import { reportModel } from '../../extension/engine/sites/report-model.ts';
import { readReference, type ZooTensor } from './cases.ts';
import { genaiConfig, mergedDecoder, renamedDecoder, visionLanguageFolder } from './merged-decoder.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-merged-')), zoo = join(import.meta.dirname, 'folders'), scene = join(import.meta.dirname, '../unit/images/fixtures/scene.png');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const plain = join(zoo, 'llama_cache'), merged = join(folder, 'merged'), ids = [5, 17, 3, 41, 8, 2, 60, 9];
mkdirSync(merged);
copyFileSync(join(plain, 'config.json'), join(merged, 'config.json'));
writeFileSync(join(merged, 'decoder_model_merged.onnx'), mergedDecoder());
const seeing = { merged: visionLanguageFolder(join(folder, 'seeing-merged'), 'merged'), cached: visionLanguageFolder(join(folder, 'seeing-cached'), 'cached'), without: join(zoo, 'llava_multi') };

let serial = 0;
/** The manifest, the rebuilt probabilities by site, and the tensors of the trace. */
async function traced(request: Omit<TraceRequest, 'out'>, rowsAtOnce?: number) {
  const out = join(folder, `${serial++}.attntrace`), patterns = join(folder, 'p.safetensors');
  await capture({ dtype: 'fp32', ...request, out }, { progress: () => undefined, ...(rowsAtOnce === undefined ? {} : { rowsAtOnce }) });
  const { manifest } = await completeCapture({ out }), trace = openTrace(out);
  try { await exportPattern(trace, { out: patterns, sites: [], scores: false }); } finally { trace.close(); }
  expect(Object.values(manifest.parity).every(parity => parity.ok)).toBe(true);
  return { manifest, maps: readReference(patterns), tensors: readReference(out) };
}

function largest(found: ReadonlyMap<string, ZooTensor>, expected: ReadonlyMap<string, ZooTensor>, names = [...expected.keys()]): number {
  expect(names.length).toBeGreaterThan(0);
  return Math.max(...names.map(name => {
    const a = found.get(name)!, b = expected.get(name)!;
    expect(a.shape, name).toEqual(b.shape);
    return b.data.reduce((most, value, n) => Math.max(most, Math.abs(value - a.data[n])), 0);
  }));
}

describe('a merged decoder', () => {
  const prompt = { kind: 'ids', ids } as const;
  it('reads the prompt in the branch without a cache, and goes on in the other', async () => {
    const { main, decoder } = await prepareRun({ model: merged, prompt, generate: 2, out: join(folder, 'x.attntrace') }), reads = ({ model }: typeof main): boolean => model.graph.nodes.some(node => node.inputs.some(input => isPast(model, input)));
    expect(reads(main)).toBe(false);
    expect(reads(decoder!.next!)).toBe(true);
  });
  it.each([[undefined], [3]])('generates the tokens and gives the maps of the decoder alone (rows at once: %s)', async rows => {
    const one = await traced({ model: merged, prompt, generate: 6 }, rows), other = await traced({ model: plain, prompt, generate: 6 });
    expect(one.manifest.input.ids).toEqual(other.manifest.input.ids);
    expect(one.manifest.generated).toEqual({ ...other.manifest.generated, steps: one.manifest.generated!.steps });
    expect(largest(one.maps, other.maps)).toBeLessThan(1e-5);
  });
});

it('a cache and logits in float16 are handed on as they are', async () => {
  const own = join(folder, 'half'), prompt = { kind: 'ids', ids } as const;
  mkdirSync(own);
  writeFileSync(join(own, 'lm.onnx'), renamedDecoder(true));
  writeFileSync(join(own, 'genai_config.json'), JSON.stringify(genaiConfig));
  const half = await traced({ model: own, prompt, generate: 6 }, 3), wide = await traced({ model: plain, prompt, generate: 6 });
  expect(half.manifest.generated).toMatchObject({ how: 'cache' });
  expect(half.manifest.input.ids).toEqual(wide.manifest.input.ids);
  // Keys with eleven bits.
  expect(largest(half.maps, wide.maps)).toBeLessThan(1e-3);
  expect(largest(half.maps, wide.maps)).toBeGreaterThan(0);
});

describe('a vision-language model', () => {
  const prompt = { kind: 'ids', ids: [61, 51, 40, 96, 82, 31], image: scene } as const, written = [61, 51, 40, ...new Array<number>(16).fill(96), 82, 31];
  it('with a merged decoder lists its sites and takes the prompt as that without branches does', async () => {
    const report = await reportModel(seeing.merged), one = await traced({ model: seeing.merged, prompt }), other = await traced({ model: seeing.cached, prompt });
    expect(report).toMatchObject({ picture: 'pixel_values', inputs: ['pixel_values', 'input_ids'], assumed: { use_cache_branch: false } });
    expect(report.sites.map(site => site.name)).toEqual(['vision.blocks.0.attn', 'vision.blocks.1.attn', 'blocks.0.attn', 'blocks.1.attn']);
    expect(one.manifest.input.images![0].tokens).toEqual({ id: 96, runs: [[3, 19]], rows: 4, columns: 4 });
    expect(one.manifest.filledInputs).toMatchObject({ use_cache_branch: 'false: no cache', inputs_embeds: 'embeddings of the tokens, image features in the place of image tokens', position_ids: '0, 1, 2, …' });
    expect(largest(one.maps, other.maps)).toBeLessThan(1e-5);
    expect(one.manifest.next[0].map(next => next.id)).toEqual(other.manifest.next[0].map(next => next.id));
  });
  it.each([['merged', undefined, 'cache'], ['merged', 4, 'cache'], ['cached', 5, 'cache'], ['without', undefined, 'again']] as const)('(%s, rows at once: %s) goes on: the map is that of one run over all of it', async (kind, rows, how) => {
    const going = await traced({ model: seeing[kind], prompt, generate: 5 }, rows), all = going.manifest.input.ids[0];
    expect(all.slice(0, written.length)).toEqual(written);
    expect(all).toHaveLength(written.length + 5);
    expect(going.manifest.generated).toMatchObject({ from: written.length, how, stopped: 'length' });
    const once = await traced({ model: seeing[kind], prompt: { ...prompt, ids: all } });
    expect(largest(going.maps, once.maps)).toBeLessThan(1e-5);
    expect(going.manifest.next[0].map(next => next.id)).toEqual(once.manifest.next[0].map(next => next.id));
    // Greedy: each token is what a run over those before it foretells.
    for (const end of [written.length, all.length - 1]) expect((await traced({ model: seeing[kind], prompt: { ...prompt, ids: all.slice(0, end) } })).manifest.next[0][0].id).toBe(all[end]);
  });
  it('merged and without branches write the same', async () => {
    const [one, other] = [await traced({ model: seeing.merged, prompt, generate: 8 }), await traced({ model: seeing.cached, prompt, generate: 8 })];
    expect(one.manifest.input).toEqual(other.manifest.input);
    expect(largest(one.maps, other.maps)).toBeLessThan(1e-5);
  });
});

describe('--keep resid of a decoder that runs in steps', () => {
  it.each([['pieces of a prompt', plain, 3, 0, 'fp32'], ['generation', plain, undefined, 5, 'fp32'], ['both, with branches', merged, 3, 5, 'fp32'], ['both, as halves', plain, 3, 5, 'fp16']] as const)('(%s) is the stream of one run', async (_, model, rows, generate, dtype) => {
    const steps = await traced({ model, prompt: { kind: 'ids', ids }, keep: { resid: true }, generate, dtype }, rows), all = steps.manifest.input.ids[0], once = await traced({ model: plain, prompt: { kind: 'ids', ids: all }, keep: { resid: true }, dtype }), names = ['blocks.0.hook_resid_pre', 'blocks.1.hook_resid_pre'];
    expect(steps.tensors.get(names[0])!.shape).toEqual([1, ids.length + generate, 32]);
    // Halves of numbers below 4 are 1/512 apart at most.
    expect(largest(steps.tensors, once.tensors, names)).toBeLessThan(dtype === 'fp16' ? 2 ** -9 : 1e-5);
  });
  it('is kept of a model that looks at an image and goes on', async () => {
    const { tensors, manifest } = await traced({ model: seeing.merged, prompt: { kind: 'ids', ids: [61, 96, 31], image: scene }, keep: { resid: true }, generate: 3 }), length = manifest.input.ids[0].length;
    expect(length).toBe(21);
    expect(tensors.get('blocks.1.hook_resid_pre')!.shape).toEqual([1, length, 32]);
    expect(tensors.get('vision.blocks.1.hook_resid_pre')!.shape).toEqual([1, 17, 32]);
  });
});
