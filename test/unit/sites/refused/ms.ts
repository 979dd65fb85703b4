/** Forms of onnxruntime's operators that are refused. */
import { dataType } from '../../../../extension/engine/onnx/model.ts';
import { oneNode, type RefusedModel } from './refused-model.ts';

const { float, int32, uint8 } = dataType;
type Dims = readonly (number | string)[] | undefined;

const hidden = [2, 'S', 8], weights = [8, 24], bias = [24], one = [1], past = [2, 2, 2, 'P', 4], square = [2, 1, 16, 16];
const states = [2, 'S', 8], heads = [2, 2, 'P', 4], buffers = { past_present_share_buffer: 1 };
/** A value whose rank no one says: of an operator that is not known. */
const rankless = (model: ReturnType<typeof oneNode>, input: string): RefusedModel['model'] => ({
  ...model, inputs: model.inputs.map(each => (each.name === input ? { ...each, name: 'hint' } : each)), nodes: [{ op: 'Unknown', domain: 'com.microsoft', name: 'made', inputs: ['hint'], outputs: [input] }, ...model.nodes],
});

function merged(operator: string, inputs: (mask: Dims, past: Dims) => readonly Dims[], types: readonly number[], mask: string): RefusedModel[] {
  const model = (more: readonly [Dims, Dims], attributes: Record<string, number> = {}, outputs = 1) => oneNode(operator, inputs(...more), { num_heads: 2, ...attributes }, outputs, types);
  return [
    { operator, form: 'weights of unknown size', model: oneNode(operator, inputs(undefined, undefined).map((dims, i) => (i === 1 || i === 2 ? ['A', 'B'].slice(2 - dims!.length) : dims)), { num_heads: 2 }, 1, types) },
    { operator, form: 'a past without a present', model: model([undefined, past]) },
    { operator, form: 'a mask of unknown rank', model: rankless(model([[2], undefined]), mask) },
    { operator, form: 'a rotary embedding inside', model: model([undefined, undefined], { do_rotary: 1 }) },
    { operator, form: 'a past and a present that share a buffer', model: model([undefined, past], buffers, 2) },
    { operator, form: 'a mask of four axes', model: model([square, undefined]) },
  ];
}

const multiHead = 'com.microsoft.MultiHeadAttention', decoder = 'com.microsoft.DecoderMaskedMultiHeadAttention', mha = (inputs: readonly Dims[], outputs = 1, attributes: Record<string, number> = {}) => oneNode(multiHead, inputs, { num_heads: 2, ...attributes }, outputs, [float, float, float, float, int32, float, float, float, int32]);
const masked = (inputs: readonly Dims[], outputs = 1, attributes: Record<string, number> = {}) => oneNode(decoder, inputs, { num_heads: 2, ...attributes }, outputs, [float, float, float, int32, float, float, float, int32]), token = [2, 1, 8];

export const refused: readonly RefusedModel[] = [
  ...merged('com.microsoft.Attention', (mask, kept) => [hidden, weights, bias, mask, kept], [float, float, float, int32], 'i3'),
  { operator: 'com.microsoft.Attention', form: 'no bias', model: oneNode('com.microsoft.Attention', [hidden, weights], { num_heads: 2 }) },
  { operator: 'com.microsoft.Attention', form: 'a past and attention_bias', model: oneNode('com.microsoft.Attention', [hidden, weights, bias, undefined, past, [2, 2, 'S', 'T']], { num_heads: 2 }, 2) },
  ...merged('com.microsoft.QAttention', (mask, kept) => [hidden, weights, bias, one, one, mask, one, one, kept], [uint8, uint8, float, float, float, int32, uint8, uint8], 'i5'),
  { operator: multiHead, form: 'packed q, k and v', model: mha([[2, 'S', 2, 3, 4]]) },
  { operator: multiHead, form: 'packed k and v', model: mha([states, [2, 'S', 2, 2, 4]]) },
  { operator: multiHead, form: 'a past without present outputs', model: mha([states, states, states, undefined, undefined, undefined, heads, heads]) },
  { operator: multiHead, form: 'a shared buffer without beams', model: mha([states, states, states, undefined, undefined, undefined, heads, heads, one], 3) },
  { operator: multiHead, form: 'unidirectional over other keys', model: mha([states, heads, heads], 1, { unidirectional: 1 }) },
  { operator: multiHead, form: 'unidirectional over other keys', model: mha([[2, 4, 8], [2, 6, 8], [2, 6, 8]], 1, { unidirectional: 1 }) },
  { operator: multiHead, form: 'heads of unknown size', model: mha([[2, 'S', 'W'], [2, 'S', 'W'], [2, 'S', 'W']]) },
  { operator: multiHead, form: 'a mask of unknown rank', model: rankless(mha([states, states, states, undefined, [2]]), 'i4') },
  { operator: decoder, form: 'packed q, k and v', model: masked([[2, 1, 24], undefined, undefined, undefined, undefined, heads, heads, one], 3, buffers) },
  { operator: decoder, form: 'buffers of their own', model: masked([token, token, token, undefined, undefined, heads, heads], 3) },
  { operator: decoder, form: 'a past without present outputs', model: masked([token, token, token, undefined, undefined, heads, heads, one], 1, buffers) },
  { operator: decoder, form: 'heads of unknown size', model: masked([[2, 1, 'W'], [2, 1, 'W'], [2, 1, 'W']]) },
  { operator: decoder, form: 'a mask of unknown rank', model: rankless(masked([token, token, token, [2, 1]]), 'i3') },
];
