/** The WGSL kernels over shapes and rules that the golden tensors do not have, against the float64 twin: heads that share keys, head sizes that are no multiples of four, ragged lengths, blocks, padding, sinks. */
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../../extension/engine/compute/attention/problem.ts';
import { chooseGrid } from '../../../extension/engine/compute/attention/grid.ts';
import { tilePlan } from '../../../extension/engine/compute/attention/tile-plan.ts';
import { referenceAttention, type ReferenceOutput } from '../../../extension/engine/maths/reference-attention.ts';
import { randomFrom } from '../../../extension/engine/maths/random.ts';
import { close } from '../../golden/close.ts';
import { attend, gpu, histogram, measure, picture, topKeys, type Tensors } from './on-gpu.ts';

const far = 2 ** 30;
type Bare = Omit<Problem, 'strides'>;
const plain: Bare = { heads: 2, kvHeads: 2, queries: 40, keys: 40, dim: 16, valueDim: 16, scale: 0.25, softcap: 0, offset: 0, left: far, right: far, sink: false, marks: false };

interface Case { readonly of: Bare; readonly tensors: Tensors; readonly twin: ReferenceOutput; sees(h: number, i: number, j: number): boolean }
function make(change: Partial<Bare>, loud = 1): Case {
  const of = { ...plain, ...change }, random = randomFrom(11), draw = (n: number): Float32Array => Float32Array.from({ length: n }, () => loud * (4 * random() - 2));
  const marks = Uint32Array.from({ length: of.keys }, (_, j) => (of.marks && j % 7 === 3 ? 0 : 1)), blocks = of.blocks, cells = Uint32Array.from({ length: blocks ? blocks.layouts * blocks.rows * blocks.columns : 0 }, () => (random() < 0.6 ? 1 : 0));
  const tensors: Tensors = {
    q: draw(of.heads * of.queries * of.dim), k: draw(of.kvHeads * of.keys * of.dim), v: draw(of.kvHeads * of.keys * of.valueDim),
    ...(of.bias ? { bias: draw(Math.max(of.bias.head * of.heads, of.bias.row * of.queries, of.keys)) } : {}), ...(of.sink ? { sink: draw(of.heads) } : {}), marks: [...(of.marks ? marks : []), ...cells],
  };
  const sees = (h: number, i: number, j: number): boolean => {
    const p = i + of.offset;
    if (j < p - of.left || j > p + of.right || of.marks && !marks[j]) return false;
    if (!blocks) return true;
    const row = Math.floor((i + blocks.offset) / blocks.size), column = Math.floor(j / blocks.size);
    return row < blocks.rows && column < blocks.columns && cells[((h % blocks.layouts) * blocks.rows + row) * blocks.columns + column] === 1;
  };
  const { heads, kvHeads, queries, keys, dim, valueDim, scale, softcap } = of;
  const twin = referenceAttention({
    heads, kvHeads, queries, keys, dim, valueDim, scale, softcap, q: tensors.q, k: tensors.k, v: tensors.v, sees, ...(tensors.sink ? { sink: tensors.sink } : {}),
    ...(of.bias ? { bias: (h: number, i: number, j: number) => tensors.bias![h * of.bias!.head + i * of.bias!.row + j * of.bias!.key] } : {}),
  });
  return { of, tensors, twin, sees };
}

const cases: readonly (readonly [string, Partial<Bare>])[] = [
  ['causal, one key/value head for four', { heads: 4, kvHeads: 1, right: 0 }],
  ['more keys than queries, causal from the end', { queries: 9, keys: 75, offset: 66, right: 0 }],
  ['a window, sizes 20 and 6', { dim: 20, valueDim: 6, left: 5, right: 3, queries: 67, keys: 67 }],
  ['values wider than keys, sink logits', { dim: 8, valueDim: 36, right: 0, sink: true }],
  ['padding, a bias for all heads, softcap', { marks: true, bias: { head: 0, row: 40, key: 1 }, softcap: 5 }],
  ['blocks by head, with rows that see nothing', { blocks: { size: 8, offset: 0, layouts: 2, rows: 4, columns: 5 }, right: 0 }],
  ['a head of 128, two tiles of keys', { dim: 128, valueDim: 128, scale: 0.1, queries: 33, keys: 140 }],
];

