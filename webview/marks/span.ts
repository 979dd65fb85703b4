/** A span of queries or of keys that a person brushed on a ruler: where it lies, how the engine is asked for its mass, and what is said of it. */
import type { HeadRef, TileRequest } from '../../extension/contract/api.ts';
import { nearestCell, reach, runsOf, type Band } from './bands.ts';
import type { MapAxes } from './map-axes.ts';
import { percent } from './scale.ts';

/** Half-open, in positions. */
export interface Ends { readonly from: number; readonly to: number }
export interface Span extends Ends { readonly of: 'rows' | 'cols' }

/** What was kept or linked; undefined for what is no span. */
export function restoreSpan(kept: unknown): Span | undefined {
  const { of, from, to } = (typeof kept === 'object' && kept !== null ? kept : {}) as { readonly [K in keyof Span]?: unknown };
  return (of === 'rows' || of === 'cols') && Number.isSafeInteger(from) && Number.isSafeInteger(to) && (from as number) >= 0 && (to as number) > (from as number) ? { of, from: from as number, to: to as number } : undefined;
}

/** From one cell to another, both of them within, in any order; cells beyond the axis are its last. Undefined where there are none. */
export function spanBetween(of: Span['of'], band: Band, one: number, other: number): Span | undefined {
  if (!band.count) return undefined;
  const cut = (cell: number): number => Math.min(Math.max(0, cell), band.count - 1), [from, to] = reach(band, [cut(Math.min(one, other)), cut(Math.max(one, other)) + 1]);
  return { of, from, to };
}

/** The cells that it reaches over, half-open; undefined where the axis ends before it. */
export function spanCells(band: Band, { from, to }: Ends): readonly [number, number] | undefined {
  if (!band.count || from >= band.to[band.count - 1]) return undefined;
  return [nearestCell(band, from), nearestCell(band, to - 1) + 1];
}

/**
 * Of queries: one row, the mean of theirs, a value a cell of the columns. Of keys: one column, what they get together, a value a cell of the rows.
 * NaN where none of the queries sees any of the keys.
 */
export function spanRequest(head: HeadRef, axes: MapAxes, { of, from, to }: Span): TileRequest {
  const { rows, cols } = axes, every = (band: Band): readonly number[] | undefined => (band.plain ? undefined : runsOf(band, [0, band.count])), own = [from, to];
  const join = of === 'rows' ? { rows: own, cols: every(cols) } : { rows: every(rows), cols: own };
  return {
    ...head, rows: of === 'rows' ? [from, to] : reach(rows, [0, rows.count]), cols: of === 'cols' ? [from, to] : reach(cols, [0, cols.count]), height: of === 'rows' ? 1 : rows.count, width: of === 'cols' ? 1 : cols.count,
    of: 'prob', reduce: 'mean', join: { ...(join.rows ? { rows: join.rows } : {}), ...(join.cols ? { cols: join.cols } : {}) }, ...(axes.without.length ? { without: axes.without } : {}),
  };
}

export interface SpanMarks {
  /** Cells with most, most first. */
  readonly top: readonly { readonly cell: number; readonly mass: number }[];
  /** Of queries: what is not in `top`. Of keys: the mean over the queries that see any of them. */
  readonly rest: number; readonly mean: number;
  /** Of queries: what falls on the span itself, before it, and behind it. */
  readonly within: number; readonly before: number; readonly behind: number;
}

/** `values`: a value a cell of the other axis (`band`); NaN where nothing is visible. Undefined where nothing is. */
export function spanMarks(values: Float32Array, band: Band, span: Span, count: number): SpanMarks | undefined {
  let seen = 0, sum = 0, within = 0, before = 0;
  const top: { cell: number; mass: number }[] = [];
  for (let cell = 0; cell < values.length; cell++) {
    const mass = values[cell];
    if (!Number.isFinite(mass)) continue;
    seen++;
    sum += mass;
    if (band.from[cell] >= span.from && band.to[cell] <= span.to) within += mass; else if (band.from[cell] < span.from) before += mass;
    if (mass <= 0 || (top.length === count && mass <= top[count - 1].mass)) continue;
    let at = top.length;
    while (at > 0 && top[at - 1].mass < mass) at--;
    top.splice(at, 0, { cell, mass });
    if (top.length > count) top.pop();
  }
  if (!seen) return undefined;
  return { top, rest: Math.max(0, sum - top.reduce((all, one) => all + one.mass, 0)), mean: sum / seen, within, before, behind: Math.max(0, sum - within - before) };
}

/** For a screen reader: `Queries 100–199 look at key 0 <bos> with 61%, key 99 mill with 3.4%`. */
export function spanSentence(axes: MapAxes, span: Span, values: Float32Array): string {
  const queries = span.of === 'rows', band = queries ? axes.cols : axes.rows, marks = spanMarks(values, band, span, 3), what = `${queries ? 'Queries' : 'Keys'} ${spanText(span)}`;
  if (!marks) return `${what}: nothing is visible`;
  const most = marks.top.map(({ cell, mass }) => `${queries ? 'key' : 'query'} ${band.from[cell]} ${(queries ? axes.colLabel : axes.rowLabel)(cell)} with ${percent(mass)}`).join(', ');
  return queries ? `${what} look at ${most}` : `${what} get ${percent(marks.mean)} of a query, most of ${most}`;
}

/** What a column beside the map shows of a value a row: rows in sight, the largest of those that share a pixel. */
export function columnOf(values: Float32Array, [first, last]: readonly [number, number], pixels: number): { readonly first: number; readonly last: number; readonly values: Float32Array; readonly most: number } {
  const end = Math.min(last, values.length), count = Math.max(1, Math.min(Math.ceil(pixels), end - first)), out = new Float32Array(count).fill(NaN);
  let most = 0;
  for (let row = first; row < end; row++) {
    const at = Math.min(count - 1, Math.floor((row - first) * count / (end - first)));
    if (values[row] === values[row] && !(out[at] >= values[row])) out[at] = values[row];
    if (values[row] > most) most = values[row];
  }
  return { first, last: end, values: out, most };
}

/** `1,000–1,999`, `7`. */
export function spanText({ from, to }: Ends): string { return to - from === 1 ? from.toLocaleString('en') : `${from.toLocaleString('en')}–${(to - 1).toLocaleString('en')}`; }
