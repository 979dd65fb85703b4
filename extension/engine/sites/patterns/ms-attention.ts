/** com.microsoft Attention: hidden states and the merged weights of q, k and v go in; masks of all kinds, a past, a bias on the scores. */
import { dataType } from '../../onnx/model.ts';
import { mergedAttention, mergedRefusals, pastAndBias } from '../lowering/merged-projection.ts';
import type { Pattern } from '../site-plan.ts';

const operator = 'com.microsoft.Attention';

const noBias = 'onnxruntime 1.30 crashes on the CPU where com.microsoft.Attention has no bias; give it one of zeros, or export the model without fusing attention to trace it.';

export const msAttention: Pattern = {
  id: 'ms-attention',
  title: 'Attention operator of onnxruntime',
  operators: [{
    operator,
    recognised: 'hidden states times merged weights plus biases, written out again, and cut by num_heads or qkv_hidden_sizes; mask_index as lengths, ends and starts, cells of keys, cells of queries and keys; attention_bias, unidirectional, scale, mask_filter_value; with a past, the present',
    run: 'onnxruntime, CPU, float32',
    compared: 'its own output, and a float64 twin',
    refused: [...mergedRefusals(operator), { form: 'a past and attention_bias', sentence: pastAndBias }, { form: 'no bias', sentence: noBias }],
  }],
  match(node, view) {
    if (node.op !== 'Attention' || node.domain !== 'com.microsoft') return undefined;
    const [input, weights, bias, mask, past, attentionBias] = node.inputs;
    if (!bias) return { node: node.name, operator, reason: noBias };
    return mergedAttention(node, view, { input, weights, bias, mask, past, attentionBias }, graph => {
      // onnxruntime's kernel is for float32, also where the model is float16.
      const wide = (value: string): string => graph.cast(value, dataType.float);
      return graph.node('Add', [graph.node('MatMul', [wide(input), wide(weights)]), wide(bias)]);
    });
  },
};
