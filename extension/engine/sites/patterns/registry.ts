/** Every graph pattern of this folder, by file name; written by `npm run generate`. */
import type { Pattern } from '../site-plan.ts';
import { pattern } from './attention-op.ts';
import { pattern } from './fused-ops.ts';
import { pattern } from './softmax.ts';

export const patterns: readonly Pattern[] = [
  pattern,
  pattern,
  pattern,
];
