/** com.microsoft MultiHeadAttention: q, k, v of three axes, or k and v of four; biases on them inside; masks, a past, a bias on the scores. */
import type { RefusedSite } from '../../../contract/site.ts';
import type { GraphView, Node } from '../../onnx/model.ts';
import { refuseRankless, separateAttention } from '../lowering/separate-heads.ts';
import type { Pattern } from '../site-plan.ts';
import { cudaOnly, unfused } from '../lowering/refusals.ts';
import { attributeInt } from '../walk.ts';

const operator = 'com.microsoft.MultiHeadAttention';

export const msMultiHeadAttention: Pattern = {
  id: 'ms-multi-head-attention',
  title: 'MultiHeadAttention operator of onnxruntime',
  match(node, view) {
    if (node.op !== 'MultiHeadAttention' || node.domain !== 'com.microsoft') return undefined;
    const reason = refusal(node, view);
    if (reason !== undefined) return { node: node.name, operator, reason } satisfies RefusedSite;
    const [query, key, value, bias, mask, attentionBias, pastKey, , length, indirection] = node.inputs;
    return separateAttention(node, view, { query, key, value, bias, mask, attentionBias, pastKey, length, indirection, causal: attributeInt(node, 'unidirectional', 0) === 1 });
  },
};

function refusal(node: Node, view: GraphView): string | undefined {
  const [query, key, value, , mask, , pastKey, pastValue] = node.inputs, [, presentKey, presentValue] = node.outputs;
  const queryDims = view.dims(query), keyDims = view.dims(key ?? '');
  if (!key || queryDims?.length === 5) return cudaOnly(operator, 'q, k and v packed into one input');
  if (!value || keyDims?.length === 5) return cudaOnly(operator, 'k and v packed into one input');
  if (pastKey && !(pastValue && presentKey && presentValue)) return `It has a past and does not hand its present keys and values on, and onnxruntime then leaves the past out on the CPU; export the model with its present as outputs.`;
  const other = keyDims?.length === 4 || (queryDims?.[1] !== undefined && keyDims?.[1] !== undefined && queryDims[1] !== keyDims[1]);
  if (attributeInt(node, 'unidirectional', 0) === 1 && other && !pastKey) return `It is unidirectional over keys that are not its queries' own, where onnxruntime lets the last query see every key; ${unfused}`;
  return refuseRankless(view, mask);
}
