/** Every metric of this folder, by file name; written by `npm run generate`. */
import type { Metric } from './metric.ts';
import { diagonals } from './diagonals.ts';
import { distance } from './distance.ts';
import { sink } from './sink.ts';
import { spread } from './spread.ts';

export const metrics: readonly Metric[] = [
  diagonals,
  distance,
  sink,
  spread,
];
