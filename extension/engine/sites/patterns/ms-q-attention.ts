/** com.microsoft QAttention: Attention over 8-bit hidden states and 8-bit merged weights. */
import { dataType } from '../../onnx/model.ts';
import { mergedAttention, mergedRefusals } from '../lowering/merged-projection.ts';
import type { Pattern } from '../site-plan.ts';

const operator = 'com.microsoft.QAttention';

export const msQAttention: Pattern = {
  id: 'ms-q-attention',
  title: 'Quantized Attention operator of onnxruntime',
  operators: [{
    operator,
    recognised: 'uint8 hidden states times 8-bit merged weights (zero points, a scale for the tensor or for every column) plus biases, written out again; masks and past as com.microsoft.Attention has them',
    run: 'onnxruntime, CPU, uint8 by uint8 or int8',
    compared: 'its own output, and a float64 twin',
    refused: mergedRefusals(operator),
  }],
  match(node, view) {
    if (node.op !== 'QAttention' || node.domain !== 'com.microsoft') return undefined;
    const [input, weights, bias, inputScale, weightScale, mask, inputZero = '', weightZero = '', past] = node.inputs;
    return mergedAttention(node, view, { input, weights, bias, mask, past }, graph => {
      // The same integers as the operator's own product; then one rounding for the scale and one for the bias.
      const product = graph.node('MatMulInteger', [input, weights, ...(inputZero || weightZero ? [inputZero, weightZero] : [])]), scale = graph.node('Mul', [inputScale, weightScale]);
      return graph.node('Add', [graph.node('Mul', [graph.cast(product, dataType.float), scale]), bias]);
    });
  },
};
