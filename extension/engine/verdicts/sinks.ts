/** Heads that pour their attention into one position. */
import type { Verdict } from '../../contract/trace.ts';
import { allHeads, stackName, strongest, type Judged, type VerdictRule } from './verdict.ts';

/** ε of Gu 2024 (2410.10781): a key is a sink of a head when its importance is over this. */
const threshold = 0.3;

export const sinks: VerdictRule = {
  id: 'sinks', title: 'Attention sinks', summary: `Heads that put over ${threshold} of their attention on one and the same position, per stack.`,
  judge: trace => [...new Set(trace.manifest.sites.map(site => site.stack))].flatMap(stack => judgeStack(trace, stack)),
};

function judgeStack(trace: Judged, stack: string): readonly Verdict[] {
  const all = allHeads(trace).filter(head => head.site.stack === stack && head.site.kind === 'self'), { tokens, real } = trace.manifest.input;
  const over = strongest(trace, head => head.stats.sink, threshold).filter(head => head.site.stack === stack && head.site.kind === 'self');
  // Positions are counted from the first real token, so that samples with left padding agree.
  const placed = over.map(head => ({ ...head, position: head.stats.sinkKey - (all.length && real[head.stats.batch]?.indexOf(1) > 0 ? real[head.stats.batch].indexOf(1) : 0) }));
  const counts = new Map<number, number>();
  for (const { position } of placed) counts.set(position, (counts.get(position) ?? 0) + 1);
  const [best] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  if (!best) return [];
  const heads = placed.filter(head => head.position === best[0]), names = new Set(heads.map(head => tokens[head.stats.batch]?.[head.stats.sinkKey]));
  const [token] = names, named = names.size === 1 && token !== undefined && stack !== 'vision' && stack !== 'audio' ? ` (${token})` : '';
  const share = heads.length / all.length;
  return [{
    rule: 'sinks', level: 'info',
    text: `${Math.round(share * 100)} % of heads${stackName(stack)} (${heads.length} of ${all.length}) put over ${threshold} of their attention on position ${best[0]}${named}.`,
    evidence: { threshold, value: share, heads: heads.map(head => head.label), position: best[0], strongest: heads[0].score },
  }];
}
