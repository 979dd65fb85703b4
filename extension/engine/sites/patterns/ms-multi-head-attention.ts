/** com.microsoft MultiHeadAttention: q, k, v of three axes, or k and v of four; biases on them inside; masks, a past, a bias on the scores. */
import type { GraphView, Node } from '../../onnx/model.ts';
import { cudaOnly, noRank, unfused } from '../lowering/refusals.ts';
import { noHeads, separateAttention } from '../lowering/separate-heads.ts';
import type { Pattern } from '../site-plan.ts';
import { attributeInt } from '../walk.ts';

const operator = 'com.microsoft.MultiHeadAttention';

const refusals = {
  qkv: cudaOnly(operator, 'q, k and v packed into one input'),
  kv: cudaOnly(operator, 'k and v packed into one input'),
  present: 'It has a past and does not hand its present keys and values on, and onnxruntime then leaves the past out on the CPU; export the model with its present as outputs.',
  shared: 'Its past lies in a buffer that its present shares, which onnxruntime 1.30 reads wrongly on the CPU where there is no cache_indirection; export the model with a past of its own.',
  cross: `It is unidirectional over keys that are not its queries' own, where onnxruntime lets the last query see every key; ${unfused}`,
} as const;

export const msMultiHeadAttention: Pattern = {
  id: 'ms-multi-head-attention',
  title: 'MultiHeadAttention operator of onnxruntime',
  operators: [{
    operator,
    recognised: 'q, k, v with their biases, keys and values of an encoder with three or four axes, heads that were repeated before; key_padding_mask as lengths, cells of keys, cells of queries and keys; attention_bias, unidirectional, scale, mask_filter_value; with a past, the present keys and values, of the beams that they were made by',
    run: 'onnxruntime, CPU, float32',
    compared: 'its own output and its own scores, and a float64 twin',
    refused: [
      { form: 'packed q, k and v', sentence: refusals.qkv }, { form: 'packed k and v', sentence: refusals.kv }, { form: 'a past without present outputs', sentence: refusals.present }, { form: 'a shared buffer without beams', sentence: refusals.shared },
      { form: 'unidirectional over other keys', sentence: refusals.cross }, { form: 'heads of unknown size', sentence: noHeads }, { form: 'a mask of unknown rank', sentence: noRank },
    ],
  }],
  match(node, view) {
    if (node.op !== 'MultiHeadAttention' || node.domain !== 'com.microsoft') return undefined;
    const reason = refusal(node, view);
    if (reason !== undefined) return { node: node.name, operator, reason };
    const [query, key, value, bias, mask, attentionBias, pastKey, , length, indirection] = node.inputs;
    return separateAttention(node, view, { query, key, value, bias, mask, attentionBias, pastKey, length, indirection, causal: attributeInt(node, 'unidirectional', 0) === 1 });
  },
};

function refusal(node: Node, view: GraphView): string | undefined {
  const [query, key, value, , , , pastKey, pastValue, length, indirection] = node.inputs, [, presentKey, presentValue] = node.outputs;
  const queryDims = view.dims(query), keyDims = view.dims(key ?? '');
  if (!key || queryDims?.length === 5) return refusals.qkv;
  if (!value || keyDims?.length === 5) return refusals.kv;
  if (pastKey && !(pastValue && presentKey && presentValue)) return refusals.present;
  if (pastKey && length && !indirection) return refusals.shared;
  const other = keyDims?.length === 4 || (queryDims?.[1] !== undefined && keyDims?.[1] !== undefined && queryDims[1] !== keyDims[1]);
  return attributeInt(node, 'unidirectional', 0) === 1 && other && !pastKey ? refusals.cross : undefined;
}