describe.each(cases)('%s', (_, change) => {
  const { of, tensors, twin, sees } = make(change);
  // Sums of up to 128 products of numbers up to 2 in float32; exp2 with a relative error of about 1e-6.
  const tolerance = 2e-5;

  it.each(['naive', 'tiled'] as const)('%s', async kernel => {
    const got = await attend(of, tensors, kernel);
    close(got.out, twin.out, tolerance);
    close(got.lse, twin.lse.map((lse, n) => (Number.isFinite(lse) ? lse : of.sink ? tensors.sink![Math.floor(n / of.queries)] : -Infinity)), tolerance);
  });

  it('statistics, and the same from run to run', async () => {
    const weights = Float32Array.from({ length: of.queries }, (_, i) => (i % 5 === 4 ? 0 : 1)), bins = 4, keyBins = 5, got = await measure(of, tensors, weights, bins, keyBins);
    close(got.entropy, twin.entropy, tolerance);
    close(got.max, twin.max, tolerance);
    expect(got.maxKey).toEqual(twin.maxKey);
    const received = new Float64Array(of.heads * of.keys), sums = new Float64Array(of.heads * bins * keyBins), travelled = Array.from({ length: of.heads }, () => [0, 0, 0]);
    for (let h = 0; h < of.heads; h++) for (let i = 0; i < of.queries; i++) for (let j = 0; j < of.keys; j++) {
      const p = weights[i] * twin.probs[(h * of.queries + i) * of.keys + j], d = i + of.offset - j;
      received[h * of.keys + j] += p;
      sums[(h * bins + Math.floor(i * bins / of.queries)) * keyBins + Math.floor(j * keyBins / of.keys)] += p;
      travelled[h][0] += p * Math.abs(d);
      travelled[h][1] += p * d * d;
      travelled[h][2] += p;
    }
    close(got.received, received, tolerance);
    close(got.picture, sums, 4 * tolerance);
    for (let h = 0; h < of.heads; h++) for (let n = 0; n < 3; n++) expect(Math.abs(got.far[h][n] - travelled[h][n])).toBeLessThanOrEqual(1e-4 * Math.max(1, travelled[h][n]));
    expect(await measure(of, tensors, weights, bins, keyBins)).toEqual(got);
  });

  it('pictures of a part: mean and maximum, probabilities and scores', async () => {
    const rows = [2, Math.min(of.queries, 9)] as const, columns = [1, Math.min(of.keys, 70)] as const, height = 3, width = 11, head = of.heads - 1;
    for (const most of [false, true]) {
      const expected = new Float64Array(height * width).fill(NaN), counts = new Float64Array(height * width);
      for (let i = rows[0]; i < rows[1]; i++) for (let j = columns[0]; j < columns[1]; j++) {
        if (!sees(head, i, j)) continue;
        const at = Math.floor((i - rows[0]) * height / (rows[1] - rows[0])) * width + Math.floor((j - columns[0]) * width / (columns[1] - columns[0])), p = twin.probs[(head * of.queries + i) * of.keys + j];
        expected[at] = counts[at] ? most ? Math.max(expected[at], p) : expected[at] + p : p;
        counts[at]++;
      }
      if (!most) for (let n = 0; n < expected.length; n++) expected[n] /= counts[n] || 1;
      const got = await picture(of, tensors, twin.lse, { head, rows, columns, height, width, scores: false, most });
      got.forEach((value, n) => (Number.isNaN(expected[n]) ? expect(value).toBeNaN() : expect(Math.abs(value - expected[n])).toBeLessThanOrEqual(tolerance)));
    }
  });
});

it('float16: what rounding q, k and v does, and no more', async () => {
  const { of, tensors } = make({ right: 0, queries: 70, keys: 70 }), rounded = (data: ArrayLike<number>): Float64Array => Float64Array.from(data, value => Math.round(value * 2048) / 2048);
  // Numbers that float16 holds: below 2 in steps of 2⁻¹¹ or wider.
  const held = { q: rounded(tensors.q).map(half), k: rounded(tensors.k).map(half), v: rounded(tensors.v).map(half) };
  const { heads, kvHeads, queries, keys, dim, valueDim, scale, softcap } = of;
  const twin = referenceAttention({ heads, kvHeads, queries, keys, dim, valueDim, scale, softcap, ...held, sees: (_, i, j) => j <= i });
  close((await attend(of, held, 'tiled', { type: 'f16' })).out, twin.out, 2e-5);
});

it('highest keys come by score, then by position; a histogram counts every cell', async () => {
  const { of, tensors, twin, sees } = make({ right: 0 }), chosen = [0, 3, 39], { keys, scores } = await topKeys(of, tensors, 1, chosen, 5);
  chosen.forEach((i, n) => {
    const row = Array.from({ length: of.keys }, (_, j) => [twin.probs[(of.queries + i) * of.keys + j], j] as const).filter(([, j]) => sees(1, i, j)).sort((a, b) => b[0] - a[0] || a[1] - b[1]).slice(0, 5);
    expect([...keys.subarray(5 * n, 5 * n + 5)]).toEqual(Array.from({ length: 5 }, (_, c) => row[c]?.[1] ?? -1));
    row.forEach(([p], c) => expect(Math.abs(Math.exp(scores[5 * n + c] - twin.lse[of.queries + i]) - p)).toBeLessThan(2e-5));
  });
  const counts = await histogram(of, tensors, twin.lse);
  for (let h = 0; h < of.heads; h++) expect(counts.subarray(32 * h, 32 * h + 32).reduce((a, b) => a + b)).toBe(of.queries * (of.queries + 1) / 2);
});

it('refuses with numbers: a grid beyond the limit, a buffer beyond the binding, a head that does not fit', async () => {
  const device = await gpu(), { of } = make({});
  const wide = tilePlan({ ...of, strides: { q: [0, 16], k: [0, 16], v: [0, 16] } }, { head: 0, rows: [0, 1], columns: [0, 1], height: 1, width: 1, scores: false, most: false, over: false });
  const given = new Map(await Promise.all(['q', 'k', 'bias', 'marks', 'rows', 'over'].map(async name => [name, await device.upload(new Float32Array(4))] as const)));
  await expect(device.run({ ...wide, passes: [{ ...wide.passes[0], grid: [70_000] }] }, given, ['texels'])).rejects.toThrow(/tiles\/tile\.wgsl needs a grid of 70,000 workgroups; .* allows 65,535\./);
  await expect(device.run({ ...wide, buffers: { texels: 2 ** 40 } }, given, ['texels'])).rejects.toThrow(/The GPU has no room for a buffer of 4,194,304 MiB: its driver allows [\d,]+ MiB a buffer\./);
  expect(chooseGrid(4096, 4096, device.limits)).toBeUndefined();
});

/** To the nearest number that float16 holds, for |x| < 4. */
function half(value: number): number { const step = Math.abs(value) < 1 ? 2 ** -11 : Math.abs(value) < 2 ? 2 ** -10 : 2 ** -9; return Math.round(value / step) * step; }
