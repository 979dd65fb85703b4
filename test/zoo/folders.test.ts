/** Whole folders of decoders with a cache: prefill, prefill in pieces and stitched generation against PyTorch's attention; our own copy, the same one as others lay it out, and those of ATTNSCOPE_ZOO_FOLDERS. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../extension/contract/trace.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { exportPattern } from '../../extension/engine/analysis/export-pattern.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { openTrace } from '../../extension/engine/trace/open.ts';
import { readReference, type ZooTensor } from './cases.ts';
import { genaiConfig, mergedDecoder, renamedDecoder } from './merged-decoder.ts';
import { zooFolders, type ZooFolder } from './zoo-folders.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-folders-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const own = join(import.meta.dirname, 'folders/llama_cache');
/** The zoo's decoder as another layout has it. */
function laidOut(name: string, files: Readonly<Record<string, string | Uint8Array>>): ZooFolder {
  const path = join(folder, name);
  mkdirSync(join(path, 'onnx'), { recursive: true });
  for (const file of ['config.json', 'reference.safetensors']) copyFileSync(join(own, file), join(path, file));
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
  return { name, path };
}
const made = [laidOut('merged', { 'onnx/decoder_model_merged.onnx': mergedDecoder() }), laidOut('genai', { 'lm.onnx': renamedDecoder(), 'genai_config.json': JSON.stringify(genaiConfig) })];
const decoders = [...zooFolders(), ...made].map(({ name, path }) => ({ name, path, reference: readReference(join(path, 'reference.safetensors')) })).filter(({ reference }) => reference.has('gen.ids') && reference.has('in.input_ids'));

it('finds a decoder', () => expect(decoders.length).toBeGreaterThan(0));

describe.each(decoders.map(one => [one.name, one] as const))('%s', (name, { path, reference }) => {
  const prompt = [...reference.get('in.input_ids')!.data], all = [...reference.get('gen.ids')!.data], count = all.length - prompt.length;
  it.each([['prompt', undefined, 0], ['prompt in pieces of 4 rows', 4, 0], ['generated', undefined, count], ['generated behind pieces of 2 rows', 2, count]] as const)('%s', async (what, rowsAtOnce, generate) => {
    const out = join(folder, `${name}-${what.replaceAll(' ', '-')}.attntrace`);
    await capture({ model: path, prompt: { kind: 'ids', ids: prompt }, out, dtype: 'fp32', generate }, { progress: () => undefined, ...(rowsAtOnce === undefined ? {} : { rowsAtOnce }) });
    const { manifest } = await completeCapture({ out });
    const group = generate ? 'gen.attn.attentions.' : 'attn.attentions.', sites = [...reference.keys()].filter(key => key.startsWith(group));
    expect(sites.length).toBeGreaterThan(0);
    expect(manifest.sites.filter(site => site.kind === 'self')).toHaveLength(sites.length);
    expect(manifest.input.ids[0]).toEqual(generate ? all : prompt);
    expect(Object.values(manifest.parity).map(parity => parity.ok)).toEqual(sites.map(() => true));
    const patterns = join(folder, 'p.safetensors'), trace = openTrace(out);
    try {
      await exportPattern(trace, { out: patterns, sites: [], scores: false });
      const rebuilt = readReference(patterns);
      for (const key of sites) {
        const site = `blocks.${key.slice(group.length)}.attn`, expected = reference.get(key)!, found = rebuilt.get(`${site}.hook_pattern`)!;
        expect(found.shape).toEqual(expected.shape);
        expect(apart(found.data, expected.data), site).toBeLessThan(1e-5);
        const { received, entropy } = sumsOf(expected);
        expect(apart(trace.store.floats(`${site}.stats.received`), received)).toBeLessThan(1e-4);
        expect(apart(trace.store.floats(`${site}.stats.entropy`), entropy)).toBeLessThan(1e-4);
      }
    } finally { trace.close(); }
    if (generate) checkGenerated(manifest, prompt.length, all);
    else expect(manifest.generated).toBeUndefined();
  });
});

/** Greedy: what was chosen is the most likely one, and what follows the last one is told as always. */
function checkGenerated({ generated, input, next }: Manifest, from: number, all: readonly number[]): void {
  expect(input.given).toBe(from);
  expect(generated).toMatchObject({ from, how: 'cache' });
  expect(generated!.steps.map(step => step.alternatives[0].id)).toEqual(all.slice(from));
  for (const { probability, alternatives } of generated!.steps) expect(probability).toBeCloseTo(alternatives[0].probability, 6);
  expect(next[0]).toHaveLength(5);
}

function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = a.length === b.length ? 0 : Infinity;
  for (let n = 0; n < b.length; n++) most = Math.max(most, Math.abs(a[n] - b[n]));
  return most;
}

/** Column sums [head, key] and entropies [head, query] of one sample's probabilities, in float64. */
function sumsOf({ shape: [, heads, queries, keys], data }: ZooTensor): { readonly received: Float64Array; readonly entropy: Float64Array } {
  const received = new Float64Array(heads * keys), entropy = new Float64Array(heads * queries);
  for (let h = 0; h < heads; h++) for (let i = 0; i < queries; i++) for (let j = 0; j < keys; j++) {
    const p = data[(h * queries + i) * keys + j];
    received[h * keys + j] += p;
    if (p > 0) entropy[h * queries + i] -= p * Math.log(p);
  }
  return { received, entropy };
}
