/** Every metric of a head from its full probabilities, in float64, written from the definitions. */
import type { HeadStats } from '../../../extension/contract/trace.ts';
import type { ReferenceOutput } from '../../../extension/engine/maths/reference-attention.ts';

interface Head { readonly twin: ReferenceOutput; readonly h: number; readonly queries: number; readonly keys: number; readonly ids: readonly number[]; readonly real: (i: number) => boolean; readonly sees: (i: number, j: number) => boolean; readonly self: boolean }

export function headTwin({ twin, h, queries, keys, ids, real, sees, self }: Head): Omit<HeadStats, 'batch' | 'head'> {
  const p = (i: number, j: number): number => twin.probs[(h * queries + i) * keys + j], all = Array.from({ length: keys }, (_, j) => j);
  const rows = Array.from({ length: queries }, (_, i) => i).filter(i => real(i) && all.some(j => sees(i, j))), offset = Math.max(0, keys - queries);
  const mean = (values: readonly number[]): number => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : 0);
  const viewers = all.map(j => rows.filter(i => sees(i, j))), most = Math.max(0, ...viewers.map(one => one.length)), enough = Math.max(1, Math.min(8, most));
  const alpha = all.map(j => (viewers[j].length >= enough ? rows.reduce((sum, i) => sum + p(i, j), 0) / viewers[j].length : 0)), sink = Math.max(...alpha), first = all.find(j => viewers[j].length > 0)!;
  // Self-attention alone: the query that is the key is left out.
  const others = all.map(j => viewers[j].filter(i => i + offset !== j)), later = all.map(j => (self && j > first && others[j].length >= 8 ? mean(others[j].map(i => p(i, j))) : 0)), secondary = Math.max(...later);
  const shares = (i: number): number[] => { const row = all.map(j => p(i, j)), mass = row.reduce((a, b) => a + b, 0); return row.map(value => value / mass); };
  const distance = mean(rows.map(i => shares(i).reduce((sum, share, j) => sum + share * Math.abs(i + offset - j), 0)));
  const squared = mean(rows.map(i => shares(i).reduce((sum, share, j) => sum + share * (i + offset - j) ** 2, 0)));
  const induction = queries === keys ? rows.flatMap(i => { const earlier = all.filter(j => j < i && ids[j] === ids[i]); return earlier.length ? [earlier.reduce((sum, j) => sum + p(i, j + 1), 0)] : []; }) : [];
  return {
    saturation: mean(rows.filter(i => all.filter(j => sees(i, j)).length > 1).map(i => (Math.max(...all.map(j => p(i, j))) > 0.999 ? 1 : 0))),
    sink, sinkKey: alpha.indexOf(sink), firstTokenShare: mean(rows.map(i => p(i, first))), secondarySink: secondary, secondarySinkKey: secondary > 0 ? later.indexOf(secondary) : self ? first : 0,
    patternEntropy: mean(rows.map(i => all.reduce((sum, j) => (p(i, j) > 0 ? sum - p(i, j) * Math.log(p(i, j)) : sum), 0))), maxProb: mean(rows.map(i => Math.max(...all.map(j => p(i, j))))),
    prevTokenScore: mean(rows.filter(i => i + offset - 1 >= first && i + offset >= 1).map(i => p(i, i + offset - 1))), selfAttentionScore: mean(rows.map(i => p(i, i + offset))),
    inductionScore: mean(induction), qkDistance: distance, qkDistanceVariance: squared - distance ** 2,
  };
}
