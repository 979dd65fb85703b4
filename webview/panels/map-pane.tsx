/** The map of one head with its axes, the key that stands apart, and the chosen row as bars; mouse and keyboard. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { headLabel } from '../../extension/contract/site.ts';
import { cellOf, nearestCell, reach } from '../marks/bands.ts';
import { rulerText } from '../marks/axis.ts';
import { mapTitle, reductions, type Shown } from '../marks/map-title.ts';
import { percent, shortNumber } from '../marks/scale.ts';
import { columnOf, spanBetween, spanCells, spanText, type Span } from '../marks/span.ts';
import { bringIn, cellAt, centreOn, pan, visible, zoomAbout, type Cell, type Size } from '../marks/view.ts';
import { drawAxes, paintAxes, look, type Axes } from '../paint/axes.ts';
import { drawRowBars, drawSinkColumn } from '../paint/bars.ts';
import { heat2d } from '../paint/heat-2d.ts';
import { pictureRatio, type PicturePane } from '../paint/picture.ts';
import { isLight, maskedColour, themeColour, onThemeChange } from '../paint/theme.ts';
import { HoverCard } from './hover-card.tsx';
import { MapController, type MapChange } from './map-controller.ts';
import { keyAction } from './map-keys.ts';
import { PaneTitle, type PaneProps } from './pane.tsx';
import { Rulers } from './rulers.tsx';
import { useRow, useSinkColumn } from './use-row.ts';
import { useSpan } from './use-span.ts';

const barsRoom = 78;

export function MapPane({ store, state, site, head, batch, axes, top, primary, alone, spanMass, handles, onUnpin, onSpoken, onChange }: PaneProps) {
  const { trace } = state.open, ref = { trace, site: site.name, batch, head }, label = headLabel(site, head);
  const frame = useRef<HTMLDivElement>(null), canvas = useRef<HTMLCanvasElement>(null), over = useRef<HTMLCanvasElement>(null), controller = useRef<MapController | undefined>(undefined);
  const [change, setChange] = useState<MapChange | undefined>(), [pointer, setPointer] = useState<{ x: number; y: number } | undefined>(), [active, setActive] = useState(false), [canvasNumber, setCanvasNumber] = useState(0), [theme, setTheme] = useState(0);
  const { view, scale, map: options } = store.arrangement.value, focus = store.focus.value;
  const row = focus && cellOf(axes.rows, focus.query), col = focus && cellOf(axes.cols, focus.key), chosen = options.chosen === undefined ? undefined : cellOf(axes.rows, options.chosen);
  const span = axes.of === 'prob' ? options.span : undefined, cells = span && spanCells(axes[span.of], span), own = useSpan(store, ref, axes, spanMass ? undefined : span), mass = span && cells ? spanMass ?? own : undefined;
  // Left of the map, from its edge: what a span of keys gets, then the key that stands apart.
  const sinkRoom = alone ? 66 : 44, free = { spanRoom: cells && span?.of === 'cols' ? sinkRoom : 0, bottom: chosen !== undefined || (cells && span?.of === 'rows') ? barsRoom : 0 }, held = useRef<typeof free | undefined>(undefined), [, setHolding] = useState(false);
  const { spanRoom, bottom } = held.current ?? free, apart = (axes.sink ? sinkRoom : 0) + spanRoom, left = (alone ? 96 : 74) + apart, topRoom = alone ? 84 : 72;
  const hold = (holding: boolean): void => { held.current = holding ? { spanRoom, bottom } : undefined; setHolding(holding); };
  const size = controller.current?.size ?? { width: 1, height: 1 }, shownRow = useRow(store, ref, axes, row), bars = useRow(store, ref, axes, chosen), column = useSinkColumn(store, ref, axes, change?.view, size);
  const map = (): MapController => controller.current!, extent = { rows: axes.rows.count, cols: axes.cols.count };

  useLayoutEffect(() => {
    const made = new MapController(canvas.current!, {
      host: store.host, head: ref, axes, top, look: { kind: scale, colours: options.colours }, view: store.arrangement.peek().view, changed: setChange,
      moved: moved => store.arrange({ view: moved }), failed: error => store.fail(error), lost: () => { setChange(undefined); setCanvasNumber(number => number + 1); },
    });
    controller.current = made;
    return () => { made.dispose(); setChange(undefined); };
  }, [canvasNumber, axes.id, top]);
  useLayoutEffect(() => {
    const box = frame.current!, watcher = new ResizeObserver(() => map().resize(roomFor(box, left, topRoom, bottom)));
    watcher.observe(box);
    map().resize(roomFor(box, left, topRoom, bottom));
    return () => watcher.disconnect();
  }, [canvasNumber, axes.id, top, left, topRoom, bottom]);
  useEffect(() => { map().look = { kind: scale, colours: options.colours }; }, [scale, options.colours]);
  useEffect(() => onThemeChange(() => setTheme(count => count + 1)), []);
  // A pulled state may come from an engine that was restarted: what failed in the old one is asked for again.
  useEffect(() => map().again(), [state]);
  useEffect(() => map().show(view), [view]);
  useEffect(() => { if (change) onChange(label, change); }, [change]);
  // Focus that comes from elsewhere (a search) may lie outside of the window; where the map begins is what a person, or a link, chose.
  const followed = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (!change) return;
    const here = `${row} ${col}`;
    if (!active && primary && row !== undefined && col !== undefined && followed.current !== undefined && followed.current !== here) {
      // What rests under the pointer is not what the focus went to.
      setPointer(undefined);
      seek({ row, col });
    }
    followed.current = here;
  }, [row, col, change !== undefined]);
  const seek = (cell: Cell): void => { const to = bringIn(map().view, cell, extent, map().size); if (to.row !== map().view.row || to.col !== map().view.col) map().move(centreOn(map().view, cell, extent, map().size)); };

  const shown: Shown = { label, words: axes.words, hidden: axes.hidden, sink: axes.sink, renormalised: axes.renormalised, pooled: change ? 2 ** change.level : 1 };
  const axesOf = (at: MapChange['view'], room: Size): Axes => ({ left, top: topRoom, apart, bottom, view: at, size: room, extent, rowLabel: (cell, step) => rulerText(axes.rowLabel(cell), axes.rows.from[cell] ?? 0, step), colLabel: (cell, step) => rulerText(axes.colLabel(cell), axes.cols.from[cell] ?? 0, step), focus: { row, col }, chosen, ...(span && cells ? { span: { of: span.of, cells } } : {}) });
  const paintBars = (context: CanvasRenderingContext2D, at: MapChange['view'], room: Size, ink = look()): void => {
    const height = Math.min(room.height, (extent.rows - at.row) * at.cell);
    const beside = { top: topRoom, width: sinkRoom - 8, view: at, size: room, rows: extent.rows };
    if (column) drawSinkColumn(context, column, { ...beside, x: left - apart + 2 }, ink);
    if (mass?.values && spanRoom) {
      const shown = columnOf(mass.values, visible(at, extent, room).rows, room.height);
      drawSinkColumn(context, { ...shown, title: `0–${percent(shown.most)} on ${spanText(span!)}` }, { ...beside, x: left - spanRoom + 2 }, ink);
    }
    if (mass?.values && span?.of === 'rows' && bottom) drawRowBars(context, mass.values, { left, top: topRoom + height + 4, height: bottom - 8, view: at, size: room, label: spanText(span), signed: false }, ink);
    if (chosen !== undefined && bars.values && bottom) drawRowBars(context, bars.values, { left, top: topRoom + height + 4, height: bottom - 8, view: at, size: room, label: axes.rowLabel(chosen), signed: axes.of === 'implied' }, ink);
  };
  // In the same turn as the map: labels must never lag behind its cells.
  useLayoutEffect(() => { if (change && over.current) paintBars(paintAxes(over.current, axesOf(change.view, map().size)), change.view, map().size); }, [change, row, col, chosen, bars.values, column, theme, left, bottom, mass?.values, span]);

  useEffect(() => {
    handles.set(label, {
      inSight: () => { const cells = visible(map().view, extent, map().size); return { cells, rows: reach(axes.rows, cells.rows), cols: reach(axes.cols, cells.cols) }; },
      picture: (): PicturePane => {
        const at = map().view, room = { width: Math.min(map().size.width, (extent.cols - at.col) * at.cell), height: Math.min(map().size.height, (extent.rows - at.row) * at.cell) };
        return {
          title: mapTitle(shown), width: left + room.width, height: topRoom + room.height + bottom,
          draw: (context, ink) => {
            const cells = document.createElement('canvas');
            heat2d(cells).draw({ view: at, size: room, devicePixels: pictureRatio, scale: map().scale, colours: map().colours, tiles: map().tiles, masked: maskedColour(), background: themeColour('--vscode-editor-background', [30, 30, 30]) });
            context.drawImage(cells, left, topRoom, room.width, room.height);
            const plain = { ink, accent: isLight() ? '#005fb8' : '#4daafc', font: '11px monospace' };
            drawAxes(context, { ...axesOf(at, room), focus: undefined }, plain);
            paintBars(context, at, room, plain);
          },
        };
      },
    });
    return () => { handles.delete(label); };
  });

  const at = (event: MouseEvent): { x: number; y: number } => { const box = canvas.current!.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
  const see = (cell: Cell): void => { store.focus.value = { query: axes.rows.from[cell.row], key: axes.cols.from[cell.col] }; };
  const drag = useRef<{ x: number; y: number; far: boolean } | undefined>(undefined);
  const choose = (): void => store.draw({ chosen: row === undefined || chosen === row ? undefined : axes.rows.from[row], span: undefined });
  const brush = (next: Span | undefined): void => store.draw({ span: next, ...(next ? { chosen: undefined } : {}) });
  // By the keyboard: from the cell where it was begun to the cell in focus, until it is ended.
  const brushed = useRef<{ of: Span['of']; cell: number } | undefined>(undefined);
  const follow = (cell: Cell): void => { if (brushed.current) brush(spanBetween(brushed.current.of, axes[brushed.current.of], brushed.current.cell, brushed.current.of === 'rows' ? cell.row : cell.col)); };
  const toggleBrush = (of: Span['of']): void => {
    const cell = { row: row ?? nearestCell(axes.rows, focus?.query ?? 0), col: col ?? nearestCell(axes.cols, focus?.key ?? 0) }, ends = brushed.current?.of === of;
    brushed.current = ends ? undefined : { of, cell: of === 'rows' ? cell.row : cell.col };
    if (!ends) { follow(cell); onSpoken(`A span of ${of === 'rows' ? 'queries' : 'keys'} begins here; arrow keys extend it, ${of === 'rows' ? 'b' : 'Shift B'} ends it`); }
  };
  const onPointerMove = (event: PointerEvent): void => {
    const here = at(event);
    if (drag.current) {
      const far = drag.current.far || Math.hypot(here.x - drag.current.x, here.y - drag.current.y) > 3;
      if (far) { map().move(pan(map().view, here.x - drag.current.x, here.y - drag.current.y, extent, map().size)); drag.current = { ...here, far }; }
      return;
    }
    const cell = cellAt(map().view, here.x, here.y, extent);
    setPointer(cell ? here : undefined);
    setActive(true);
    if (cell && (cell.row !== row || cell.col !== col)) see(cell);
  };
  const onPointerUp = (): void => { const pressed = drag.current; drag.current = undefined; if (pressed && !pressed.far && pointer) choose(); };
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
    const middle = { x: map().size.width / 2, y: map().size.height / 2 };
    const action = keyAction(event, { row: row ?? nearestCell(axes.rows, focus?.query ?? 0), col: col ?? nearestCell(axes.cols, focus?.key ?? 0) }, extent, Math.max(1, Math.floor(map().size.height / map().view.cell) - 1));
    if (!action) return;
    event.preventDefault();
    if (action.do === 'move') {
      see(action.cell);
      follow(action.cell);
      setPointer(undefined);
      const to = bringIn(map().view, action.cell, extent, map().size);
      if (to.row !== map().view.row || to.col !== map().view.col) map().move(to);
    } else if (action.do === 'zoom') map().move(zoomAbout(map().view, middle.x, middle.y, action.factor, extent, map().size));
    else if (action.do === 'fit') map().move(undefined);
    else if (action.do === 'choose') choose();
    else if (action.do === 'release') { brushed.current = undefined; store.draw({ chosen: undefined, span: undefined }); }
    else if (axes.of === 'prob') toggleBrush(action.do === 'brush-rows' ? 'rows' : 'cols');
  };
  const probability = shownRow.values && col !== undefined ? shownRow.values[col] : undefined, hidden = probability !== undefined && Number.isNaN(probability);
  const place = (what: string, position: number | undefined, cell: number | undefined, name: (cell: number) => string): string => `${what} ${position ?? ''} ${cell === undefined ? '' : name(cell)}`;
  useEffect(() => {
    if (!(active || (primary && !pointer)) || !focus || probability === undefined) return;
    onSpoken(`${alone ? '' : `${label}: `}${place('Query', focus.query, row, axes.rowLabel)}, ${place('key', focus.key, col, axes.colLabel).trim()}, ${hidden ? 'not visible' : axes.of === 'implied' ? `implied weight ${shortNumber(probability)}` : percent(probability)}`);
  }, [active, focus, probability]);
  const problem = change?.problem ?? shownRow.problem ?? own.problem;
  return (
    <div class="pane" data-testid="pane" data-label={label}>
      <PaneTitle {...{ label, alone, onUnpin }} parts={reductions({ ...shown, pooled: 1, ...(alone ? {} : { words: false }) })} sink={axes.sink} noSink={options.sinkApart && !axes.sink} />
      <div class="map-frame" ref={frame}>
        <canvas key={`${canvasNumber} ${axes.id} ${top.id}`} class="map" ref={canvas} style={{ left: `${left}px`, top: `${topRoom}px`, width: `calc(100% - ${left}px)`, height: `calc(100% - ${topRoom + bottom}px)` }} data-testid={primary ? 'map' : 'pinned-map'} data-ready={change?.ready ? 'true' : 'false'} data-tiles={change?.tiles ?? 0} data-site={site.name} data-head={head} tabIndex={0} role="application"
          aria-label={`${axes.of === 'implied' ? 'Implied weights' : 'Attention'} of ${mapTitle(shown)}: rows are queries, columns are keys. Arrow keys move, plus and minus zoom, 0 fits, Enter shows the row as bars, ${axes.of === 'implied' ? '' : 'b selects a span of queries and Shift+B one of keys, '}question mark lists all keys.`}
          onPointerDown={event => { if (event.button !== 0) return; canvas.current!.setPointerCapture(event.pointerId); drag.current = { ...at(event), far: false }; }} onPointerUp={onPointerUp} onPointerCancel={() => { drag.current = undefined; }} onPointerMove={onPointerMove}
          onPointerLeave={() => { setPointer(undefined); setActive(document.activeElement === canvas.current); }} onFocus={() => setActive(true)} onBlur={() => setActive(false)} onDblClick={() => map().move(undefined)} onKeyDown={onKey} />
        <canvas class="axes" ref={over} aria-hidden="true" />
        {change && axes.of === 'prob' && <Rulers {...{ axes, left, size }} view={change.view} top={topRoom} onBrush={brush} onHold={hold} />}
        {problem && <p class="failure over-map" role="alert" data-testid="map-problem">{problem} <button type="button" class="link" onClick={() => map().again()}>Try again</button></p>}
        {focus && row !== undefined && col !== undefined && pointer && <HoverCard x={left + pointer.x} y={topRoom + pointer.y} frame={{ width: left + size.width, height: topRoom + size.height }} {...{ batch, axes, row, col }} probability={probability} score={shownRow.scores?.[col]} />}
      </div>
    </div>
  );
}

function roomFor(box: HTMLElement, left: number, top: number, bottom: number): Size { return { width: Math.max(40, box.clientWidth - left), height: Math.max(40, box.clientHeight - top - bottom) }; }
