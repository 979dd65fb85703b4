/** LLaVA in one graph and in three files, and a ViT: attention and looks over the image against PyTorch's, image tokens and what is refused. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Prompt } from '../../extension/contract/api.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { look } from '../../extension/engine/analysis/look.ts';
import { OpenTraces } from '../../extension/engine/analysis/open-traces.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { splice } from '../../extension/engine/run/prepare-llava.ts';
import { reportModel } from '../../extension/engine/sites/report-model.ts';
import { readReference, type ZooTensor } from './cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-llava-')), here = import.meta.dirname, scene = join(here, '../unit/images/fixtures/scene.png');
const multi = join(here, 'folders/llava_multi'), single = join(here, 'models/llava'), vit = join(here, 'models/vit');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
async function traced(model: string, prompt: Prompt) {
  const out = join(folder, `${count++}.attntrace`);
  await capture({ model, prompt, out, dtype: 'fp32' }, { progress: () => undefined });
  const { manifest } = await completeCapture({ out }), traces = new OpenTraces(), open = traces.open(out);
  return { manifest, open, traces, ask: (request: Omit<Parameters<typeof look>[1], 'trace'>) => look(traces, { ...request, trace: open.trace }, async () => undefined) };
}

/** Mean over sites and heads of a row of reference probabilities at `keys`. */
function meanRow(tensors: readonly ZooTensor[], batch: number, row: number, keys: readonly number[], head?: number): number[] {
  return keys.map(key => {
    let sum = 0, n = 0;
    for (const { shape: [, heads, queries, width], data } of tensors) for (let h = 0; h < heads; h++) if (head === undefined || h === head) { sum += data[((batch * heads + h) * queries + row) * width + key]; n++; }
    return sum / n;
  });
}
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);
const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.max(...Array.from(a, (value, n) => Math.abs(value - b[n])));
const sites = ['blocks.0.attn', 'blocks.1.attn'];

describe('LLaVA in three files', () => {
  const file = join(multi, 'reference.safetensors'), reference = readReference(file), attention = sites.map((_, l) => reference.get(`attn.attentions.${l}`)!);
  it('gives the attention, the next tokens and the span that PyTorch has', async () => {
    const { manifest, ask } = await traced(multi, { kind: 'tensors', file });
    expect(manifest.sites.map(site => site.name)).toEqual(['vision.blocks.0.attn', 'vision.blocks.1.attn', ...sites]);
    for (const parity of Object.values(manifest.parity)) expect(parity.ok).toBe(true);
    expect(manifest.input.images![0].tokens).toEqual({ id: 96, runs: [[3, 19]], rows: 4, columns: 4 });
    const logits = reference.get('out.logits')!, last = Array.from(logits.data.slice(-97)), most = Math.max(...last), total = last.reduce((sum, value) => sum + Math.exp(value - most), 0);
    // float32 in another order of sums.
    for (const { id, probability } of manifest.next[0]) expect(probability).toBeCloseTo(Math.exp(last[id] - most) / total, 5);
    for (const row of [0, 18, 20, 24]) for (const head of [undefined, 2]) {
      const found = await ask({ batch: 0, sites, of: { row }, withoutSinks: false, ...(head === undefined ? {} : { head }) });
      expect(largest(found.cells, meanRow(attention, 0, row, range(3, 19), head)), `row ${row}`).toBeLessThan(1e-5);
      expect(found.masses.before).toBeCloseTo(meanRow(attention, 0, row, range(0, 3), head).reduce((a, b) => a + b), 5);
      expect(found.masses.image + found.masses.before + found.masses.behind).toBeCloseTo(1, 5);
    }
    const clean = await ask({ batch: 0, sites, of: { row: 24 }, withoutSinks: true });
    expect(clean.cells.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  });
  it('takes an image file: a placeholder is written out, positions count on', async () => {
    const { manifest, open } = await traced(multi, { kind: 'ids', ids: [61, 51, 40, 96, 82, 31], image: scene });
    expect(manifest.input.ids[0]).toEqual([61, 51, 40, ...new Array<number>(16).fill(96), 82, 31]);
    expect(manifest.filledInputs).toMatchObject({ input_ids: 'its placeholder repeated 16 times', pixel_values: 'no preprocessor_config.json: 160 × 120 to 32 × 32' });
    expect(Object.keys(open.grids)).toEqual(['vision.blocks.0.attn', 'vision.blocks.1.attn']);
  });
  it('lists the sites of all files, and that it looks', async () => {
    const { sites: found, picture, inputs } = await reportModel(multi);
    expect(found).toHaveLength(4);
    expect([picture, ...inputs]).toEqual(['pixel_values', 'pixel_values', 'input_ids']);
  });
  it('refuses with both counts where image tokens and image do not fit, and without an image', async () => {
    await expect(traced(multi, { kind: 'ids', ids: [1, 96, 96, 2], image: scene })).rejects.toThrow('The prompt has 2 image tokens (id 96); the image takes 16.');
    await expect(traced(multi, { kind: 'ids', ids: [1, 2] })).rejects.toThrow('The model looks at an image (its input "pixel_values"), and none was given.');
    const rows = (n: number, width = 2) => ({ type: 'float32', dims: [n, width], data: Float32Array.from({ length: n * width }, (_, i) => i) }) as const;
    expect(() => splice({ ...rows(3), dims: [1, 3, 2] }, rows(1), [[5, 7, 7]], 7)).toThrow('The prompt has 2 image tokens (id 7); the vision encoder gives 1 vectors.');
    expect(Array.from(splice({ type: 'float32', dims: [1, 3, 2], data: new Float32Array(6).fill(9) }, rows(2), [[7, 5, 7]], 7).data as Float32Array)).toEqual([0, 1, 9, 9, 2, 3]);
  });
});

describe('LLaVA in one graph', () => {
  const file = join(single, 'reference.safetensors'), reference = readReference(file), attention = sites.map((_, l) => reference.get(`attn.attentions.${l}`)!);
  it('both samples look where PyTorch says', async () => {
    const { manifest, ask } = await traced(join(single, 'sdpa-ts.onnx'), { kind: 'tensors', file });
    expect(manifest.input.images).toHaveLength(2);
    for (const batch of [0, 1]) {
      const [[from, to]] = manifest.input.images![batch].tokens!.runs;
      expect(largest((await ask({ batch, sites, of: { row: 23 }, withoutSinks: false })).cells, meanRow(attention, batch, 23, range(from, to)))).toBeLessThan(1e-5);
    }
  });
});

it('a patch of a ViT looks where PyTorch says', async () => {
  const file = join(vit, 'reference.safetensors'), reference = readReference(file), attention = sites.map((_, l) => reference.get(`attn.attentions.${l}`)!), { ask } = await traced(join(vit, 'sdpa-ts.onnx'), { kind: 'tensors', file });
  for (const [cell, row] of [[-1, 0], [0, 1], [6, 7]]) {
    const found = await ask({ batch: 1, sites, of: { cell }, withoutSinks: false });
    expect(largest(found.cells, meanRow(attention, 1, row, range(1, 17)))).toBeLessThan(1e-5);
    expect(found.masses.extra).toBeCloseTo(meanRow(attention, 1, row, [0])[0], 5);
  }
});
