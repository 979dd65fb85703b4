/** A second sink: a later token that takes attention in some layers, beside the one that takes it in most. */
import { layersText } from '../../contract/layers.ts';
import type { Verdict } from '../../contract/trace.ts';
import { allHeads, byPosition, count, mainSink, percent, stackName, tokenName, type Judged, type VerdictRule } from './verdict.ts';

/** Of eight queries, the fewest that are counted, even attention gives no key over 0.18, and a head that looks at near tokens none over 0.13. */
const threshold = 0.2;
/** Of the heads of one layer at least: a sink lies in the residual stream, which they all read; less is a head's own habit. */
const share = 0.5;

export const twoSinks: VerdictRule = {
  id: 'two-sinks', title: 'Secondary sinks', summary: `A later position, beside the main sink, to which at least ${share * 100} % of a layer's heads give over ${threshold} of the attention of the other queries that see it (Wong 2025, 2512.22213).`,
  judge: trace => [...new Set(trace.manifest.sites.map(site => site.stack))].flatMap(stack => judgeStack(trace, stack)),
};

function judgeStack(trace: Judged, stack: string): readonly Verdict[] {
  const all = allHeads(trace).filter(head => head.site.stack === stack && head.site.kind === 'self'), main = mainSink(trace, stack);
  if (!main) return [];
  const found = all.map(head => ({ ...head, score: head.stats.secondarySink ?? 0, key: head.stats.secondarySinkKey ?? 0 })).filter(head => head.score > threshold).sort((a, b) => b.score - a.score || a.label.localeCompare(b.label));
  const places = byPosition(trace, found).filter(({ position, heads }) => position !== main.position && heads.length >= 2 && heads.some(({ site }) => heads.filter(head => head.site === site).length >= share * (site.heads ?? heads.length)));
  if (!places.length) return [];
  const [{ position, heads }] = places, [strongest] = heads, part = heads.length / all.length, layers = layersText(heads.map(head => head.site.layer)), mean = heads.reduce((sum, head) => sum + head.score, 0) / heads.length;
  return [{
    rule: 'two-sinks', level: 'info',
    text: `A second sink stands at position ${position}${tokenName(trace, stack, heads)}: ${Math.round(part * 100)} % of heads${stackName(stack)} (${heads.length} of ${all.length}, layer${/[-,]/.test(layers) ? 's' : ''} ${layers}) give it over ${threshold} of the attention of the other queries that see it, ${percent(mean)} on average (${strongest.label} ${strongest.score.toFixed(2)})${places.length > 1 ? `; ${count(places.length - 1, 'more position')} ${places.length === 2 ? 'is' : 'are'} like it` : ''}.`,
    evidence: { threshold, value: part, stack, heads: heads.map(head => head.label), position, query: trace.manifest.input.tokens[strongest.stats.batch].length - 1, key: strongest.key, mean, strongest: strongest.score, layers, mainPosition: main.position, positions: places.map(place => place.position), seen: 'attention alone' },
  }];
}
