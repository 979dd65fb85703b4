/** A problem with its tensors on the GPU (a software one, where there is no other), and what the kernels make of it. */
import { resolve } from 'node:path';
import { tiledPlan, naivePlan } from '../../../extension/engine/compute/attention/exact-plan.ts';
import { denseStrides, padded, type Problem } from '../../../extension/engine/compute/attention/problem.ts';
import { histogramPlan, statisticsPlan, topKeysPlan } from '../../../extension/engine/compute/attention/statistics-plan.ts';
import { tilePlan, type TileOf } from '../../../extension/engine/compute/attention/tile-plan.ts';
import { Gpu } from '../../../extension/engine/compute/gpu/gpu.ts';
import type { Limits } from '../../../extension/engine/compute/gpu/plan.ts';
import { toHalf } from '../../../extension/engine/maths/half.ts';

export const shaders = resolve(import.meta.dirname, '../../../shaders');
let opened: Promise<Gpu> | undefined;
export function gpu(): Promise<Gpu> {
  return opened ??= Gpu.open(shaders).then(found => {
    if (!found) throw new Error('No WGSL adapter: apt-get install chromium libvulkan1, and VK_ICD_FILENAMES (vitest.config.mts).');
    return found;
  });
}

/** q [heads, queries, dim], k [kvHeads, keys, dim], v [kvHeads, keys, valueDim]; bias as the problem's strides say; marks [key], then blocks. */
export interface Tensors { readonly q: ArrayLike<number>; readonly k: ArrayLike<number>; readonly v: ArrayLike<number>; readonly bias?: ArrayLike<number>; readonly sink?: ArrayLike<number>; readonly marks?: ArrayLike<number> }

export async function onGpu(of: Omit<Problem, 'strides'>, tensors: Tensors, type: 'f32' | 'f16' = 'f32'): Promise<{ readonly problem: Problem; readonly given: Map<string, GPUBuffer>; done(): void }> {
  const device = await gpu(), problem = { ...of, strides: denseStrides(of) };
  const vectors = (data: ArrayLike<number>, dim: number): Float32Array | Uint16Array => {
    const wide = padded(dim), out = new Float32Array(data.length / dim * wide);
    for (let n = 0; n < data.length; n++) out[Math.floor(n / dim) * wide + n % dim] = data[n];
    return type === 'f16' ? toHalf(out) : out;
  };
  const given = new Map([
    ['q', await device.upload(vectors(tensors.q, of.dim))], ['k', await device.upload(vectors(tensors.k, of.dim))], ['v', await device.upload(vectors(tensors.v, of.valueDim))],
    ['bias', await device.upload(Float32Array.from(tensors.bias ?? [0]))], ['sink', await device.upload(Float32Array.from(tensors.sink ?? [0]))], ['marks', await device.upload(Uint32Array.from(tensors.marks ?? [0]))],
  ]);
  return { problem, given, done: () => { for (const buffer of given.values()) device.pool.give(buffer); } };
}

export interface Attended { /** [head, query, valueDim] */ readonly out: Float64Array; /** [head, query]; −∞ where no key is seen. */ readonly lse: Float64Array }

export async function attend(of: Omit<Problem, 'strides'>, tensors: Tensors, kernel: 'naive' | 'tiled', { type = 'f32', limits = {} }: { readonly type?: 'f32' | 'f16'; readonly limits?: Partial<Limits> } = {}): Promise<Attended> {
  const device = await gpu(), { problem, given, done } = await onGpu(of, tensors, type);
  try {
    const { out, lse } = await device.run(kernel === 'naive' ? naivePlan(problem) : tiledPlan(problem, { ...device.limits, ...limits }, type), given, ['out', 'lse']);
    const wide = padded(of.valueDim), values = new Float32Array(out);
    return { out: Float64Array.from({ length: of.heads * of.queries * of.valueDim }, (_, n) => values[Math.floor(n / of.valueDim) * wide + n % of.valueDim]), lse: Float64Array.from(new Float32Array(lse), orNothing) };
  } finally { done(); }
}

