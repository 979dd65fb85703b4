/** Shapes that onnxruntime's own operators make, where these are not those of ai.onnx: a file from its optimizer says no shape of what it fused. */
import type { FoldContext } from './fold.ts';
import type { Node } from './model.ts';
import type { Dims } from './shapes.ts';

type Many = (node: Node, dims: (input: number) => Dims | undefined) => readonly (Dims | undefined)[];

/** Shapes of the outputs of a node of com.microsoft; undefined where this file does not know the operator. */
export function inferMicrosoft(node: Node, context: FoldContext): readonly (Dims | undefined)[] | undefined {
  return Object.hasOwn(rules, node.op) ? rules[node.op](node, input => (node.inputs[input] ? context.dims(node.inputs[input]) : undefined)) : undefined;
}

const int = (node: Node, name: string): number | undefined => node.attributes.get(name)?.i;
/** A whole part of a size. */
const part = (size: number | undefined, by: number | undefined, times = 1): number | undefined => (size !== undefined && by !== undefined && by > 0 && Number.isInteger(size / by) ? (size / by) * times : undefined);
const product = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined || b === undefined ? undefined : a * b);

/** Hidden states and merged weights: [batch, query, value width], and the present [2, batch, head, key, dim]. */
const merged: Many = (node, dims) => {
  const input = dims(0), heads = int(node, 'num_heads'), widths = node.attributes.get('qkv_hidden_sizes')?.ints, third = part(dims(1)?.[1] ?? dims(2)?.[0], 3), value = widths?.[2] ?? third;
  return [[input?.[0], input?.[1], value], [2, input?.[0], heads, undefined, part(widths?.[1] ?? third, heads)]];
};

/** q, k, v apart: [batch, query, value width], the present keys and values [batch, head, key, dim], the scores [batch, head, query, key]. */
const separate: Many = (node, dims) => {
  const query = dims(0), key = dims(1), value = dims(2), heads = int(node, 'num_heads');
  const dim = key?.length === 4 ? key[3] : part(key?.[2], heads), valueDim = value?.length === 4 ? value[3] : part(value?.[2], heads);
  if (query?.length !== 3 || !value) return [[query?.[0], query?.[1], undefined]];
  return [[query[0], query[1], product(heads, valueDim)], [query[0], heads, undefined, dim], [query[0], heads, undefined, valueDim], [query[0], heads, query[1], undefined]];
};

/** Grouped heads, apart or packed: as wide as the queries; the present keys and values [batch, key/value head, key, dim], the scores [batch, head, query, key]. */
const grouped: Many = (node, dims) => {
  const query = dims(0), heads = int(node, 'num_heads'), kvHeads = int(node, 'kv_num_heads'), packed = heads !== undefined && kvHeads !== undefined ? heads + 2 * kvHeads : undefined;
  const dim = part(query?.[2], node.inputs[1] ? heads : packed), present = [query?.[0], kvHeads, undefined, int(node, 'kv_cache_bit_width') === 4 ? undefined : dim];
  return [[query?.[0], query?.[1], product(heads, dim)], present, present, [query?.[0], heads, query?.[1], undefined]];
};

/** Ids [batch, position] to states; lengths of the samples; the sum before the norm. */
const embed: Many = (_, dims) => { const ids = dims(0), states = [ids?.[0], ids?.[1], dims(2)?.[1]]; return [states, [ids?.[0]], states]; };

/** The sum that was normalised comes out as the fourth. */
const skipNorm: Many = (_, dims) => [dims(0), undefined, undefined, dims(0)];

const product2: Many = (_, dims) => { const a = dims(0), b = dims(1); return [a && b?.length === 2 ? [...a.slice(0, -1), b[1]] : undefined]; };

const rules: Readonly<Record<string, Many>> = {
  Attention: merged, QAttention: merged, MultiHeadAttention: separate, DecoderMaskedMultiHeadAttention: separate, GroupQueryAttention: grouped, SparseAttention: grouped,
  SkipLayerNormalization: skipNorm, SkipSimplifiedLayerNormalization: skipNorm,
  EmbedLayerNormalization: embed, QEmbedLayerNormalization: embed,
  DynamicQuantizeMatMul: product2, MatMulIntegerToFloat: product2,
};
