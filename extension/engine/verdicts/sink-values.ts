/** Sinks whose value is so short that attention on them does nothing: a way to not attend. */
import { allHeads, few, type VerdictRule } from './verdict.ts';

/** As in the rule about sinks (Gu 2024). */
const sinkOver = 0.3;
/** Beneath it, less than a third of what the map suggests arrives in the output. */
const threshold = 0.3;

export const sinkValues: VerdictRule = {
  id: 'sink-values', title: 'Sinks without a value', summary: `Sink heads whose sink has a value vector shorter than ${threshold} of the mean of the other keys: what goes there adds next to nothing to the output (Gu 2024, 2410.10781).`,
  judge: trace => {
    // In the order of `heads` per site, as `sinkValues` is.
    const ratios = trace.manifest.sites.flatMap(site => (trace.manifest.heads[site.name] ?? []).map((_, n) => trace.manifest.health?.sites[site.name]?.sinkValues[n] ?? -1));
    const sinks = allHeads(trace).map((head, n) => ({ ...head, ratio: ratios[n] })).filter(head => head.stats.sink > sinkOver && head.ratio >= 0);
    const empty = sinks.filter(head => head.ratio < threshold).sort((a, b) => a.ratio - b.ratio || b.stats.sink - a.stats.sink);
    if (!empty.length) return [];
    return [{
      rule: 'sink-values', level: 'info',
      text: `In ${empty.length} of ${sinks.length} sink heads the sink's value is shorter than ${threshold} of the others' mean (${few(empty.map(head => `${head.label} ${head.ratio.toFixed(2)}`))}): attention there adds next to nothing to the output.`,
      evidence: { threshold, value: empty[0].ratio, heads: empty.map(head => head.label) },
    }];
  },
};
