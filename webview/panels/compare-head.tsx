/** One head in A, in B, and what changes from A to B: three maps that move together, and the cell under the pointer in both. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ComparePanelState } from '../../extension/contract/api.ts';
import type { HeadDiff, SiteDiff, TraceDiff } from '../../extension/contract/diff.ts';
import { Button, Choice } from '../controls/toolkit.tsx';
import { rulerText } from '../marks/axis.ts';
import { compareMetrics, metricOf, points, ranked } from '../marks/compare.ts';
import { percent, shortNumber, type ScaleKind } from '../marks/scale.ts';
import { shown, tokenAt } from '../marks/tokens.ts';
import { isAllMasked, type TileSpan } from '../marks/tiles.ts';
import { bringIn, cellAt, pan, zoomAbout, type Cell, type Extent } from '../marks/view.ts';
import { paintAxes } from '../paint/axes.ts';
import { CompareLegend } from './compare-legend.tsx';
import { CompareMaps, mapKinds, type MapKind, type MapsChange } from './compare-maps.ts';
import type { CompareStore } from './compare-store.ts';
import { useRows } from './use-rows.ts';

interface Props { readonly store: CompareStore; readonly state: ComparePanelState; readonly diff: TraceDiff; readonly site: SiteDiff; readonly head: HeadDiff }

const margins: Readonly<Record<MapKind, number>> = { a: 92, b: 14, difference: 14 }, top = 84, gap = 18;
const titles: Readonly<Record<MapKind, string>> = { a: 'A', b: 'B', difference: 'B − A' };
const scales: readonly { readonly value: ScaleKind; readonly text: string }[] = [{ value: 'linear', text: 'Linear' }, { value: 'gamma', text: 'Gamma 0.5' }, { value: 'log', text: 'Log' }];

export function CompareHead({ store, state, diff, site, head }: Props) {
  const { scale, metric, batch } = store.arrangement.value, label = `${site.label}H${head.head}`, extent: Extent = { rows: Math.min(...site.queries), cols: Math.min(...site.keys) };
  const frame = useRef<HTMLDivElement>(null), canvases = { a: useRef<HTMLCanvasElement>(null), b: useRef<HTMLCanvasElement>(null), difference: useRef<HTMLCanvasElement>(null) }, axes = { a: useRef<HTMLCanvasElement>(null), b: useRef<HTMLCanvasElement>(null), difference: useRef<HTMLCanvasElement>(null) };
  const maps = useRef<CompareMaps | undefined>(undefined), drag = useRef<{ x: number; y: number } | undefined>(undefined);
  const [change, setChange] = useState<MapsChange | undefined>(), [focus, setFocus] = useState<Cell | undefined>(), [pointer, setPointer] = useState<{ kind: MapKind; x: number; y: number } | undefined>(), [height, setHeight] = useState(320);
  const place = { site: site.name, batch: head.batch, head: head.head }, traces = { a: state.a.trace, b: state.b.trace }, rows = useRows(store, { ...place, ...traces }, focus?.row, extent.cols);
  // Keys of a cross-attention, or behind a cache, are not the prompt's tokens.
  const inputs = { a: state.a.manifest.input, b: state.b.manifest.input }, keysAreTokens = site.keys[0] === site.queries[0] && state.a.manifest.sites.find(one => one.name === site.name)?.kind === 'self';
  const token = (kind: 'a' | 'b', i: number): string => shown(tokenAt(inputs[kind], batch, i)), key = (kind: 'a' | 'b', i: number): string => (keysAreTokens ? token(kind, i) : `#${i}`);
  const both = (of: (kind: 'a' | 'b') => string): string => (of('a') === of('b') ? of('a') : `${of('a')} / ${of('b')}`);

  useLayoutEffect(() => {
    const made = new CompareMaps(mapKinds.map(kind => canvases[kind].current!), scale, { host: store.host, head: place, traces, extent, empty: emptyIn(state, site.name), changed: setChange, failed: error => store.fail(error) });
    maps.current = made;
    const box = frame.current!, watcher = new ResizeObserver(() => {
      const width = Math.max(60, (box.clientWidth - margins.a - margins.b - margins.difference - 2 * gap) / 3), cell = Math.min(40, width / extent.cols, 560 / extent.rows);
      setHeight(Math.ceil(Math.max(60, cell * extent.rows)));
      made.resize({ width, height: Math.ceil(Math.max(60, cell * extent.rows)) });
    });
    watcher.observe(box);
    return () => { watcher.disconnect(); made.dispose(); };
  }, [state]);
  useEffect(() => maps.current?.setKind(scale), [scale]);
  useEffect(() => {
    if (!change || !maps.current) return;
    for (const kind of mapKinds) {
      const side = kind === 'difference' ? 'b' : kind;
      paintAxes(axes[kind].current!, { left: margins[kind], top, view: change.view, size: maps.current.size, extent, rowLabel: kind === 'a' ? (i, step) => rulerText(token('a', i), i, step) : () => '', colLabel: (i, step) => rulerText(key(side, i), i, step), focus });
    }
  }, [change, focus]);

  const at = (event: MouseEvent): { x: number; y: number } => { const box = (event.currentTarget as HTMLElement).getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
  const map = (): CompareMaps => maps.current!;
  const onPointerMove = (kind: MapKind) => (event: PointerEvent): void => {
    const here = at(event);
    if (drag.current) { map().move(pan(map().view, here.x - drag.current.x, here.y - drag.current.y, extent, map().size)); drag.current = here; return; }
    const cell = cellAt(map().view, here.x, here.y, extent);
    setPointer(cell ? { kind, ...here } : undefined);
    if (cell && (cell.row !== focus?.row || cell.col !== focus.col)) setFocus(cell);
  };
  const onKey = (event: KeyboardEvent): void => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key], many = event.shiftKey ? 10 : 1, zoom = { '+': 1.4, '=': 1.4, '-': 1 / 1.4 }[event.key];
    if (by) {
      const from = focus ?? { row: 0, col: 0 }, cell = { row: Math.min(Math.max(from.row + by[0] * many, 0), extent.rows - 1), col: Math.min(Math.max(from.col + by[1] * many, 0), extent.cols - 1) }, view = bringIn(map().view, cell, extent, map().size);
      setFocus(cell);
      setPointer(undefined);
      if (view.row !== map().view.row || view.col !== map().view.col) map().move(view);
    } else if (zoom) map().move(zoomAbout(map().view, map().size.width / 2, map().size.height / 2, zoom, extent, map().size));
    else if (event.key === '0') map().fit();
    else return;
    event.preventDefault();
  };
  useEffect(() => {
    const onWheel = (event: WheelEvent): void => {
      // Without Ctrl the page scrolls: the maps fill most of it.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const here = at(event);
      map().move(zoomAbout(map().view, here.x, here.y, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), extent, map().size));
    };
    const elements = mapKinds.map(kind => canvases[kind].current!);
    for (const element of elements) element.addEventListener('wheel', onWheel, { passive: false });
    return () => { for (const element of elements) element.removeEventListener('wheel', onWheel); };
  }, []);

  const order = ranked(diff, metricOf(metric), batch), rank = order.findIndex(one => one.place.site === site.name && one.place.head === head.head);
  const step = (by: number): void => { const to = order[rank + by]; if (to) store.arrange({ site: to.place.site, head: to.place.head }); };
  const seen = { a: rows.a?.[focus?.col ?? -1], b: rows.b?.[focus?.col ?? -1] };
  const told = focus && { query: both(kind => token(kind, focus.row)), key: both(kind => key(kind, focus.col)), a: said(seen.a), b: said(seen.b), change: seen.a === undefined || seen.b === undefined ? '' : points(zero(seen.b) - zero(seen.a)) };
  const spoken = told ? `Query ${focus.row} ${told.query}, key ${focus.col} ${told.key}: A ${told.a}, B ${told.b}` : '';
  return (
    <section class="compare-head" data-testid="compare-head" data-label={label} data-ready={change?.ready ? 'true' : 'false'}>
      <div class="toolbar">
        <h2 class="label-of-head">{label}</h2>
        <Button title="The head that differs more" testid="compare-previous" disabled={rank <= 0} onPress={() => step(-1)}>‹</Button>
        <span class="quiet">{rank < 0 ? 'equal' : `${rank + 1} of ${order.length}`}</span>
        <Button title="The head that differs less" testid="compare-next" disabled={rank < 0 || rank + 1 >= order.length} onPress={() => step(1)}>›</Button>
        <Choice label="Scale" testid="compare-scale" value={scale} options={scales} onChoose={value => store.arrange({ scale: value })} />
        <Button testid="compare-fit" title="Fit the whole map (0, or double-click); Ctrl and the wheel zoom" onPress={() => map().fit()}>Fit</Button>
        <span class="spacer" />
        {(['a', 'b'] as const).map(side => <Button key={side} testid={`compare-open-${side}`} title={`Open ${label} in trace ${side.toUpperCase()}`} onPress={() => store.host.openHead({ side, ...place }).catch(error => store.fail(error))}>Open in {side.toUpperCase()}</Button>)}
      </div>
      <p class="head-facts" data-testid="compare-facts">
        {compareMetrics.map(one => { const value = one.value(head); return value === undefined ? undefined : <span key={one.id} title={one.help}>{one.title} {shortNumber(value)}</span>; })}
        <span class="quiet">{head.rows} rows{head.maskRows ? ` · ${head.maskRows} with other visible keys` : ''}{head.notFinite.some(rows => rows > 0) ? ` · not finite: ${head.notFinite[0]} in A, ${head.notFinite[1]} in B` : ''} · rounding explains {shortNumber(site.floor.probability)}{site.floor.output === null ? '' : `, output ${shortNumber(site.floor.output)}`}{site.precision.a !== site.precision.b ? ` (A ${site.precision.a}, B ${site.precision.b})` : site.precision.a === 'F16' ? ' (halves)' : ''}</span>
      </p>
      <div class="compare-maps" ref={frame} style={{ height: `${top + height + 4}px` }}>
        {mapKinds.map((kind, n) => (
          <div class="compare-map" key={kind} style={{ left: `${mapKinds.slice(0, n).reduce((sum, one) => sum + margins[one] + gap + (maps.current?.size.width ?? 0), 0)}px`, width: `${margins[kind] + (maps.current?.size.width ?? 0)}px` }}>
            <canvas class="map" ref={canvases[kind]} style={{ left: `${margins[kind]}px`, top: `${top}px`, width: `${maps.current?.size.width ?? 0}px`, height: `${height}px` }} tabIndex={0} role="application" data-testid={`compare-map-${kind}`}
              aria-label={`${titles[kind]} of ${label}: rows are queries, columns are keys. Arrow keys move, plus and minus zoom, 0 fits.`}
              onPointerDown={event => { if (event.button !== 0) return; event.currentTarget.setPointerCapture(event.pointerId); drag.current = at(event); }} onPointerUp={() => { drag.current = undefined; }} onPointerCancel={() => { drag.current = undefined; }}
              onPointerMove={onPointerMove(kind)} onPointerLeave={() => setPointer(undefined)} onDblClick={() => map().fit()} onKeyDown={onKey} />
            <canvas class="axes" ref={axes[kind]} aria-hidden="true" />
            <b class="which" style={{ left: `${margins[kind]}px` }}>{titles[kind]}</b>
            {told && pointer?.kind === kind && (
              <div class="hover-card" data-testid="compare-hover" style={{ ...(pointer.x > (maps.current?.size.width ?? 0) / 2 ? { right: `${(maps.current?.size.width ?? 0) - pointer.x + 14}px` } : { left: `${margins[kind] + pointer.x + 14}px` }), ...(pointer.y > height - 110 && height > 150 ? { bottom: `${height - pointer.y + 14}px` } : { top: `${top + pointer.y + 14}px` }) }}>
                <p class="large" data-testid="compare-hover-values">{told.a} → {told.b} <span class="quiet">{told.change}</span></p>
                <p><span class="quiet">query {focus.row}</span> {told.query}</p>
                <p><span class="quiet">key {focus.col}</span> {told.key}</p>
              </div>
            )}
          </div>
        ))}
      </div>
      <CompareLegend change={change} />
      {(change?.problem ?? rows.problem) && <p class="failure" role="alert" data-testid="compare-problem">{change?.problem ?? rows.problem} <button type="button" class="link" onClick={() => map().again()}>Try again</button></p>}
      <span class="spoken" aria-live="polite" data-testid="compare-spoken">{spoken}</span>
    </section>
  );
}

/** Tiles that the causal rules of both traces hide whole. */
function emptyIn({ a, b }: ComparePanelState, site: string): (span: TileSpan) => boolean {
  const masks = [a, b].map(({ manifest }) => manifest.masks[site]);
  return span => masks.every(mask => mask?.causal === true && isAllMasked(span, mask.offset));
}

function said(probability: number | undefined): string { return probability === undefined ? '…' : Number.isNaN(probability) ? 'not visible' : percent(probability); }

function zero(probability: number): number { return Number.isNaN(probability) ? 0 : probability; }
