/** Every graph pattern of this folder, by file name; written by `npm run generate`. */
import type { Pattern } from '../site-plan.ts';
import { additive } from './additive.ts';
import { attentionOp } from './attention-op.ts';
import { fusedOps } from './fused-ops.ts';
import { groupQueryAttention } from './group-query-attention.ts';
import { linearAttention } from './linear-attention.ts';
import { msAttention } from './ms-attention.ts';
import { msDecoderMaskedAttention } from './ms-decoder-masked-attention.ts';
import { msMultiHeadAttention } from './ms-multi-head-attention.ts';
import { msQAttention } from './ms-q-attention.ts';
import { softmax } from './softmax.ts';
import { sparseAttention } from './sparse-attention.ts';

export const patterns: readonly Pattern[] = [
  additive,
  attentionOp,
  fusedOps,
  groupQueryAttention,
  linearAttention,
  msAttention,
  msDecoderMaskedAttention,
  msMultiHeadAttention,
  msQAttention,
  softmax,
  sparseAttention,
];
