/** com.microsoft DecoderMaskedMultiHeadAttention: one query against a past whose buffer it shares, or against the keys of an encoder. */
import type { RefusedSite } from '../../../contract/site.ts';
import type { GraphView, Node } from '../../onnx/model.ts';
import { refuseRankless, separateAttention } from '../lowering/separate-heads.ts';
import { cudaOnly } from '../lowering/refusals.ts';
import type { Pattern } from '../site-plan.ts';
import { attributeInt } from '../walk.ts';

const operator = 'com.microsoft.DecoderMaskedMultiHeadAttention';

export const msDecoderMaskedAttention: Pattern = {
  id: 'ms-decoder-masked-attention',
  title: 'DecoderMaskedMultiHeadAttention operator of onnxruntime',
  match(node, view) {
    if (node.op !== 'DecoderMaskedMultiHeadAttention' || node.domain !== 'com.microsoft') return undefined;
    const reason = refusal(node, view);
    if (reason !== undefined) return { node: node.name, operator, reason } satisfies RefusedSite;
    const [query, key, value, mask, attentionBias, pastKey, , length, , indirection, bias] = node.inputs;
    return separateAttention(node, view, { query, key, value, bias, mask, attentionBias, pastKey, length, indirection, causal: false });
  },
};

function refusal(node: Node, view: GraphView): string | undefined {
  const [, key, value, mask, , pastKey, pastValue, length] = node.inputs, [, presentKey, presentValue] = node.outputs;
  if (!key || !value) return cudaOnly(operator, 'q, k and v packed into one input');
  if (pastKey && (!attributeInt(node, 'past_present_share_buffer', 0) || !length)) return cudaOnly(operator, 'a past and a present in buffers of their own');
  if (pastKey && !(pastValue && presentKey && presentValue)) return 'It has a past, but does not hand its present keys and values on, so that they cannot be read; export the model with its present as outputs.';
  return refuseRankless(view, mask);
}
