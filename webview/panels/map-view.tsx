/** The map of one head with its axes, its legend, and the row in focus; mouse and keyboard. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { headLabel, type Site } from '../../extension/contract/site.ts';
import { Button } from '../controls/toolkit.tsx';
import { percent, shortNumber } from '../marks/scale.ts';
import { around, shown, tokenAt } from '../marks/tokens.ts';
import { bringIn, cellAt, pan, zoomAbout, type Cell, type Extent, type Size } from '../marks/view.ts';
import { paintAxes } from '../paint/axes.ts';
import { mapPicture } from '../paint/picture.ts';
import { Legend } from './legend.tsx';
import { MapController, type MapChange } from './map-controller.ts';
import { RowStrip } from './row-strip.tsx';
import type { Store } from './store.ts';
import { useRow } from './use-row.ts';

interface Props { readonly store: Store; readonly state: TracePanelState; readonly site: Site; readonly head: number; readonly batch: number }

const left = 96, top = 84;

export function MapView({ store, state, site, head, batch }: Props) {
  const { manifest, trace, extents } = state.open, { input } = manifest, { queries, keys } = extents[site.name] ?? { queries: 1, keys: 1 };
  const extent: Extent = { rows: queries, cols: keys };
  // Keys of a cross-attention, or behind a cache, are not the prompt's tokens.
  const token = (i: number): string => shown(tokenAt(input, batch, i)), keysAreTokens = site.kind === 'self' && keys === queries, labels = { rowLabel: token, colLabel: keysAreTokens ? token : (i: number) => `#${i}` };
  const frame = useRef<HTMLDivElement>(null), canvas = useRef<HTMLCanvasElement>(null), axes = useRef<HTMLCanvasElement>(null), controller = useRef<MapController | undefined>(undefined);
  const [change, setChange] = useState<MapChange | undefined>(), [focus, setFocus] = useState<Cell | undefined>(), [pointer, setPointer] = useState<{ x: number; y: number } | undefined>(), [canvasNumber, setCanvasNumber] = useState(0);
  const { scale } = store.arrangement.value, row = useRow(store, { trace, site: site.name, batch, head }, focus?.row, extent.cols);

  useLayoutEffect(() => {
    const causalOffset = manifest.masks[site.name]?.causal ? manifest.masks[site.name].offset : undefined;
    const map = new MapController(canvas.current!, { host: store.host, head: { trace, site: site.name, batch, head }, extent, causalOffset, view: store.arrangement.peek().view, changed: setChange, failed: error => store.fail(error), lost: () => { setChange(undefined); setCanvasNumber(number => number + 1); } });
    controller.current = map;
    map.setKind(store.arrangement.peek().scale);
    const box = frame.current!, watcher = new ResizeObserver(() => { map.resize({ width: Math.max(40, box.clientWidth - left), height: Math.max(40, box.clientHeight - top) }); });
    watcher.observe(box);
    return () => { watcher.disconnect(); map.dispose(); };
  }, [canvasNumber]);
  useEffect(() => controller.current?.setKind(scale), [scale]);
  // A pulled state may come from an engine that was restarted: what failed in the old one is asked for again.
  useEffect(() => controller.current?.again(), [state]);
  useEffect(() => {
    if (change && axes.current) paintAxes(axes.current, { left, top, view: change.view, size: controller.current!.size, extent, ...labels, focus });
  }, [change, focus]);
  useEffect(() => { if (change) store.arrange({ view: controller.current?.chosenView }); }, [change?.view]);

  const at = (event: MouseEvent): { x: number; y: number } => { const box = canvas.current!.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
  const drag = useRef<{ x: number; y: number } | undefined>(undefined);
  const map = (): MapController => controller.current!;
  const onPointerMove = (event: PointerEvent): void => {
    const here = at(event);
    if (drag.current) { map().move(pan(map().view, here.x - drag.current.x, here.y - drag.current.y, extent, map().size)); drag.current = here; return; }
    const cell = cellAt(map().view, here.x, here.y, extent);
    setPointer(cell ? here : undefined);
    if (cell && (cell.row !== focus?.row || cell.col !== focus.col)) setFocus(cell);
  };
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const here = at(event);
    map().move(zoomAbout(map().view, here.x, here.y, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), extent, map().size));
  };
  useEffect(() => {
    const element = canvas.current!;
    // Preact's listeners are passive for wheel in some browsers; this one has to stop the page from scrolling.
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  });
  const onKey = (event: KeyboardEvent): void => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key], many = event.shiftKey ? 10 : 1;
    const zoom = { '+': 1.4, '=': 1.4, '-': 1 / 1.4 }[event.key], middle = { x: map().size.width / 2, y: map().size.height / 2 };
    if (by) {
      const from = focus ?? { row: 0, col: 0 };
      const cell = { row: Math.min(Math.max(from.row + by[0] * many, 0), extent.rows - 1), col: Math.min(Math.max(from.col + by[1] * many, 0), extent.cols - 1) };
      setFocus(cell);
      setPointer(undefined);
      const view = bringIn(map().view, cell, extent, map().size);
      if (view.row !== map().view.row || view.col !== map().view.col) map().move(view);
    } else if (zoom) map().move(zoomAbout(map().view, middle.x, middle.y, zoom, extent, map().size));
    else if (event.key === '0') map().fit();
    else return;
    event.preventDefault();
  };
  const save = (): void => {
    const label = headLabel(site, head);
    mapPicture({ title: `${label} · ${manifest.model.file}`, tiles: map().tiles, view: map().view, size: map().size, scale: map().scale, extent, left, top, ...labels })
      .then(png => store.host.saveImage({ name: `${manifest.model.file.replace(/\.onnx$/, '')}-${label}.png`, png })).catch((error: unknown) => store.fail(error));
  };
  const probability = row.values && focus ? row.values[focus.col] : undefined, hidden = probability !== undefined && Number.isNaN(probability);
  const spoken = focus ? `Query ${focus.row} ${labels.rowLabel(focus.row)}, key ${focus.col} ${labels.colLabel(focus.col)}, ${probability === undefined ? '' : hidden ? 'not visible' : percent(probability)}` : '';
  return (
    <div class="map-and-row">
      <div class="map-column">
        <div class="map-frame" ref={frame}>
          <canvas key={canvasNumber} class="map" ref={canvas} style={{ left: `${left}px`, top: `${top}px` }} data-testid="map" data-ready={change?.ready ? 'true' : 'false'} data-site={site.name} data-head={head} tabIndex={0} role="application"
            aria-label={`Attention of ${headLabel(site, head)}: rows are queries, columns are keys. Arrow keys move, plus and minus zoom, 0 fits.`}
            onPointerDown={event => { if (event.button !== 0) return; canvas.current!.setPointerCapture(event.pointerId); drag.current = at(event); }} onPointerUp={() => { drag.current = undefined; }} onPointerCancel={() => { drag.current = undefined; }} onPointerMove={onPointerMove}
            onPointerLeave={() => setPointer(undefined)} onDblClick={() => map().fit()} onKeyDown={onKey} />
          <canvas class="axes" ref={axes} aria-hidden="true" />
          {focus && pointer && <HoverCard x={left + pointer.x} y={top + pointer.y} frame={{ width: left + map().size.width, height: top + map().size.height }} {...{ state, batch, focus, keysAreTokens }} probability={probability} score={row.scores?.[focus.col]} />}
        </div>
        <div class="below">
          <Legend change={change} />
          <span class="spacer" />
          <Button testid="fit" title="Fit the whole map (0, or double-click)" onPress={() => map().fit()}>Fit</Button>
          <Button testid="save-image" title="Save what is shown as a PNG" onPress={save}>Save image…</Button>
        </div>
        {(change?.problem ?? row.problem) && <p class="failure" role="alert" data-testid="map-problem">{change?.problem ?? row.problem} <button type="button" class="link" onClick={() => map().again()}>Try again</button></p>}
      </div>
      <RowStrip state={state} batch={batch} focus={focus} values={row.values} keyLabel={labels.colLabel} />
      <span class="spoken" aria-live="polite" data-testid="spoken">{spoken}</span>
    </div>
  );
}

interface HoverProps { readonly x: number; readonly y: number; readonly frame: Size; readonly state: TracePanelState; readonly batch: number; readonly focus: Cell; readonly probability: number | undefined; readonly score: number | undefined; readonly keysAreTokens: boolean }

const cardWidth = 420, cardHeight = 112, cardGap = 14;

/** Beside the pointer, on the side that has more room. */
function HoverCard({ x, y, frame, state, batch, focus, probability, score, keysAreTokens }: HoverProps) {
  const { input } = state.open.manifest, line = (what: string, index: number) => {
    const text = around(input, batch, index, 20);
    return <p><span class="quiet">{what} {index}</span> {inLine(text.before)}<mark>{shown(text.here)}</mark>{inLine(text.after)}</p>;
  };
  const across = x > frame.width / 2 ? { right: `${frame.width - x + cardGap}px`, maxWidth: `${Math.min(cardWidth, x - cardGap)}px` } : { left: `${x + cardGap}px`, maxWidth: `${Math.min(cardWidth, frame.width - x - cardGap)}px` };
  const down = y + cardGap + cardHeight > frame.height ? { bottom: `${frame.height - y + cardGap}px` } : { top: `${y + cardGap}px` };
  return (
    <div class="hover-card" data-testid="hover-card" style={{ ...across, ...down }}>
      <p class="large" data-testid="hover-probability">{probability === undefined ? '…' : Number.isNaN(probability) ? 'not visible' : percent(probability)} {probability !== undefined && !Number.isNaN(probability) && <span class="quiet">p = {probability.toPrecision(4)}{score !== undefined && Number.isFinite(score) ? `, score ${shortNumber(score)}` : ''}</span>}</p>
      {line('query', focus.row)}
      {keysAreTokens ? line('key', focus.col) : <p><span class="quiet">key</span> #{focus.col}</p>}
    </div>
  );
}

/** Line ends as signs: a card of three lines stays one. */
function inLine(text: string): string { return text.replace(/\r?\n/g, '⏎'); }
