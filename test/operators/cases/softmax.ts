/** Attention written out: products as MatMul, FusedMatMul (transposed, with alpha) and Einsum, scales before, behind and split, softcap, float16. */
import type { Site } from '../../../extension/contract/site.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewAttribute, type NewTensor } from '../../../extension/engine/onnx/model.ts';
import { fill4, floats, seeded, type Fed, type Fixture } from '../fixture.ts';

type Line = readonly [op: string, inputs: string, output: string, attributes?: Readonly<Record<string, NewAttribute>>, domain?: string];
const [B, H, S, T, D] = [2, 3, 5, 7, 8];

interface Form {
  readonly lines: readonly Line[];
  /** What q·k is multiplied with, all in all. */
  readonly scale: number;
  readonly initializers?: readonly NewTensor[];
  /** Heads of k and v, when they are fewer than q's. */
  readonly kvHeads?: number;
  /** q, k and v are fed with heads behind positions, and so is the output. */
  readonly behind?: true;
  readonly softcap?: number;
  /** [query, key], added. */
  readonly bias?: true;
  readonly tolerance?: number;
}

function fixture(title: string, form: Form): Fixture {
  const { behind, kvHeads = H, scale, softcap } = form, random = seeded(title.length * 104_729), shape = (h: number, s: number): number[] => (behind ? [B, s, h, D] : [B, h, s, D]);
  // Multiples of 1/64 are the same in float16.
  const fed = (name: string, dims: readonly number[], spread: number): Fed => floats(name, dims, () => Math.round(random() * 128) / 128, spread);
  const q = fed('q', shape(H, S), 2), k = fed('k', shape(kvHeads, T), 2), v = fed('v', shape(kvHeads, T), 1), bias = form.bias && fed('bias', [S, T], 1), inputs = [q, k, v, ...(bias ? [bias] : [])];
  const at = (of: Fed, h: number, s: number) => (b: number, i: number, head: number, d: number): number => of.data[(behind ? (b * s + i) * h + head : (b * h + head) * s + i) * D + d];
  const lines: readonly Line[] = [...form.lines, behind ? ['Identity', 'o', 'y'] : ['Transpose', 'o', 'y', { perm: [0, 2, 1, 3] }]];
  return {
    name: `ai.onnx.Softmax: ${title}`, inputs, output: 'y', scores: { output: 'probs', of: 'prob' }, ...(form.tolerance ? { tolerance: form.tolerance } : {}),
    model: {
      nodes: lines.map(([op, from, to, attributes, domain], i) => ({ op, name: `/layers.0/attn/${op}_${i}`, inputs: from.split(' '), outputs: [to], attributes, domain })),
      initializers: [...Object.entries({ half: 0.5, root: D ** -0.25, eighth: D ** -0.5, divisor: D ** 0.5, cap: 3 }).map(([name, value]) => tensorOf(name, [], [value])), ...form.initializers ?? []],
      inputs: inputs.map(({ name, dims }) => ({ name, type: dataType.float, dims })), outputs: ['y', 'probs'].map(name => ({ name, type: dataType.float })), opset: { '': 18, 'com.microsoft': 1 },
    },
    twin: { batch: B, heads: H, kvHeads, queries: S, keys: T, dim: D, valueDim: D, scale, softcap, q: fill4([B, S, H, D], at(q, H, S)), k: fill4([B, T, kvHeads, D], at(k, kvHeads, T)), v: fill4([B, T, kvHeads, D], at(v, kvHeads, T)), sees: () => true, ...(bias ? { bias: (_b, _h, i, j) => bias.data[i * T + j] } : {}) },
    site: { name: 'blocks.0.attn', operator: 'Softmax', capture: 'graph', softcap: softcap ?? null, mask: { causal: false, window: null, padding: false, additive: bias !== undefined } } satisfies Partial<Site>, traced: { capture: 'graph' },
  };
}

const turned: Line = ['Transpose', 'k', 'kT', { perm: [0, 1, 3, 2] }], fused = 'com.microsoft', mix: Line = ['MatMul', 'probs v', 'o'], softmax: Line = ['Softmax', 's', 'probs', { axis: -1 }];
const root = 1 / Math.sqrt(D), alpha = (value: number): Readonly<Record<string, NewAttribute>> => ({ alpha: { float: value } });
const half = (from: string): Line => ['Cast', from, `${from}16`, { to: dataType.float16 }], single = (from: string, to: string): Line => ['Cast', from, to, { to: dataType.float }];
const half3: readonly Line[] = [half('q'), half('k'), half('v'), ['Transpose', 'k16', 'kT', { perm: [0, 1, 3, 2] }], ['MatMul', 'q16 kT', 's0']];

