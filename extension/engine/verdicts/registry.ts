/** Every verdict rule of this folder, by file name; written by `npm run generate`. */
import type { VerdictRule } from './verdict.ts';
import { emptyRows } from './empty-rows.ts';
import { evenHeads } from './even-heads.ts';
import { induction } from './induction.ts';
import { nonFinite } from './non-finite.ts';
import { parity } from './parity.ts';
import { previousToken } from './previous-token.ts';
import { sinkHeads } from './sink-heads.ts';

export const verdicts: readonly VerdictRule[] = [
  emptyRows,
  evenHeads,
  induction,
  nonFinite,
  parity,
  previousToken,
  sinkHeads,
];
