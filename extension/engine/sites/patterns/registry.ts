/** Every graph pattern of this folder, by file name; written by `npm run generate`. */
import type { Pattern } from '../site-plan.ts';
import { attentionOp } from './attention-op.ts';
import { fusedOps } from './fused-ops.ts';
import { softmax } from './softmax.ts';

export const patterns: readonly Pattern[] = [
  attentionOp,
  fusedOps,
  softmax,
];
