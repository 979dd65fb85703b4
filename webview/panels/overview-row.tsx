/** One row of the grid: its label, a button for every head, and the thumbnails of all of them on one canvas, drawn when the row scrolls into view. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { OpenTrace, Thumbnails } from '../../extension/contract/api.ts';
import { sequenceOf } from '../../extension/contract/sequences.ts';
import type { Manifest, MetricCard } from '../../extension/contract/trace.ts';
import { cellLefts, thumbnailTexels, type GridSize } from '../marks/grid.ts';
import type { HeadCell, HeadRow } from '../marks/head-rows.ts';
import { headSentence, sinkOver, sinkWords } from '../marks/head-words.ts';
import { metricNumber, metricOf, type HeadEntry } from '../marks/heads.ts';
import { failure } from '../marks/parity.ts';
import { probabilityScale, type Scale } from '../marks/scale.ts';
import { colourChanges } from '../paint/diverging.ts';
import { colourTexels } from '../paint/heat-2d.ts';
import { cellColors } from '../paint/heat-cells.ts';
import { maskedColour } from '../paint/theme.ts';
import type { HeadOrder } from '../marks/head-rows.ts';
import type { ThumbnailSource } from './overview-thumbnails.ts';

/** What all rows of a grid have in common. */
export interface RowLook {
  readonly manifest: Manifest;
  readonly extents: OpenTrace['extents'];
  /** Sites of linear attention whose implied weights can be drawn. */
  readonly implied: readonly string[];
  readonly batch: number;
  readonly cards: readonly MetricCard[];
  readonly card: MetricCard;
  readonly order: HeadOrder;
  /** Colors of the heat map; undefined: thumbnails are shown. */
  readonly heat: Scale | undefined;
  readonly size: GridSize;
  /** CSS pixels of the row labels. */
  readonly label: number;
  readonly source: ThumbnailSource;
  /** There are so many heads that only rows near the window have their cells. */
  readonly virtual: boolean;
  /** Counts changes of the editor's theme. */
  readonly theme: number;
}

/** The name by which a grid knows a head. */
export function keyOf(entry: HeadEntry): string { return `${entry.index}.${entry.head}`; }

/** `at`: of this row among all; `tab`: the column that Tab comes to, −1 for none; `held`: it has its cells wherever it is. */
export function Row({ look, row, at, tab, held }: { readonly look: RowLook; readonly row: HeadRow; readonly at: number; readonly tab: number; readonly held: boolean }) {
  const { manifest, extents, batch, heat, size, source, theme, label, virtual } = look, element = useRef<HTMLDivElement>(null), canvas = useRef<HTMLCanvasElement>(null), [inView, setInView] = useState(false), [near, setNear] = useState(false), empty = virtual && !near && !held;
  useEffect(() => {
    const watcher = new IntersectionObserver(entries => {
      const hit = entries[entries.length - 1].isIntersecting;
      if (hit) setInView(true);
      if (virtual) setNear(hit); else if (hit) watcher.disconnect();
    }, { rootMargin: '400px' });
    watcher.observe(element.current!);
    return () => watcher.disconnect();
  }, [virtual]);
  const sites = useMemo(() => [...new Set(row.cells.filter(({ entry: { failed: off, site } }) => !off && (site.form !== 'linear' || look.implied.includes(site.name))).map(cell => cell.entry.site.name))], [row]);
  useEffect(() => { if (inView && !heat) for (const site of sites) source.want(site); }, [inView, !heat, sites, source]);
  const thumbs = new Map(inView && !heat ? sites.map(site => [site, source.of(site).value] as const) : []);
  const found = [...thumbs].flatMap(([site, one]) => (one.found ? [[site, one.found] as const] : [])), problem = [...thumbs.values()].find(one => one.problem !== undefined)?.problem;
  const lefts = useMemo(() => cellLefts(row.cells.length, size.step, row.groups.map(group => group.from)), [row, size.step]), width = (lefts[lefts.length - 1] ?? 0) + size.step;
  useEffect(() => { if (canvas.current) drawThumbnails(canvas.current, row.cells, new Map(found), { manifest, extents, batch, lefts, width, size }); }, [...found.map(([, one]) => one), found.length, row, batch, theme, size, lefts, empty]);
  const ready = new Set(found.map(([site]) => site)), failed = row.site !== undefined && row.cells.every(cell => cell.entry.failed);
  const cells = useMemo(() => empty ? [] : row.cells.map((cell, col) => <Cell key={keyOf(cell.entry)} {...{ look, cell, at, col, inView }} tab={col === tab} ready={heat !== undefined || ready.has(cell.entry.site.name)} gap={col > 0 && lefts[col] > lefts[col - 1] + size.step} />), [look, row, at, tab, inView, found.length, empty]);
  return (
    <div class={`layer${row.groups.length ? ' with-groups' : ''}${virtual ? ' virtual' : ''}`} ref={element} role="row" aria-rowindex={at + 1} style={{ width: `${label + width}px` }}>
      <span class="label" role="rowheader" title={row.title} style={{ flexBasis: `${label}px` }}>{row.label}</span>
      <div class="heads" title={failed ? failure(row.site!, manifest.parity[row.site!.name]) : undefined}>
        {row.groups.map(group => (
          <span key={group.kv} class="group" aria-hidden="true" data-testid="kv-group" data-kv={group.kv} style={{ left: `${lefts[group.from]}px`, width: `${lefts[group.from + group.count - 1] - lefts[group.from] + size.step}px` }}>
            kv{group.kv}{group.mean !== undefined && group.count * size.step > 76 ? ` · mean ${metricNumber(look.card, group.mean)}` : ''}
          </span>
        ))}
        {found.length > 0 && !empty && <canvas ref={canvas} aria-hidden="true" style={{ width: `${width}px` }} />}
        {cells}
      </div>
      {problem !== undefined && <span class="failure">{problem}</span>}
    </div>
  );
}

