/** Fused attention operators of onnxruntime that are known but not read yet: named with a reason, never passed over in silence. */
import type { Pattern } from '../site-plan.ts';

const fused = new Set([
  'Attention', 'MultiHeadAttention', 'GroupQueryAttention', 'PackedAttention', 'PackedMultiHeadAttention', 'QAttention', 'QOrderedAttention', 'QOrderedLongformerAttention',
  'DecoderMaskedSelfAttention', 'DecoderMaskedMultiHeadAttention', 'DecoderAttention', 'SparseAttention', 'PagedAttention', 'LongformerAttention', 'LinearAttention', 'GatedDeltaNet',
]);
const others: Readonly<Record<string, string>> = { LinearAttention: '', FlexAttention: 'ai.onnx.preview' };

export const fusedOps: Pattern = {
  id: 'fused-ops',
  title: 'Fused attention operators',
  match(node) {
    const known = node.domain === 'com.microsoft' ? fused.has(node.op) : Object.hasOwn(others, node.op) && others[node.op] === node.domain;
    if (!known) return undefined;
    const operator = node.domain ? `${node.domain}.${node.op}` : node.op;
    return { node: node.name, operator, reason: `The operator ${operator} cannot be read yet; export the model without fusing attention to trace it.` };
  },
};
