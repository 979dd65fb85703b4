/** Attention operators that are known and refused: nothing here can run them, or they are not read. Named with a reason, never passed over in silence. */
import type { OperatorRow } from '../operator-row.ts';
import type { Pattern } from '../site-plan.ts';

const unfused = 'export the model without fusing attention to trace it.';
const cuda = (operator: string, remedy: string): string => `onnxruntime runs ${operator} on CUDA only, and traces are made on the CPU; ${remedy}`;

/** What is read of an operator, what runs it, and why it is refused. */
const refusals: Readonly<Record<string, readonly [recognised: string, run: string, sentence: string]>> = {
  'ai.onnx.preview.FlexAttention': ['by its name', 'nothing: onnxruntime 1.30 does not know it', 'onnxruntime 1.30 does not know ai.onnx.preview.FlexAttention, so that the model cannot be run; export it with operator set 24 or older, where attention is an operator that it runs.'],
  'com.microsoft.PackedAttention': ['by its name', 'onnxruntime, CUDA only', cuda('com.microsoft.PackedAttention', 'trace the model as it was before its padding was packed away.')],
  'com.microsoft.PackedMultiHeadAttention': ['by its name', 'onnxruntime, CUDA only', cuda('com.microsoft.PackedMultiHeadAttention', 'trace the model as it was before its padding was packed away.')],
  'com.microsoft.QOrderedAttention': ['by its name', 'onnxruntime, CUDA only', cuda('com.microsoft.QOrderedAttention', 'trace the model as it was before it was quantized.')],
  'com.microsoft.QOrderedLongformerAttention': ['by its name', 'onnxruntime, CUDA only', cuda('com.microsoft.QOrderedLongformerAttention', 'trace the model as it was before it was quantized.')],
  'com.microsoft.LongformerAttention': ['by its name', 'onnxruntime, CUDA only', cuda('com.microsoft.LongformerAttention', unfused)],
  'com.microsoft.DecoderAttention': ['by its name', 'onnxruntime, CUDA only', cuda('com.microsoft.DecoderAttention', unfused)],
  'com.microsoft.DecoderMaskedSelfAttention': ['by its name', 'onnxruntime, CUDA only', cuda('com.microsoft.DecoderMaskedSelfAttention', 'trace the model as it was before it was converted for generation.')],
  'com.microsoft.PagedAttention': ['by its name', 'onnxruntime, CUDA and WebGPU only', 'onnxruntime runs com.microsoft.PagedAttention on CUDA and WebGPU only, and traces are made on the CPU; build the model for the CPU, with GroupQueryAttention.'],
  'com.microsoft.GatedDeltaNet': ['by its name', 'onnxruntime, not on the CPU', 'onnxruntime 1.30 has no CPU kernel for com.microsoft.GatedDeltaNet, and traces are made on the CPU; build the model for the CPU, with LinearAttention.'],
};

const operators: readonly OperatorRow[] = Object.entries(refusals).map(([operator, [recognised, run, sentence]]) => ({ operator, recognised, run, compared: null, refused: [{ form: 'any', sentence }] }));

export const fusedOps: Pattern = {
  id: 'fused-ops',
  title: 'Attention operators that are refused',
  operators,
  match(node) {
    const operator = `${node.domain || 'ai.onnx'}.${node.op}`, refused = Object.hasOwn(refusals, operator) ? refusals[operator] : undefined;
    return refused && { node: node.name, operator: node.domain ? operator : node.op, reason: refused[2] };
  },
};
