/** Forms of onnxruntime's grouped attention operators that are refused. */
import { dataType, type NewNode } from '../../../../extension/engine/onnx/model.ts';
import { oneNode, type RefusedModel } from './refused-model.ts';

const int = dataType.int32, q = [1, 2, 32], kv = [1, 2, 16], past = [1, 2, 'P', 8], none = undefined, float = dataType.float;
/** Inputs from key_past on, by place. */
function grouped(form: string, rest: Readonly<Record<number, readonly (number | string)[]>>, attributes: NewNode['attributes'] = {}, outputs = 3): RefusedModel {
  const inputs = Array.from({ length: 16 }, (_, i) => (i === 0 ? q : i < 3 ? kv : i === 5 ? [1] : i === 6 ? [1] : rest[i] ?? none));
  return { operator: 'com.microsoft.GroupQueryAttention', form, model: oneNode('com.microsoft.GroupQueryAttention', inputs, { num_heads: 4, kv_num_heads: 2, ...attributes }, outputs, inputs.map((_, i) => (i === 5 || i === 6 ? int : float))) };
}

export const refused: readonly RefusedModel[] = [
  grouped('a quantized cache', { 3: past, 4: past, 12: [1], 13: [1] }, { k_quant_type: 'PER_TENSOR', v_quant_type: 'PER_TENSOR', kv_cache_bit_width: 8 }),
  grouped('a cache of its window only', { 3: past, 4: past }, { sliding_window_cache: 1, local_window_size: 8 }),
  grouped('norms inside', { 14: [8], 15: [8] }),
  grouped('a past without present outputs', { 3: past, 4: past }, {}, 1),
  grouped('cosines of unknown width', { 7: ['M', 'W'], 8: ['M', 'W'] }, { do_rotary: 1 }),
];