export interface Measured { readonly lse: Float64Array; readonly entropy: Float64Array; readonly max: Float64Array; readonly maxKey: Int32Array; readonly received: Float32Array; /** [head, bin, bin of keys]: sums. */ readonly picture: Float32Array; /** [head]: Σ p·|d|, Σ p·d², Σ p */ readonly far: readonly (readonly [number, number, number])[] }

/** `weights` [1 or heads, queries]. */
export async function measure(of: Omit<Problem, 'strides'>, tensors: Tensors, weights: Float32Array, bins: number, keyBins: number): Promise<Measured> {
  const device = await gpu(), { problem, given, done } = await onGpu(of, tensors);
  given.set('weights', await device.upload(weights));
  try {
    const got = await device.run(statisticsPlan(problem, { bins, keyBins, weightsPerHead: weights.length > of.queries }, device.limits), given, ['rows', 'columns', 'picture', 'far']);
    const rows = new Float32Array(got.rows), far = new Float32Array(got.far), column = (n: number): Float64Array => Float64Array.from({ length: of.heads * of.queries }, (_, i) => rows[4 * i + n]), parts = far.length / 4 / of.heads;
    return {
      lse: column(0).map(orNothing), entropy: column(1), max: column(2), maxKey: Int32Array.from(column(3)), received: new Float32Array(got.columns), picture: new Float32Array(got.picture),
      far: Array.from({ length: of.heads }, (_, h) => [0, 1, 2].map(c => Array.from({ length: parts }, (_, t) => far[4 * (h * parts + t) + c]).reduce((a, b) => a + b, 0)) as unknown as [number, number, number]),
    };
  } finally { done(); }
}

/** [height, width]; NaN where nothing is seen. */
export async function picture(of: Omit<Problem, 'strides'>, tensors: Tensors, lse: ArrayLike<number>, tile: Omit<TileOf, 'over'>, over?: Float32Array): Promise<Float64Array> {
  const device = await gpu(), { problem, given, done } = await onGpu(of, tensors), rows = new Float32Array(4 * lse.length);
  for (let n = 0; n < lse.length; n++) rows[4 * n] = lse[n] === -Infinity ? -1e38 : lse[n];
  given.set('rows', await device.upload(rows)).set('over', await device.upload(over ?? new Float32Array(1)));
  try {
    const texels = new Float32Array((await device.run(tilePlan(problem, { ...tile, over: over !== undefined }), given, ['texels'])).texels);
    return Float64Array.from({ length: tile.height * tile.width }, (_, n) => (texels[2 * n + 1] > 0 ? texels[2 * n] : NaN));
  } finally { done(); }
}

/** [chosen, count] keys (−1: there are not so many) and their scores. */
export async function topKeys(of: Omit<Problem, 'strides'>, tensors: Tensors, head: number, chosen: readonly number[], count: number): Promise<{ readonly keys: Int32Array; readonly scores: Float32Array }> {
  const device = await gpu(), { problem, given, done } = await onGpu(of, tensors);
  given.set('chosen', await device.upload(Uint32Array.from(chosen)));
  try {
    const best = new Float32Array((await device.run(topKeysPlan(problem, head, chosen.length, count), given, ['best'])).best);
    return { keys: Int32Array.from({ length: best.length / 2 }, (_, n) => best[2 * n + 1]), scores: Float32Array.from({ length: best.length / 2 }, (_, n) => best[2 * n]) };
  } finally { done(); }
}

/** [head, 32] */
export async function histogram(of: Omit<Problem, 'strides'>, tensors: Tensors, lse: ArrayLike<number>): Promise<Uint32Array> {
  const device = await gpu(), { problem, given, done } = await onGpu(of, tensors), rows = new Float32Array(4 * lse.length);
  for (let n = 0; n < lse.length; n++) rows[4 * n] = lse[n] === -Infinity ? -1e38 : lse[n];
  given.set('rows', await device.upload(rows));
  try { return new Uint32Array((await device.run(histogramPlan(problem), given, ['counts'])).counts); } finally { done(); }
}

function orNothing(value: number): number { return value < -5e37 ? -Infinity : value; }
