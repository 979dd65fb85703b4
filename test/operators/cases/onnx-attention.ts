/** ai.onnx Attention in all forms that onnxruntime 1.30 runs: layouts, heads, masks, causal rules, past, lengths, softcap, precision, each qk_matmul_output mode. */
import type { Site } from '../../../extension/contract/site.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewAttribute, type NewNode } from '../../../extension/engine/onnx/model.ts';
import { count, fill4, floats, ints, operatorModel, seeded, type Fed, type Fixture } from '../fixture.ts';

interface Form {
  readonly heads?: number; readonly kvHeads?: number; readonly queries?: number; readonly keys?: number; readonly past?: number; readonly dim?: number; readonly valueDim?: number;
  readonly rank?: 3 | 4;
  readonly mask?: Fed;
  readonly lengths?: readonly number[];
  readonly causal?: boolean;
  readonly softcap?: number;
  readonly attributes?: Readonly<Record<string, NewAttribute>>;
  /** Of qk_matmul_output. */
  readonly mode?: 0 | 1 | 2 | 3;
  /** Sizes of the inputs are left open, as dynamo leaves them. */
  readonly open?: boolean;
  readonly half?: boolean;
  readonly opset?: number;
  readonly site?: Partial<Site>;
  readonly traced?: Partial<Site>;
}

const B = 2;

/** The twin is the operator's definition, and where texts differ, what onnxruntime 1.30 computes (causal offsets above all). */
function fixture(title: string, form: Form): Fixture {
  const { heads: H = 4, kvHeads: G = H, queries: S = 6, keys: L = 6, past: P = 0, dim: D = 8, valueDim: Dv = D, rank = 4, mask, lengths, causal = false, softcap = 0, mode = 3, half = false, opset = 24 } = form;
  const random = seeded(title.length * 7919 + S), type = half ? dataType.float16 : dataType.float, T = lengths ? Math.max(...lengths) : P + L;
  const shape = (h: number, s: number, d: number): number[] => (rank === 4 ? [B, h, s, d] : [B, s, h * d]);
  // Multiples of 1/64 are the same in float16.
  const fed = (name: string, dims: readonly number[], spread: number): Fed => ({ ...floats(name, dims, () => Math.round(random() * 128) / 128, spread), type });
  const q = fed('q', shape(H, S, D), 2), k = fed('k', shape(G, L, D), 2), v = fed('v', shape(G, L, Dv), 1), pastK = P ? fed('past_key', [B, G, P, D], 2) : undefined, pastV = P ? fed('past_value', [B, G, P, Dv], 1) : undefined;
  const at = (of: Fed, h: number, s: number, size: number) => (b: number, i: number, head: number, d: number): number => of.data[rank === 4 ? ((b * h + head) * s + i) * size + d : ((b * s + i) * h + head) * size + d];
  const joined = (of: Fed, past: Fed | undefined, size: number) => fill4([B, T, G, size], (b, j, h, d) => (j < P ? past!.data[((b * G + h) * P + j) * size + d] : at(of, G, L, size)(b, j - P, h, d)));
  const cell = mask && cellOf(mask), boolean = mask?.type === dataType.bool, hides = (b: number, h: number, i: number, j: number): boolean => cell !== undefined && (boolean ? cell(b, h, i, j) === 0 : cell(b, h, i, j) <= -1e4);
  const scale = (form.attributes?.scale as { readonly float: number } | undefined)?.float ?? 1 / Math.sqrt(D);
  const built = operatorModel({
    op: 'Attention', name: '/layers.0/self_attn/Attention', inputs: [q, k, v, mask, pastK, pastV, lengths && ints('lengths', [B], lengths, dataType.int64)], outputs: ['y', P ? 'present_key' : '', P ? 'present_value' : '', 'qk'], opset: { '': opset },
    attributes: { qk_matmul_output_mode: mode, ...(causal ? { is_causal: 1 } : {}), ...(softcap ? { softcap: { float: softcap } } : {}), ...(rank === 3 ? { q_num_heads: H, kv_num_heads: G } : {}), ...form.attributes },
  });
  // Outputs leave the model as float32, with heads behind positions, and without what lies behind the longest sample.
  const nodes: NewNode[] = [{ ...built.model.nodes[0], outputs: ['own.y', P ? 'present_key' : '', P ? 'present_value' : '', 'own.qk'] }];
  const then = (op: string, inputs: readonly string[], output: string, attributes?: NewNode['attributes']): void => { nodes.push({ op, name: output, inputs, outputs: [output], attributes }); };
  then('Cast', ['own.y'], 'y32', { to: dataType.float });
  then(rank === 4 ? 'Transpose' : 'Identity', ['y32'], 'y', rank === 4 ? { perm: [0, 2, 1, 3] } : {});
  then('Cast', ['own.qk'], 'qk32', { to: dataType.float });
  then('Slice', ['qk32', 'zero', 'seen', 'three'], 'qk');
  return {
    name: `ai.onnx.Attention: ${title}`, inputs: built.inputs, output: 'y', scores: { output: 'qk', of: mode === 3 ? 'prob' : 'score' },
    model: { ...built.model, nodes, initializers: [['zero', 0], ['seen', T], ['three', 3]].map(([name, value]) => tensorOf(String(name), [1], [Number(value)], dataType.int64)), inputs: form.open ? built.model.inputs.map(input => ({ ...input, dims: input.dims?.map((_, i) => `${input.name}${i}`) })) : built.model.inputs, outputs: built.model.outputs.map(output => (output.name.startsWith('present') ? { ...output, type } : output)) },
    twin: {
      batch: B, heads: H, kvHeads: G, queries: S, keys: T, dim: D, valueDim: Dv, scale, softcap, q: fill4([B, S, H, D], at(q, H, S, D)), k: joined(k, pastK, D), v: joined(v, pastV, Dv),
      sees: (b, h, i, j) => (!causal || j <= i + (lengths ? lengths[b] - S : P)) && (!lengths || j < lengths[b]) && !hides(b, h, i, j), ...(cell && !boolean ? { bias: cell } : {}),
    },
    site: { name: 'blocks.0.attn', operator: 'Attention', ...form.site }, ...(form.traced ? { traced: form.traced } : {}),
    // float16: operands are exact; scores of up to 8, probabilities and outputs are rounded to 11 bits.
    ...(half ? { tolerance: 4e-3 } : {}),
  };
}