export const fixtures: readonly Fixture[] = [
  fixture('MatMul, scale behind', { lines: [turned, ['MatMul', 'q kT', 's0'], ['Mul', 's0 eighth', 's'], softmax, mix], scale: root }),
  fixture('MatMul, scale split over q and k', { lines: [['Mul', 'q root', 'q2'], turned, ['Mul', 'kT root', 'k2'], ['MatMul', 'q2 k2', 's'], softmax, mix], scale: root }),
  fixture('MatMul, k scaled before it is turned', { lines: [['Mul', 'q root', 'q2'], ['Mul', 'k root', 'k2'], ['Transpose', 'k2', 'kT', { perm: [0, 1, 3, 2] }], ['MatMul', 'q2 kT', 's'], softmax, mix], scale: root }),
  fixture('MatMul, scale split in three', { lines: [['Div', 'q divisor', 'q2'], turned, ['Mul', 'kT half', 'k2'], ['MatMul', 'q2 k2', 's0'], ['Mul', 's0 half', 's'], softmax, mix], scale: root / 4 }),
  fixture('FusedMatMul, transB and alpha', { lines: [['FusedMatMul', 'q k', 's', { transB: 1, ...alpha(0.25) }, fused], softmax, mix], scale: 0.25 }),
  fixture('FusedMatMul, alpha on a turned k', { lines: [turned, ['FusedMatMul', 'q kT', 's', alpha(0.25), fused], softmax, mix], scale: 0.25 }),
  fixture('FusedMatMul, alpha, a scale on q, a bias', { lines: [['Mul', 'q half', 'q2'], ['FusedMatMul', 'q2 k', 's0', { transB: 1, ...alpha(0.5) }, fused], ['Add', 's0 bias', 's'], softmax, mix], scale: 0.25, bias: true }),
  fixture('FusedMatMul, transA: q comes turned', { lines: [['Transpose', 'q', 'qT', { perm: [0, 1, 3, 2] }], ['FusedMatMul', 'qT k', 's', { transA: 1, transB: 1, ...alpha(0.25) }, fused], softmax, mix], scale: 0.25 }),
  fixture('FusedMatMul for the mix, v comes turned', { lines: [['FusedMatMul', 'q k', 's', { transB: 1, ...alpha(0.25) }, fused], softmax, ['Transpose', 'v', 'vT', { perm: [0, 1, 3, 2] }], ['FusedMatMul', 'probs vT', 'o', { transB: 1 }, fused]], scale: 0.25 }),
  fixture('FusedMatMul, heads behind positions', { behind: true, lines: [['Transpose', 'q', 'qh', { perm: [0, 2, 1, 3] }], ['Transpose', 'k', 'kh', { perm: [0, 2, 1, 3] }], ['FusedMatMul', 'qh kh', 's', { transB: 1, ...alpha(0.25) }, fused], softmax, ['Transpose', 'v', 'vh', { perm: [0, 2, 1, 3] }], ['MatMul', 'probs vh', 'oh'], ['Transpose', 'oh', 'o', { perm: [0, 2, 1, 3] }]], scale: 0.25 }),
  fixture('Einsum, heads before positions', { lines: [['Einsum', 'q k', 's0', { equation: 'bhid,bhjd->bhij' }], ['Mul', 's0 eighth', 's'], softmax, ['Einsum', 'probs v', 'o', { equation: 'bhij,bhjd->bhid' }]], scale: root }),
  fixture('Einsum, heads behind positions', { behind: true, lines: [['Einsum', 'q k', 's0', { equation: 'b i h d, b j h d -> b h i j' }], ['Mul', 's0 eighth', 's'], softmax, ['Einsum', 'probs v', 'o', { equation: 'b h i j, b j h d -> b i h d' }]], scale: root }),
  fixture('Einsum, k and v named first', { lines: [['Einsum', 'k q', 's0', { equation: 'bhjd,bhid->bhij' }], ['Mul', 's0 eighth', 's'], softmax, ['Einsum', 'v probs', 'o', { equation: 'bhjd,bhij->bhid' }]], scale: root }),
  fixture('Einsum, one key/value head without an axis of its own', { kvHeads: 1, initializers: [tensorOf('one', [1], [1], dataType.int64)], lines: [['Squeeze', 'k one', 'k1'], ['Squeeze', 'v one', 'v1'], ['Einsum', 'q k1', 's0', { equation: 'bhid,bjd->bhij' }], ['Mul', 's0 eighth', 's'], softmax, ['Einsum', 'probs v1', 'o', { equation: 'bhij,bjd->bhid' }]], scale: root }),
  fixture('softcap, then a bias', { lines: [turned, ['MatMul', 'q kT', 's0'], ['Div', 's0 cap', 's1'], ['Tanh', 's1', 's2'], ['Mul', 's2 cap', 's3'], ['Add', 's3 bias', 's'], softmax, mix], scale: 1, softcap: 3, bias: true }),
  // float16: operands are exact; scores of up to 8, probabilities and outputs are rounded to 11 bits.
  fixture('float16 throughout', { lines: [...half3, half('eighth'), ['Mul', 's0 eighth16', 's'], ['Softmax', 's', 'p', { axis: -1 }], ['MatMul', 'p v16', 'o16'], single('p', 'probs'), single('o16', 'o')], scale: root, tolerance: 4e-3 }),
  fixture('float16, softmax in float32', { lines: [...half3, single('s0', 's1'), ['Mul', 's1 eighth', 's'], softmax, half('probs'), ['MatMul', 'probs16 v16', 'o16'], single('o16', 'o')], scale: root, tolerance: 4e-3 }),
];
