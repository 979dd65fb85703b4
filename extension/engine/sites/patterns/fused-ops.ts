/** Fused attention operators of onnxruntime that are known but not read yet: named with a reason, never passed over in silence. */
import type { Pattern } from '../site-plan.ts';

/** Operators by domain. */
const fused: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(['LinearAttention']),
  'ai.onnx.preview': new Set(['FlexAttention']),
  'com.microsoft': new Set([
    'Attention', 'MultiHeadAttention', 'GroupQueryAttention', 'PackedAttention', 'PackedMultiHeadAttention', 'QAttention', 'QOrderedAttention', 'QOrderedLongformerAttention',
    'DecoderMaskedSelfAttention', 'DecoderMaskedMultiHeadAttention', 'DecoderAttention', 'SparseAttention', 'PagedAttention', 'LongformerAttention', 'LinearAttention', 'GatedDeltaNet',
  ]),
};

export const fusedOps: Pattern = {
  id: 'fused-ops',
  title: 'Fused attention operators',
  match(node) {
    if (!Object.hasOwn(fused, node.domain) || !fused[node.domain].has(node.op)) return undefined;
    const operator = node.domain ? `${node.domain}.${node.op}` : node.op;
    return { node: node.name, operator, reason: `The operator ${operator} cannot be read yet; export the model without fusing attention to trace it.` };
  },
};
