/** Exact attention and its statistics on this machine's GPU against PyTorch's kernels on the same one: first right, then fast. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { matrixPlan, naivePlan, spareRows, tiledPlan } from '../../../extension/engine/compute/attention/exact-plan.ts';
import { denseStrides, type Problem } from '../../../extension/engine/compute/attention/problem.ts';
import { statisticsPlan } from '../../../extension/engine/compute/attention/statistics-plan.ts';
import { tilePlan } from '../../../extension/engine/compute/attention/tile-plan.ts';
import { Gpu, type OnDevice } from '../../../extension/engine/compute/gpu/gpu.ts';
import type { Plan } from '../../../extension/engine/compute/gpu/plan.ts';
import { timePlan } from '../../../extension/engine/compute/gpu/timing.ts';
import { toHalf } from '../../../extension/engine/maths/half.ts';
import { ablate } from './ablate.ts';

const here = import.meta.dirname, options = new Set(process.argv.slice(2)), small = options.has('--small');
const heads = small ? 2 : 16, quick = options.has('--quick'), lengths = small ? [256] : quick ? [4096] : [4096, 16384], dims = [64, 128];
const gpu = await Gpu.open(join(here, 'shaders'), { matrices: true, f16OnNvidia: true });
if (!gpu) { console.log('There is no WebGPU adapter here.'); process.exit(1); }
console.log(`WebGPU: ${gpu.name}${gpu.software ? ' (software)' : ''}; Dawn toggles: ${gpu.toggles.join(', ') || 'none'}; workgroup memory ${gpu.limits.workgroupBytes}, subgroups of ${gpu.limits.subgroupSize}, matrices ${gpu.limits.matrices}`);

let seed = 7;
/** Normal enough: the sum of three uniforms. */
function random(): number { let sum = 0; for (let n = 0; n < 3; n++) { seed = (seed * 1664525 + 1013904223) >>> 0; sum += seed / 2 ** 32 - 0.5; } return 2 * sum; }
function problemOf(T: number, D: number, causal: boolean, count = heads): Problem {
  const bare = { heads: count, kvHeads: count, queries: T, keys: T, dim: D, valueDim: D, scale: D ** -0.5, softcap: 0, offset: 0, left: 2 ** 30, right: causal ? 0 : 2 ** 30, sink: false, marks: false };
  return { ...bare, strides: denseStrides(bare) };
}
async function inputs(of: Problem, type: 'f32' | 'f16', on = gpu!): Promise<Map<string, GPUBuffer>> {
  const size = (of.heads * of.queries + spareRows) * of.dim, block = Float32Array.from({ length: 1 << 20 }, random), given = new Map<string, GPUBuffer>();
  for (const name of ['q', 'k', 'v']) {
    const data = new Float32Array(size);
    // Long tensors repeat a block at odd places: as random to a kernel, and made in no time.
    for (let at = 0; at < size; at += block.length - 4097) data.set(block.subarray(0, Math.min(block.length, size - at)), at);
    data.fill(0, size - spareRows * of.dim);
    for (let n = 0; n < size; n += 977) data[n] = random();
    given.set(name, await on.upload(type === 'f16' ? toHalf(data) : data));
  }
  for (const name of ['bias', 'sink', 'marks', 'over']) given.set(name, await on.upload(new Float32Array(4)));
  return given.set('weights', await on.upload(new Float32Array(of.queries).fill(1)));
}
function release(sets: readonly OnDevice[]): void { for (const set of sets) for (const buffer of set.values()) gpu!.pool.give(buffer); }

if (options.has('--ablate')) {
  for (const D of dims) {
    const of = problemOf(lengths[0], D, false);
    console.log(`\nThe tiled float32 kernel, T=${of.queries}, D=${D}, ${heads} heads`);
    await ablate(join(here, 'shaders'), of, on => inputs(of, 'f32', on));
  }
  process.exit(0);
}

console.log('\nAgreement with the naive kernel (T=512, 4 heads), largest difference of o');
for (const D of small ? [64] : dims) for (const causal of [false, true]) {
  const of = problemOf(small ? 128 : 512, D, causal, small ? 2 : 4), floats = await inputs(of, 'f32');
  // Zeroed first: a buffer that is used again would hide rows that nobody computes.
  const out = async (plan: Plan, given: OnDevice): Promise<Float32Array> => new Float32Array((await gpu.run({ ...plan, zero: ['out'] }, given, ['out'])).out);
  const exact = await out(naivePlan(of), floats);
  const kernels: [string, Plan | undefined, 'f32' | 'f16'][] = [['tiled f32', tiledPlan(of, gpu.limits), 'f32'], ['tiled f32 without subgroups', tiledPlan(of, { ...gpu.limits, subgroupSize: 0 }), 'f32'], ['tiled f16', tiledPlan(of, gpu.limits, 'f16'), 'f16'], ['matrix', matrixPlan(of, gpu.limits), 'f16']];
  for (const [name, plan, type] of kernels) {
    if (!plan) continue;
    // The same seed gives the same values, rounded.
    const given = new Map(floats);
    if (type === 'f16') for (const part of ['q', 'k', 'v']) given.set(part, await gpu.upload(toHalf(new Float32Array(await gpu.read(floats.get(part)!, (of.heads * of.queries + spareRows) * of.dim * 4)))));
    try {
      const got = await out(plan, given);
      console.log(`  D=${D}${causal ? ' causal' : ''} ${name}: ${got.reduce((most, value, n) => Math.max(most, Number.isNaN(value) ? Infinity : Math.abs(value - exact[n])), 0).toExponential(1)}`);
    } catch (error) { console.log(`  D=${D} ${name}: ${error instanceof Error ? error.message.slice(0, 1500) : String(error)}`); }
  }
  release([floats]);
}

