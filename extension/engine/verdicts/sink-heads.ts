/** Says how many heads rest on one position, and on which. */
import { siteLabel } from '../../contract/site.ts';
import { count, rankHeads, some, tokenAt, type RankedHead, type VerdictRule } from './verdict.ts';

/** Gu et al. 2024: a key is a sink when it receives more than this on average. */
const threshold = 0.3;
/** Shorter inputs make every first column look like a sink: row 0 sees nothing else. */
const leastTokens = 16;

export const sinkHeads: VerdictRule = {
  about: `A head is a sink head when one key receives more than ${threshold} on average (attention-sink-emergence, eps); said of inputs of at least ${leastTokens} tokens.`,
  judge(trace) {
    const enough = (batch: number): boolean => (trace.input.real[batch]?.filter(Boolean).length ?? leastTokens) >= leastTokens;
    const all = rankHeads(trace, head => head.sink).filter(({ head }) => enough(head.batch)), sinks = all.filter(({ value }) => value > threshold);
    if (!sinks.length) return [];
    const byKey = new Map<string, RankedHead[]>();
    for (const sink of sinks) {
      const key = `${sink.head.batch}:${sink.head.sinkKey}`;
      byKey.set(key, [...(byKey.get(key) ?? []), sink]);
    }
    const groups = [...byKey.values()].sort((a, b) => b.length - a.length), [main] = groups, { batch, sinkKey } = main[0].head;
    const token = tokenAt(trace.input, batch, sinkKey), others = sinks.length - main.length;
    const elsewhere = others ? ` ${count(others, 'head rests', 'heads rest')} on other positions (${some(groups.slice(1).flat())}).` : '';
    return [{
      rule: 'sink-heads', level: 'notice',
      text: `${Math.round(100 * main.length / all.length)} % of the heads (${main.length} of ${all.length}) put over ${threshold} of their attention on position ${sinkKey}${token && ` (${token})`}; strongest ${main[0].label} with ${main[0].value.toFixed(2)}.${elsewhere}`,
      evidence: { threshold, value: main[0].value, heads: main.map(head => head.label), position: sinkKey, share: main.length / all.length, layers: [...new Set(main.map(({ site }) => siteLabel(site)))] },
    }];
  },
};
