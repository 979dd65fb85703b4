/** The heads of the Overview: which metric, in what order, which of them; then the grid with its legend, and the ranked list. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { FilterField } from '../controls/filter-field.tsx';
import { Segments } from '../controls/segments.tsx';
import { Button, Choice } from '../controls/toolkit.tsx';
import { columnsFor, fitsBeside, gridSize, heatSize, type GridRoom } from '../marks/grid.ts';
import { longestFilter, parseFilter } from '../marks/head-filter.ts';
import { headRows, type HeadOrder } from '../marks/head-rows.ts';
import { headEntries, isGrouped, metricNumber, metricScale, type HeadEntry } from '../marks/heads.ts';
import { ticks, type Scale } from '../marks/scale.ts';
import { viridisGradient } from '../paint/heat-cells.ts';
import { isLight, onThemeChange } from '../paint/theme.ts';
import { HeadGrid, type Hot } from './head-grid.tsx';
import { plainOverview, type OverviewArrangement } from './overview-arrangement.ts';
import { HeadCard } from './overview-card.tsx';
import { Ranking } from './overview-ranking.tsx';
import type { RowLook } from './overview-row.tsx';
import { ThumbnailSource } from './overview-thumbnails.ts';
import type { MetricCard } from '../../extension/contract/trace.ts';
import type { Store } from './store.ts';

interface Props { readonly store: Store; readonly state: TracePanelState }

const views = [{ value: 'thumbnails', text: 'Thumbnails' }, { value: 'heat', text: 'Heat map' }] as const;
const orders: readonly { readonly value: HeadOrder; readonly text: string }[] = [{ value: 'layers', text: 'Layer and head' }, { value: 'within', text: 'Metric, in each layer' }, { value: 'all', text: 'Metric, all heads' }];
/** With more heads than this, rows that are far from the window have no cells. */
const mostMounted = 2048;
/** CSS pixels of the ranked list with the gap before it. */
const listWidth = 284;

export function Heads({ store, state }: Props) {
  const { manifest, metrics } = state.open, { batch, overview: own = plainOverview } = store.arrangement.value, heat = own.show === 'heat';
  const arrange = (change: Partial<OverviewArrangement>): void => store.arrange({ overview: { ...own, ...change } });
  const frame = useRef<HTMLDivElement>(null), [width, setWidth] = useState(0), [theme, setTheme] = useState(0), hot = useSignal<Hot | undefined>(undefined);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watcher.observe(frame.current!);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => onThemeChange(() => setTheme(count => count + 1)), []);
  const before = useRef<ThumbnailSource | undefined>(undefined), source = useMemo(() => before.current = new ThumbnailSource(store, state.open.trace, before.current), [state]);
  useEffect(() => () => source.stop(), [source]);

  const entries = useMemo(() => headEntries(manifest, batch), [manifest, batch]), card = metrics.find(one => one.name === own.metric) ?? metrics.find(one => one.name === plainOverview.metric) ?? metrics[0];
  const filter = useMemo(() => parseFilter(own.filter, metrics), [own.filter, metrics]), problem = 'problem' in filter ? filter.problem : undefined;
  // While a filter is being written it makes no sense for a moment: the last that did stays.
  const sound = useRef<(entry: HeadEntry) => boolean>(() => true), matches = 'problem' in filter ? sound.current : filter.matches;
  sound.current = matches;
  const passed = useMemo(() => entries.filter(matches), [entries, matches]), scale = useMemo(() => metricScale(entries, card), [entries, card]);
  const sharing = manifest.sites.some(isGrouped), grouped = own.grouped && sharing, flat = own.order === 'all' && !grouped;
  const most = useMemo(() => widest(entries, grouped), [entries, grouped]), label = own.order !== 'all' ? 44 : grouped ? 100 : 80;
  const asked: GridRoom = { width: width || 900, label, heads: flat ? 1 : own.order === 'all' ? most.group : most.heads, gaps: own.order === 'all' ? 0 : most.gaps };
  const beside = fitsBeside(asked, listWidth, heat), room = beside ? { ...asked, width: asked.width - listWidth } : asked, columns = columnsFor(room.width, label, heat);
  const fitted = (heat ? heatSize : gridSize)(flat ? { ...room, heads: columns } : room);
  const size = useMemo(() => fitted, [fitted.step, fitted.thumb, fitted.inset, fitted.small]);
  const sections = useMemo(() => headRows(entries, { order: own.order, lowest: own.lowest, grouped, card, matches, columns }), [entries, own.order, own.lowest, grouped, card, matches, own.order === 'all' ? columns : 0]);
  const look = useMemo<RowLook>(() => ({ manifest, extents: state.open.extents, implied: state.open.implied, batch, cards: metrics, card, order: own.order, heat: heat ? scale : undefined, size, label, source, theme, virtual: entries.length > mostMounted }), [manifest, state.open.extents, batch, metrics, card, own.order, heat, scale, size, label, source, theme, entries.length]);
  const meet = (next: Hot | undefined): void => {
    if (hot.peek() === next) return;
    hot.peek()?.element.removeAttribute('data-hot');
    next?.element.setAttribute('data-hot', '');
    hot.value = next;
  };
  const ranking = <Ranking key="ranking" {...{ store, manifest, batch, card, beside }} most={scale.hi} cards={metrics} lowest={own.lowest} entries={passed} onHot={meet} />;
  return (
    <section class="heads-section">
      <h2>Heads <span class="quiet">{own.order === 'layers' ? 'rows are layers, columns are heads' : own.order === 'within' ? 'rows are layers, heads by the metric' : 'all heads by the metric'}{heat ? '.' : '; a map’s rows are queries, its columns keys. Each has its own brightness.'} Click one to see it in full.</span></h2>
      <div class="toolbar">
        <Segments label="Show heads as" testid="show" value={own.show} options={views} onChoose={show => arrange({ show })} />
        <Choice label="Metric" testid="metric" value={card.name as string} options={metrics.map(one => ({ value: one.name as string, text: one.title }))} onChoose={metric => arrange({ metric })} />
        <Choice label="Order" testid="order" value={own.order} options={orders} onChoose={order => arrange({ order })} />
        <Button testid="direction" title={own.lowest ? 'Lowest first; press for highest first' : 'Highest first; press for lowest first'} onPress={() => arrange({ lowest: !own.lowest })}>{own.lowest ? '↑ Lowest first' : '↓ Highest first'}</Button>
        {sharing && <label class="tick"><input type="checkbox" data-testid="group-kv" checked={own.grouped} onChange={event => arrange({ grouped: event.currentTarget.checked })} /> Group by key/value head</label>}
        <FilterField label="Filter heads" testid="head-filter" value={own.filter} placeholder="Filter: L3, H0-3, L3H1, sink > 0.5" longest={longestFilter} problem={problem} describedBy="filter-answer" onType={text => arrange({ filter: text })}
          onLeave={() => frame.current?.querySelector<HTMLElement>('[data-testid="head-cell"][tabindex="0"]')?.focus()} />
      </div>
      <p class="about quiet">
        <span role="status" id="filter-answer" class={problem ? 'failure' : 'count'} data-testid="filter-answer">{problem ?? (own.filter.trim() ? `${passed.length} of ${entries.length} heads` : `${entries.length} ${entries.length === 1 ? 'head' : 'heads'}`)}</span>
        <span><b>{card.title}</b>: {card.summary}{card.cite ? ` (${card.cite})` : ''}</span>
      </p>
      {!heat && state.open.implied.length > 0 && <p class="about quiet" data-testid="implied-note">Linear attention: implied weights, blue below 0, {isLight() ? 'red' : 'orange'} above. They are signed, and no probabilities.</p>}
      {heat && <MetricLegend card={card} scale={scale} entries={entries} />}
      <div class={`grid-and-ranking${beside ? ' side-by-side' : ''}`} ref={frame}>
        {!beside && ranking}
        {width > 0 && (sections.length ? <HeadGrid store={store} state={state} sections={sections} look={look} onHot={meet} /> : <p class="quiet nothing" data-testid="no-head">No head passes the filter.</p>)}
        {beside && ranking}
        <HeadCard hot={hot} input={manifest.input} batch={batch} cards={metrics} card={card} />
      </div>
    </section>
  );
}

