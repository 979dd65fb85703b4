/** Heads that pour their attention into one position. */
import type { Verdict } from '../../contract/trace.ts';
import { allHeads, mainSink, sinkOver as threshold, stackName, tokenName, type Judged, type VerdictRule } from './verdict.ts';

export const sinks: VerdictRule = {
  id: 'sinks', title: 'Attention sinks', summary: `Heads that put over ${threshold} of their attention on one and the same position, per stack.`,
  judge: trace => [...new Set(trace.manifest.sites.map(site => site.stack))].flatMap(stack => judgeStack(trace, stack)),
};

function judgeStack(trace: Judged, stack: string): readonly Verdict[] {
  const main = mainSink(trace, stack);
  if (!main) return [];
  const { heads, position } = main, all = allHeads(trace).filter(head => head.site.stack === stack && head.site.kind === 'self'), share = heads.length / all.length;
  return [{
    rule: 'sinks', level: 'info',
    text: `${Math.round(share * 100)} % of heads${stackName(stack)} (${heads.length} of ${all.length}) put over ${threshold} of their attention on position ${position}${tokenName(trace, stack, heads)}.`,
    evidence: { threshold, value: share, stack, heads: heads.map(head => head.label), position, strongest: heads[0].score },
  }];
}
