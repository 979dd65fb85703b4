/** com.microsoft Attention: hidden states and the merged weights of q, k and v go in; masks of all kinds, a past, a bias on the scores. */
import { mergedAttention } from '../lowering/merged-projection.ts';
import type { Pattern } from '../site-plan.ts';

const noBias = 'onnxruntime 1.30 crashes on the CPU where com.microsoft.Attention has no bias; give it one of zeros, or export the model without fusing attention to trace it.';

export const msAttention: Pattern = {
  id: 'ms-attention',
  title: 'Attention operator of onnxruntime',
  match(node, view) {
    if (node.op !== 'Attention' || node.domain !== 'com.microsoft') return undefined;
    const [input, weights, bias, mask, past, attentionBias] = node.inputs;
    if (!bias) return { node: node.name, operator: 'com.microsoft.Attention', reason: noBias };
    return mergedAttention(node, view, { input, weights, bias, mask, past, attentionBias }, graph => graph.node('Add', [graph.node('MatMul', [input, weights]), bias]));
  },
};
