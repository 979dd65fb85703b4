/** Every verdict rule of this folder, by file name; written by `npm run generate`. */
import type { VerdictRule } from './verdict.ts';
import { doubleStart } from './double-start.ts';
import { emptyRows } from './empty-rows.ts';
import { evenHeads } from './even-heads.ts';
import { float16Range } from './float16-range.ts';
import { notFinite } from './not-finite.ts';
import { paddingSeen } from './padding-seen.ts';
import { parity } from './parity.ts';
import { positionHeads } from './position-heads.ts';
import { saturatedHeads } from './saturated-heads.ts';
import { sinkValues } from './sink-values.ts';
import { sinks } from './sinks.ts';
import { softcapLost } from './softcap-lost.ts';
import { twoSinks } from './two-sinks.ts';
import { unknownTokens } from './unknown-tokens.ts';

export const verdicts: readonly VerdictRule[] = [
  doubleStart,
  emptyRows,
  evenHeads,
  float16Range,
  notFinite,
  paddingSeen,
  parity,
  positionHeads,
  saturatedHeads,
  sinkValues,
  sinks,
  softcapLost,
  twoSinks,
  unknownTokens,
];