interface CellProps { readonly look: RowLook; readonly cell: HeadCell; readonly at: number; readonly col: number; readonly tab: boolean; readonly ready: boolean; readonly inView: boolean; readonly gap: boolean }

/** A button: colored by its number, or over its part of the row's canvas. */
function Cell({ look, cell: { entry, faint }, at, col, tab, ready, inView, gap }: CellProps) {
  const { manifest, batch, cards, card, order, heat, size } = look, { failed, stats } = entry, value = metricOf(entry, card), sink = !failed && stats !== undefined && stats.sink > sinkOver;
  const colors = heat && value !== undefined ? cellColors(heat, value) : undefined;
  return (
    <button type="button" role="gridcell" class={`head${failed ? ' hatched' : ''}${sink ? ' sink' : ''}${faint ? ' faint' : ''}${gap ? ' gap' : ''}${heat && !failed && value === undefined ? ' unmeasured' : ''}`} style={colors && { background: colors.ground, color: colors.ink }}
      data-testid="head-cell" data-label={entry.label} data-key={keyOf(entry)} data-row={at} data-col={col} data-head={entry.head} data-sink={failed ? undefined : stats?.sink} data-value={value} data-ready={ready && !failed ? 'true' : undefined}
      tabIndex={tab ? 0 : -1} aria-disabled={faint ? 'true' : undefined} aria-label={`${headSentence(entry, manifest.input, batch, cards, card)}${faint ? ' (not in the filter)' : ''}`}>
      {(inView || !size.small) && (heat ? heatText(look, entry, value) : (
        <><span class="why">{failed ? (size.small ? '✗' : 'not drawn') : entry.site.form === 'linear' && !look.implied.includes(entry.site.name) ? (size.small ? '–' : 'not kept') : ''}</span><span class="caption"><b>{size.small ? `H${entry.head}` : entry.label}</b>{entry.site.alignmentHeads?.includes(entry.head) && <span class="alignment" title="Alignment head: its attention follows the sound in time (generation_config.json)">align</span>}{!size.small && (entry.site.form === 'linear' ? <span class="quiet">implied</span> : caption(entry, card, value, sinkWords(entry, manifest.input, batch), order))}</span></>
      ))}
    </button>
  );
}

function heatText({ order, size, card }: RowLook, entry: HeadEntry, value: number | undefined) {
  const number = entry.failed ? '✗' : value === undefined ? '–' : metricNumber(card, value);
  if (order === 'layers') return size.small ? (entry.failed ? number : null) : number;
  return <><b>{order === 'all' ? entry.label : `H${entry.head}`}</b>{!size.small && <span>{number}</span>}</>;
}

/** Under a thumbnail: the sink, where it is one, or the number that was chosen. */
function caption(entry: HeadEntry, card: MetricCard, value: number | undefined, sink: string | undefined, order: HeadOrder) {
  if (entry.failed) return null;
  if (card.name === 'sink' && (sink !== undefined || order === 'layers')) {
    if (sink === undefined) return null;
    const [share, ...token] = sink.split(' ');
    return <span class="share">{share} <code>{token.join(' ')}</code></span>;
  }
  return <span class="quiet">{metricNumber(card, value)}</span>;
}

interface RowPicture { readonly manifest: Manifest; readonly extents: OpenTrace['extents']; readonly batch: number; readonly lefts: readonly number[]; readonly width: number; readonly size: GridSize }

function largestSize(weights: Float32Array): number { return weights.reduce((most, weight) => (Math.abs(weight) > most ? Math.abs(weight) : most), 0); }

/** All heads of a row on one canvas. Means over many cells are faint: each thumbnail has a scale of its own, gamma, up to its largest value; implied weights a diverging one. */
function drawThumbnails(canvas: HTMLCanvasElement, cells: readonly HeadCell[], thumbs: ReadonlyMap<string, Thumbnails>, { manifest, extents, batch, lefts, width, size }: RowPicture): void {
  const ratio = devicePixelRatio, context = canvas.getContext('2d')!, one = document.createElement('canvas'), texelsOf = one.getContext('2d')!, masked = maskedColour();
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(size.thumb * ratio);
  context.imageSmoothingEnabled = false;
  cells.forEach(({ entry: { site, head }, faint }, col) => {
    const found = thumbs.get(site.name);
    if (!found) return;
    const extent = extents[site.name] ?? { queries: 32, keys: 32 }, real = site.kind === 'self' ? sequenceOf(manifest.input, site, 'queries')?.real[batch] : undefined;
    const { rows, cols, data, most } = thumbnailTexels(found.data, { batch, head, heads: found.heads, size: found.size }, extent, site.mask.causal, real?.length === extent.queries && extent.queries === extent.keys ? real : undefined), image = texelsOf.createImageData(cols, rows);
    if (site.form === 'linear') colourChanges(data, largestSize(data), masked, image.data); else colourTexels(data, probabilityScale('gamma', most), masked, image.data);
    one.width = cols;
    one.height = rows;
    texelsOf.putImageData(image, 0, 0);
    context.globalAlpha = faint ? 0.15 : 1;
    context.drawImage(one, Math.round((lefts[col] + size.inset) * ratio), 0, Math.round(size.thumb * ratio), canvas.height);
  });
}
