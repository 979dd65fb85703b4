/** What the taps are fed: real rows, the rows kept for parity, the row of the logits. */
import { feedOf, type Feed } from '../inputs/feeds.ts';
import type { Inputs } from '../inputs/inputs.ts';
import { rowsKept, type Taps } from './taps.ts';

/** Feeds of our own: real rows, kept rows, the row of the logits. */
export function ownFeeds(taps: Taps, inputs: Inputs): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  for (const name of taps.feeds.real) {
    const side = inputs.sides.find(one => one.name === name) ?? (name === 'decoder' ? undefined : inputs.sides[0]);
    const real = side?.real ?? [[1]];
    feeds[`attnscope.${name}.real`] = feedOf('float32', real.flat(), [real.length, real[0].length]);
    const rows = keptRowsOf(real);
    feeds[`attnscope.${name}.rows`] = feedOf('int64', rows, [rows.length]);
  }
  if (taps.feeds.last) {
    const side = inputs.sides.find(one => one.name === 'decoder') ?? inputs.sides[0];
    feeds['attnscope.last'] = feedOf('int64', side.real.map(row => Math.max(row.lastIndexOf(1), 0)), [side.real.length]);
  }
  return feeds;
}

/** At least 64 rows of each sample, evenly spread, the first and the last real one among them; ascending. */
export function keptRowsOf(real: readonly (readonly number[])[]): number[] {
  const rows = new Set<number>(), length = real[0].length;
  for (const row of real) {
    const positions = row.flatMap((mark, i) => (mark ? [i] : [])), count = Math.min(positions.length, rowsKept);
    for (let i = 0; i < count; i++) rows.add(positions[count === 1 ? 0 : Math.floor(i * (positions.length - 1) / (count - 1))]);
  }
  if (!rows.size) rows.add(length - 1);
  return [...rows].sort((a, b) => a - b);
}
