/** Every metric of every head of a site. */
import { sequenceOf } from '../../contract/sequences.ts';
import type { HeadStats, MetricCard, MetricName, TraceInput } from '../../contract/trace.ts';
import type { Measure } from '../metrics/metric.ts';
import { metrics } from '../metrics/registry.ts';
import type { SiteView } from '../trace/site-view.ts';
import { eachHead } from './head-views.ts';
import type { SiteStatistics } from './site-statistics.ts';

/** In the order of samples, then heads. JSON knows no NaN: what is not finite is 0, and a verdict names it. */
export async function measureHeads(view: SiteView, statistics: SiteStatistics, input: TraceInput, between: () => Promise<void>): Promise<HeadStats[]> {
  const out: HeadStats[] = [];
  for (let b = 0; b < view.batch; b++) {
    const rows = { live: (h: number) => statistics.live(b, h), seeing: (h: number) => statistics.seeing(b, h), seen: (h: number) => statistics.seen(b, h) }, sequence = sequenceOf(input, view.site, 'queries')?.ids, ids = sequence?.length === view.batch ? sequence[b] : undefined;
    await eachHead(view, b, statistics.sample(b), rows, ids, between, (head, of) => {
      const numbers = metrics.flatMap(family => Object.entries(family).map(([name, metric]) => [name, tidy(metric.measure(of))]));
      out.push({ batch: b, head, ...(Object.fromEntries(numbers) as Record<MetricName, number>) });
    });
  }
  return out;
}

/** What the registry's metrics say about themselves, in its order. */
export const metricCards: readonly MetricCard[] = metrics.flatMap(family => (Object.entries(family) as [MetricName, Measure][]).map(([name, { title, summary, cite, unit, selfOnly }]) => ({ name, title, summary, cite, unit, selfOnly })));

/** Seven digits are what float32 knows. */
function tidy(value: number): number { return Number.isFinite(value) ? Number(value.toPrecision(7)) : 0; }
