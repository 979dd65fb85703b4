/** com.microsoft DecoderMaskedMultiHeadAttention: one query against a past whose buffer it shares, or against the keys of an encoder. */
import type { Node } from '../../onnx/model.ts';
import { cudaOnly, noRank } from '../lowering/refusals.ts';
import { noHeads, separateAttention } from '../lowering/separate-heads.ts';
import type { Pattern } from '../site-plan.ts';
import { attributeInt } from '../walk.ts';

const operator = 'com.microsoft.DecoderMaskedMultiHeadAttention';

const refusals = {
  packed: cudaOnly(operator, 'q, k and v packed into one input'),
  apart: cudaOnly(operator, 'a past and a present in buffers of their own'),
  present: 'It has a past, but does not hand its present keys and values on, so that they cannot be read; export the model with its present as outputs.',
} as const;

export const msDecoderMaskedAttention: Pattern = {
  id: 'ms-decoder-masked-attention',
  title: 'DecoderMaskedMultiHeadAttention operator of onnxruntime',
  operators: [{
    operator,
    recognised: 'q with its bias; of the buffer that past and present share, the positions that are real, of the beams that they were made by; keys and values of an encoder; mask_index as cells of keys, attention_bias, scale, mask_filter_value',
    run: 'onnxruntime, CPU, float32',
    compared: 'its own output and its own scores, and a float64 twin',
    refused: [{ form: 'packed q, k and v', sentence: refusals.packed }, { form: 'buffers of their own', sentence: refusals.apart }, { form: 'a past without present outputs', sentence: refusals.present }, { form: 'heads of unknown size', sentence: noHeads }, { form: 'a mask of unknown rank', sentence: noRank }],
  }],
  match(node, view) {
    if (node.op !== 'DecoderMaskedMultiHeadAttention' || node.domain !== 'com.microsoft') return undefined;
    const reason = refusal(node);
    if (reason !== undefined) return { node: node.name, operator, reason };
    const [query, key, value, mask, attentionBias, pastKey, , length, , indirection, bias] = node.inputs;
    return separateAttention(node, view, { query, key, value, bias, mask, attentionBias, pastKey, length, indirection, causal: false });
  },
};

function refusal(node: Node): string | undefined {
  const [, key, value, , , pastKey, pastValue, length] = node.inputs, [, presentKey, presentValue] = node.outputs;
  if (!key || !value) return refusals.packed;
  if (pastKey && (!attributeInt(node, 'past_present_share_buffer', 0) || !length)) return refusals.apart;
  return pastKey && !(pastValue && presentKey && presentValue) ? refusals.present : undefined;
}