/** A mask of two to four axes, read where it is broadcast. */
function cellOf({ dims, data }: Fed): (...place: readonly [b: number, h: number, i: number, j: number]) => number {
  const four = [...Array<number>(4 - dims.length).fill(1), ...dims];
  return (...place) => data[place.reduce((index, at, axis) => index * four[axis] + (four[axis] === 1 ? 0 : at), 0)];
}

const causal = true, random = seeded(5);
/** Hides a third of the cells. */
const booleans = (dims: readonly number[], sees: (n: number) => boolean = n => n % 3 !== 1): Fed => ({ name: 'mask', dims, type: dataType.bool, data: Array.from({ length: count(dims) }, (_, n) => Number(sees(n))) });
/** A bias, and every fifth cell hidden unless `hidden` is undefined. */
const biases = (dims: readonly number[], hidden: number | undefined = -Infinity, type: number = dataType.float): Fed => ({ name: 'bias', dims, type, data: Float32Array.from({ length: count(dims) }, (_, n) => { const bias = Math.round(random() * 128) / 64 - 1; return hidden !== undefined && n % 5 === 2 ? hidden : bias; }) });
const plain = { causal: true, window: null, padding: false, additive: false } as const;

export const fixtures: readonly Fixture[] = [
  fixture('four axes', { site: { mask: { ...plain, causal: false } } }),
  fixture('four axes, sizes open', { open: true }),
  fixture('three axes', { rank: 3, causal, site: { mask: plain } }),
  fixture('three axes, sizes open', { rank: 3, open: true, causal }),
  fixture('grouped heads, four axes', { kvHeads: 2, causal }),
  fixture('grouped heads, three axes, narrow values', { kvHeads: 2, rank: 3, valueDim: 5, causal }),
  fixture('one key/value head, wide values', { kvHeads: 1, valueDim: 12 }),
  fixture('opset 23', { opset: 23, causal }),
  ...[24, 23].map(opset => fixture(`softcap before the mask, opset ${opset}`, { opset, softcap: 1.5, mask: biases([6, 6]), site: { softcap: 1.5 } })),
  fixture('scale', { attributes: { scale: { float: 0.75 } }, causal, site: { scale: 0.75 } }),
  fixture('scores of mode 0', { mode: 0, attributes: { scale: { float: 0.375 } }, causal }),
  fixture('scores of mode 1: behind the softcap', { mode: 1, softcap: 2, causal }),
  fixture('scores of mode 2: with the mask', { mode: 2, kvHeads: 2, softcap: 2, causal, mask: biases([2, 1, 6, 6], undefined), traced: { mask: { ...plain, additive: true } } }),
  ...[[6, 6], [1, 6, 6], [4, 6, 6], [1, 1, 6, 6], [2, 1, 6, 6], [1, 4, 6, 6], [2, 4, 6, 6]].flatMap(dims => [fixture(`boolean mask [${dims.join(', ')}]`, { mask: booleans(dims) }), fixture(`float mask [${dims.join(', ')}]`, { mask: biases(dims) })]),
  fixture('boolean mask and causal, grouped heads', { kvHeads: 2, mask: booleans([2, 1, 6, 6]), causal }),
  fixture('rows that see no key', { mask: booleans([6, 6], n => n >= 12) }),
  fixture('a mask of the lowest number', { mask: biases([6, 6], -3.4028234663852886e38) }),
  fixture('more keys than queries, causal from the first key', { queries: 4, keys: 7, causal }),
  fixture('more queries than keys', { queries: 7, keys: 4 }),
  fixture('past, causal', { past: 3, causal, site: { mask: plain } }),
  fixture('past, three axes, grouped heads, sizes open', { past: 3, rank: 3, kvHeads: 2, open: true, causal }),
  fixture('past and one new token', { past: 5, queries: 1, keys: 1, causal }),
  fixture('past, causal, more new keys than queries', { past: 2, queries: 3, keys: 5, causal }),
  fixture('past, causal, boolean mask', { past: 3, mask: booleans([6, 9]), causal }),
  fixture('past, not causal, float mask', { past: 3, mask: biases([2, 1, 6, 9]) }),
  fixture('lengths of a cache', { queries: 3, keys: 9, lengths: [7, 7] }),
  fixture('lengths of a cache, uneven', { queries: 3, keys: 9, lengths: [7, 4], site: { mask: { causal: false, window: null, padding: true, additive: false } } }),
  fixture('lengths of a cache, causal', { queries: 3, keys: 9, lengths: [7, 7], causal, site: { mask: { ...plain, padding: true } } }),
  fixture('lengths of a cache, causal, uneven', { queries: 3, keys: 9, lengths: [4, 8], causal, site: { mask: { ...plain, padding: true } } }),
  fixture('lengths of a cache, causal, shorter than the queries', { queries: 5, keys: 9, lengths: [3, 6], causal }),
  fixture('lengths of a cache, one token, grouped heads, three axes', { queries: 1, keys: 9, rank: 3, kvHeads: 2, lengths: [9, 2], causal, open: true }),
  fixture('lengths of a cache, boolean mask', { queries: 3, keys: 9, lengths: [8, 5], mask: booleans([2, 1, 3, 9]), causal }),
  fixture('float16', { half: true, causal }),
  fixture('float16, softmax in float32, mask', { half: true, attributes: { softmax_precision: 1 }, mask: biases([6, 6], -65504, dataType.float16) }),
];
