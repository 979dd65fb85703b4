/** Every verdict rule of this folder, by file name; written by `npm run generate`. */
import type { VerdictRule } from './verdict.ts';
import { emptyRows } from './empty-rows.ts';
import { evenHeads } from './even-heads.ts';
import { notFinite } from './not-finite.ts';
import { parity } from './parity.ts';
import { positionHeads } from './position-heads.ts';
import { sinks } from './sinks.ts';

export const verdicts: readonly VerdictRule[] = [
  emptyRows,
  evenHeads,
  notFinite,
  parity,
  positionHeads,
  sinks,
];
