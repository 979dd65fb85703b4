/** Every metric of this folder, by file name; written by `npm run generate`. */
import type { Metric } from './metric.ts';
import { positions } from './position.ts';
import { sinks } from './sink.ts';
import { spread } from './spread.ts';

export const metrics: readonly Metric[] = [
  positions,
  sinks,
  spread,
];
