/** How a person arranged the Overview's heads; kept with the rest of the panel's arrangement. */
import { longestFilter } from '../marks/head-filter.ts';
import { headOrders, type HeadOrder } from '../marks/head-rows.ts';

export interface OverviewArrangement {
  readonly show: 'thumbnails' | 'heat';
  /** Name of a metric; another one where the trace has none of this name. */
  readonly metric: string;
  readonly order: HeadOrder;
  readonly lowest: boolean;
  /** Query heads under the key/value head that they share. */
  readonly grouped: boolean;
  readonly filter: string;
}

export const plainOverview: OverviewArrangement = { show: 'thumbnails', metric: 'sink', order: 'layers', lowest: false, grouped: false, filter: '' };

/** What is not understood falls back. */
export function restoreOverview(kept: unknown): OverviewArrangement {
  const from: { readonly [K in keyof OverviewArrangement]?: unknown } = typeof kept === 'object' && kept !== null ? kept : {};
  return {
    show: from.show === 'heat' ? 'heat' : 'thumbnails',
    metric: typeof from.metric === 'string' && from.metric.length <= 64 ? from.metric : plainOverview.metric,
    order: headOrders.find(order => order === from.order) ?? plainOverview.order,
    lowest: from.lowest === true,
    grouped: from.grouped === true,
    filter: typeof from.filter === 'string' ? from.filter.slice(0, longestFilter) : '',
  };
}