const peers = new Map<string, number>();
if (!small && !options.has('--no-peer')) {
  const got = spawnSync('python3', [join(here, 'peer.py'), String(heads), lengths.join(), dims.join()], { encoding: 'utf8' });
  for (const line of got.stdout?.trim().split('\n').filter(Boolean) ?? []) {
    const one = JSON.parse(line) as { kernel?: string; T: number; D: number; causal: boolean; ms?: number; error?: string; torch?: string; card?: string };
    if (one.torch) console.log(`\nPyTorch ${one.torch} on ${one.card}`);
    else if (one.ms !== undefined) peers.set(`${one.kernel} ${one.T} ${one.D} ${one.causal}`, one.ms);
    else console.log(`${one.kernel}, T=${one.T}, D=${one.D}: ${one.error}`);
  }
  if (got.status !== 0) console.log(`No PyTorch to compare with: ${(got.error?.message ?? got.stderr).trim().split('\n').pop()}`);
}

console.log(`\nTFLOP/s, ${heads} heads, 4·H·T²·D operations (half when causal); medians of 20; × PyTorch's kernel of the same call`);
console.log('| T | D | causal | kernel | ms | TFLOP/s | × | peer |\n|--|--|--|--|--|--|--|--|');
for (const T of lengths) for (const D of dims) for (const causal of [false, true]) {
  const of = problemOf(T, D, causal), operations = 4 * heads * T * T * D / (causal ? 2 : 1);
  const row = async (name: string, plan: Plan | undefined, sets: readonly OnDevice[], peer: string): Promise<number> => {
    if (!plan) return NaN;
    try {
      const { ms, by } = await timePlan(gpu, plan, sets), theirs = peers.get(`${peer} ${T} ${D} ${causal}`);
      console.log(`| ${T} | ${D} | ${causal ? 'yes' : 'no'} | ${name}${by === 'clock' ? ' (by clock)' : ''} | ${ms.toFixed(3)} | ${(operations / ms / 1e9).toFixed(1)} | ${theirs ? (theirs / ms).toFixed(2) : ''} | ${theirs ? `${peer} ${(operations / theirs / 1e9).toFixed(1)}` : ''} |`);
      return ms;
    } catch (error) { console.log(`${name}: ${error instanceof Error ? error.message.slice(0, 600) : String(error)}`); return NaN; }
  };
  const floats = [await inputs(of, 'f32'), await inputs(of, 'f32')];
  const exact = await row('tiled f32', tiledPlan(of, gpu.limits), floats, 'fp32 memory-efficient');
  const statistics = await row('statistics', statisticsPlan(of, { bins: 32, keyBins: 32, weightsPerHead: false }, gpu.limits), floats, '');
  console.log(`  statistics take ${(statistics / exact).toFixed(2)} × the exact kernel (limit 2.5)`);
  release(floats);
  const halves = [await inputs(of, 'f16'), await inputs(of, 'f16')];
  await row('tiled f16', tiledPlan(of, gpu.limits, 'f16'), halves, 'fp16 FlashAttention-2');
  await row('matrix f16', matrixPlan(of, gpu.limits), halves, 'fp16 FlashAttention-2');
  release(halves);
}

if (!small && !quick) {
  gpu.pool.clear();
  const of = problemOf(65536, 64, true, 32), given = await inputs(of, 'f32'), plan = statisticsPlan(of, { bins: 32, keyBins: 32, weightsPerHead: false }, gpu.limits), made = await gpu.allocate(plan);
  const start = performance.now();
  await gpu.submit(plan, new Map([...given, ...made]));
  console.log(`\nStatistics of T=65,536, 32 heads, D=64, causal: ${(performance.now() - start).toFixed(0)} ms, ${(gpu.pool.bytes / 2 ** 30).toFixed(2)} GiB of device memory (v among it; limit 4 GB)`);
  release([given, made]);
  const map = problemOf(32768, 64, true, 4), tensors = await inputs(map, 'f32');
  tensors.set('rows', await gpu.upload(new Float32Array(4 * 4 * 32768).fill(10)));
  const { ms } = await timePlan(gpu, tilePlan(map, { head: 1, rows: [0, 32768], columns: [0, 32768], height: 256, width: 256, scores: false, most: false, over: false }), [tensors]);
  console.log(`A picture of 256 × 256 of one head of T=32,768: ${ms.toFixed(1)} ms (limit 500)`);
}
gpu.close();
process.exit(0);
