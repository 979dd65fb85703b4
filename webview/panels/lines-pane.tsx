/** One head as lines between its queries and its keys, for short inputs. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Tile } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone } from '../../extension/contract/errors.ts';
import { headLabel } from '../../extension/contract/site.ts';
import { cellOf, nearestCell, reach } from '../marks/bands.ts';
import { lineLayout, linesOf, mostLineCells } from '../marks/lines.ts';
import { tileRequest } from '../marks/map-axes.ts';
import { mapTitle, reductions, type Shown } from '../marks/map-title.ts';
import { percent, position, probabilityScale } from '../marks/scale.ts';
import { look, type Look } from '../paint/axes.ts';
import { drawLines, lineHead, lineLabelRoom } from '../paint/lines.ts';
import type { PicturePane } from '../paint/picture.ts';
import { isLight, onThemeChange } from '../paint/theme.ts';
import { keyAction } from './map-keys.ts';
import { PaneTitle, type PaneProps } from './pane.tsx';

export function LinesPane({ store, state, site, head, batch, axes, top, primary, alone, handles, onUnpin, onSpoken, onChange }: PaneProps) {
  const { trace } = state.open, label = headLabel(site, head), rows = axes.rows.count, cols = axes.cols.count, fits = rows <= mostLineCells && cols <= mostLineCells;
  const frame = useRef<HTMLDivElement>(null), canvas = useRef<HTMLCanvasElement>(null);
  const [tile, setTile] = useState<Tile | undefined>(), [problem, setProblem] = useState<string | undefined>(), [room, setRoom] = useState({ width: 400, height: 400 }), [repaint, setRepaint] = useState(0), [hovered, setHovered] = useState(false);
  const { scale: kind, map: options } = store.arrangement.value, focus = store.focus.value, focusRow = focus && cellOf(axes.rows, focus.query), col = focus && cellOf(axes.cols, focus.key);
  const chosen = options.chosen === undefined ? undefined : cellOf(axes.rows, options.chosen), row = chosen ?? (hovered ? focusRow : undefined);
  const layout = useMemo(() => lineLayout(rows, cols, room.height - lineHead), [rows, cols, room.height]), width = Math.max(2 * lineLabelRoom + 80, Math.min(room.width, 760));
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setRoom({ width: entry.contentRect.width, height: entry.contentRect.height }));
    watcher.observe(frame.current!);
    const stops = [onThemeChange(() => setRepaint(count => count + 1)), top.onRise(() => setRepaint(count => count + 1))];
    return () => { watcher.disconnect(); for (const stop of stops) stop(); };
  }, [top]);
  useEffect(() => {
    setTile(undefined);
    if (!fits || !rows || !cols) return undefined;
    const stop = new AbortController();
    store.host.tile(tileRequest({ trace, site: site.name, batch, head }, axes, [0, rows], [0, cols], { height: rows, width: cols }, 'max'), { signal: stop.signal }).then(found => {
      for (const value of found.data) top.raise(value);
      setTile(found);
      setProblem(undefined);
    }, (error: unknown) => {
      if (error instanceof Cancelled) return;
      if (error instanceof PeerGone) store.fail(error);
      setProblem(error instanceof Error ? error.message : String(error));
    });
    return () => stop.abort();
  }, [axes.id, trace, site.name, head, batch, state, fits, top]);
  const scale = probabilityScale(kind, top.value), shown: Shown = { label, words: axes.words, hidden: axes.hidden, sink: axes.sink, renormalised: axes.renormalised, pooled: 1 };
  const paint = (context: CanvasRenderingContext2D, ink: Look, alike = { row, col }): void => {
    if (tile) drawLines(context, { lines: linesOf(tile.data, rows, cols, layout, value => position(scale, value)), layout, rows, cols, width, rowLabel: axes.rowLabel, colLabel: axes.colLabel, ...alike }, ink);
  };
  useEffect(() => {
    const element = canvas.current;
    if (!element || !tile) return;
    const ratio = devicePixelRatio;
    element.width = Math.round(width * ratio);
    element.height = Math.round((layout.height + lineHead) * ratio);
    const context = element.getContext('2d')!;
    context.scale(ratio, ratio);
    paint(context, look());
  }, [tile, layout, width, row, col, kind, repaint]);
  useEffect(() => { if (tile) onChange(label, { scale, level: 0 }); }, [tile, kind, repaint]);
  useEffect(() => {
    const every = { rows: [0, rows] as const, cols: [0, cols] as const };
    if (fits) handles.set(label, { inSight: () => ({ cells: every, rows: reach(axes.rows, every.rows), cols: reach(axes.cols, every.cols) }), picture: (): PicturePane => ({ title: mapTitle(shown), width, height: layout.height + lineHead, draw: (context, ink) => paint(context, { ink, accent: isLight() ? '#005fb8' : '#4daafc', font: '11px monospace' }, { row: chosen, col: undefined }) }) });
    return () => { handles.delete(label); };
  });
  const see = (cell: { readonly row: number; readonly col: number }): void => { store.focus.value = { query: axes.rows.from[cell.row], key: axes.cols.from[cell.col] }; };
  const value = tile && focusRow !== undefined && col !== undefined ? tile.data[focusRow * cols + col] : undefined;
  useEffect(() => {
    if (!hovered || focusRow === undefined || col === undefined || value === undefined) return;
    onSpoken(`${alone ? '' : `${label}: `}Query ${focus!.query} ${axes.rowLabel(focusRow)}, key ${focus!.key} ${axes.colLabel(col)}, ${Number.isNaN(value) ? 'not visible' : percent(value)}`);
  }, [hovered, focus, value]);
  const onPointerMove = (event: PointerEvent): void => {
    const box = canvas.current!.getBoundingClientRect(), x = event.clientX - box.left, at = Math.floor((event.clientY - box.top - lineHead) / layout.rowStep);
    setHovered(true);
    if (x < width / 2 && at >= 0 && at < rows) see({ row: at, col: col ?? 0 });
    else if (x >= width / 2 && at >= 0 && at < cols) see({ row: focusRow ?? 0, col: at });
  };
  const onKey = (event: KeyboardEvent): void => {
    const action = keyAction(event, { row: focusRow ?? nearestCell(axes.rows, focus?.query ?? 0), col: col ?? nearestCell(axes.cols, focus?.key ?? 0) }, { rows, cols }, 10);
    if (!action || action.do === 'zoom' || action.do === 'fit') return;
    event.preventDefault();
    if (action.do === 'move') { setHovered(true); see(action.cell); } else store.draw({ chosen: action.do === 'release' || focusRow === undefined || chosen === focusRow ? undefined : axes.rows.from[focusRow] });
  };
  return (
    <div class="pane" data-testid="pane" data-label={label}>
      <PaneTitle {...{ label, alone, onUnpin }} parts={reductions({ ...shown, ...(alone ? {} : { words: false }) })} sink={axes.sink} noSink={options.sinkApart && !axes.sink} />
      <div class="lines-frame" ref={frame}>
        {fits ? <canvas ref={canvas} class="lines" style={{ width: `${width}px`, height: `${layout.height + lineHead}px` }} data-testid={primary ? 'lines' : 'pinned-lines'} data-ready={tile ? 'true' : 'false'} data-site={site.name} data-head={head} tabIndex={0} role="application"
          aria-label={`Attention of ${mapTitle(shown)} as lines: queries left, keys right. Up and down choose the query, left and right the key, Enter keeps its lines.`}
          onPointerMove={onPointerMove} onPointerLeave={() => setHovered(document.activeElement === canvas.current)} onFocus={() => setHovered(true)} onBlur={() => setHovered(false)} onKeyDown={onKey}
          onClick={() => store.draw({ chosen: focusRow === undefined || chosen === focusRow ? undefined : axes.rows.from[focusRow] })} />
          : <p class="quiet notice" data-testid="too-long">Lines are for up to {mostLineCells} cells a side; this map has {rows.toLocaleString('en')} queries and {cols.toLocaleString('en')} keys. Words or fewer tokens may fit; the map shows any length.</p>}
        {problem && <p class="failure" role="alert" data-testid="map-problem">{problem}</p>}
      </div>
    </div>
  );
}