/** Heads of the widest site and of the largest group, and gaps between the groups of a row. */
function widest(entries: readonly HeadEntry[], grouped: boolean): { readonly heads: number; readonly group: number; readonly gaps: number } {
  const heads = new Map<number, number>(), groups = new Map<string, number>(), kvs = new Map<number, Set<number>>();
  for (const { index, kv, site } of entries) {
    heads.set(index, (heads.get(index) ?? 0) + 1);
    const group = isGrouped(site) ? `${index} ${kv}` : `${index}`;
    groups.set(group, (groups.get(group) ?? 0) + 1);
    if (grouped && isGrouped(site)) kvs.set(index, (kvs.get(index) ?? new Set()).add(kv));
  }
  return { heads: Math.max(1, ...heads.values()), group: Math.max(1, ...groups.values()), gaps: Math.max(0, ...[...kvs.values()].map(set => set.size - 1)) };
}

function MetricLegend({ card, scale, entries }: { readonly card: MetricCard; readonly scale: Scale; readonly entries: readonly HeadEntry[] }) {
  const failed = entries.some(entry => entry.failed), missing = card.selfOnly && entries.some(({ site }) => site.kind !== 'self' || site.form !== 'dense');
  return (
    <div class="legend" data-testid="metric-legend" data-metric={card.name} data-most={scale.hi}>
      <span class="name">{card.title.toLowerCase()}, linear scale from {scale.lo === 0 ? 'zero' : 'the least'} to the most of this sample</span>
      <span class="scale"><span class="colors" style={{ background: viridisGradient() }} />{ticks(scale).map(({ at }) => <span key={at} class="tick" style={{ left: `${at * 100}%` }}>{metricNumber(card, card.unit === 'position' ? Math.round(scale.lo + at * (scale.hi - scale.lo)) : scale.lo + at * (scale.hi - scale.lo))}</span>)}</span>
      {missing && <span class="key"><span class="swatch unmeasured" /> means nothing here</span>}
      {failed && <span class="key"><span class="swatch hatched" /> failed the parity check</span>}
    </div>
  );
}
