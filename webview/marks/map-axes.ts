/** What lies along both axes of a head's map, under the options that a person chose, and how the engine is asked for it. */
import type { HeadRef, TileRequest } from '../../extension/contract/api.ts';
import type { Site } from '../../extension/contract/site.ts';
import type { HeadStats, MaskRule, TraceInput } from '../../extension/contract/trace.ts';
import { bandOf, reach, runsOf, type Band } from './bands.ts';
import { isSpecial, shown, tokenAt } from './tokens.ts';
import { isSound, sideInput, sideName, timeSpan } from './sides.ts';
import { hasWords, wordText, wordsOf, type Word } from './words.ts';

/** A key that takes more than this makes a sink head (Gu et al. 2024). */
export const sinkOver = 0.3;

/** What a person chose; what of it applies to a head is in `MapAxes`. */
export interface AxesOptions { readonly words: boolean; readonly hideSpecial: boolean; readonly sinkApart: boolean; readonly renormalised: boolean }

const plain: AxesOptions = { words: false, hideSpecial: false, sinkApart: false, renormalised: false };

type Time = ((from: number, to: number) => string) | undefined;

export interface MapAxes {
  /** Changes when any cell does. */
  readonly id: string;
  /** `implied`: signed weights of linear attention, to which no share, sink or sum applies. */
  readonly of: 'prob' | 'implied';
  readonly rows: Band; readonly cols: Band;
  readonly queries: number; readonly keys: number;
  /** Keys that rows are renormalised without. */
  readonly without: readonly number[];
  /** The key that stands apart. */
  readonly sink: { readonly key: number; readonly token: string; readonly share: number } | undefined;
  readonly words: boolean; readonly hidden: boolean; readonly renormalised: boolean;
  /** Queries (keys) are tokens, or moments of a sound: what `rowInput` (`colInput`) calls them. */
  readonly rowsAreTokens: boolean; readonly keysAreTokens: boolean;
  readonly rowInput: TraceInput; readonly colInput: TraceInput;
  /** `query` and `key`; in cross-attention what they are. */
  readonly rowName: string; readonly colName: string;
  /** Moments of a sound: what positions [from, to) stand for. */
  readonly rowTime: Time; readonly colTime: Time;
  readonly causalOffset: number | undefined;
  readonly rowLabel: (cell: number) => string; readonly colLabel: (cell: number) => string;
}

export interface AxesOf {
  readonly input: TraceInput; readonly batch: number; readonly site: Pick<Site, 'kind' | 'stack'> & Partial<Pick<Site, 'form'>>; readonly mask: MaskRule | undefined;
  readonly extent: { readonly queries: number; readonly keys: number }; readonly stats: HeadStats | undefined; readonly options: AxesOptions;
}

export function mapAxes({ input, batch, site, mask, extent: { queries, keys }, stats, options: asked }: AxesOf): MapAxes {
  const implied = site.form === 'linear', options = implied ? plain : asked;
  const rowInput = sideInput(input, site, 'queries'), colInput = sideInput(input, site, 'keys'), time = (side: 'queries' | 'keys'): Time => (isSound(input, site, side) ? (from, to) => timeSpan(input, from, to) : undefined), rowTime = time('queries'), colTime = time('keys');
  const rowsAreTokens = (rowInput.tokens[batch] ?? []).length === queries, keysAreTokens = (colInput.tokens[batch] ?? []).length === keys;
  const wordsOn = (side: TraceInput, areTokens: boolean, timed: Time): readonly Word[] | undefined => (options.words && areTokens && !timed && hasWords(side, batch) ? wordsOf(side, batch) : undefined);
  const words = wordsOn(rowInput, rowsAreTokens, rowTime), keyWords = wordsOn(colInput, keysAreTokens, colTime), specialOn = (side: TraceInput, areTokens: boolean): Set<number> => (options.hideSpecial && areTokens ? specialPositions(side, batch) : new Set<number>());
  const special = specialOn(rowInput, rowsAreTokens), specialKeys = specialOn(colInput, keysAreTokens), hidden = special.size + specialKeys.size > 0;
  const sink = options.sinkApart && stats && stats.sink > sinkOver ? { key: stats.sinkKey, token: keysAreTokens ? shown(tokenAt(colInput, batch, stats.sinkKey)) : `key ${stats.sinkKey}`, share: stats.sink } : undefined;
  const leftOut = new Set([...specialKeys, ...(sink ? [sink.key] : [])]);
  const rows = bandOf(queries, { words, hidden: special }), cols = bandOf(keys, { words: keyWords, hidden: leftOut });
  const without = options.renormalised ? [...leftOut].sort((a, b) => a - b) : [], renormalised = without.length > 0;
  const label = (band: Band, side: TraceInput, areTokens: boolean, joined: boolean) => (cell: number): string => {
    const from = band.from[cell], to = band.to[cell];
    if (from === undefined) return '';
    return !areTokens ? `#${from}` : joined ? shown(wordText(side, batch, { from, to })) : shown(tokenAt(side, batch, from));
  };
  return {
    of: implied ? 'implied' : 'prob', id: JSON.stringify([implied, batch, queries, keys, words !== undefined || keyWords !== undefined, hidden, sink?.key, renormalised]), rows, cols, queries, keys, without, sink, words: words !== undefined || keyWords !== undefined, hidden, renormalised, rowsAreTokens, keysAreTokens, rowInput, colInput, rowTime, colTime, rowName: sideName(input, site, 'queries'), colName: sideName(input, site, 'keys'),
    causalOffset: mask?.causal ? mask.offset : undefined, rowLabel: label(rows, rowInput, rowsAreTokens, words !== undefined), colLabel: label(cols, colInput, keysAreTokens, keyWords !== undefined),
  };
}

/** Special tokens and padding; empty where nothing else would be left. */
export function specialPositions(input: TraceInput, batch: number): Set<number> {
  const tokens = input.tokens[batch] ?? [], found = new Set<number>();
  tokens.forEach((token, i) => { if (isSpecial(token) || input.real[batch]?.[i] === 0) found.add(i); });
  return found.size < tokens.length ? found : new Set();
}

/** Asks for the cells [rows) × [cols), pooled to `height` × `width`. */
export function tileRequest(head: HeadRef, axes: MapAxes, rows: readonly [number, number], cols: readonly [number, number], size: { readonly height: number; readonly width: number }, reduce: 'max' | 'mean'): TileRequest {
  const joined = !axes.rows.plain || !axes.cols.plain;
  return {
    ...head, rows: reach(axes.rows, rows), cols: reach(axes.cols, cols), ...size, of: axes.of, reduce,
    ...(joined ? { join: { rows: runsOf(axes.rows, rows), cols: runsOf(axes.cols, cols) } } : {}), ...(axes.without.length ? { without: axes.without } : {}),
  };
}

/** Asks for the key that stands apart, as seen by the rows [first, last): their own share of it, never renormalised. */
export function sinkRequest(head: HeadRef, axes: MapAxes, key: number, rows: readonly [number, number], height: number): TileRequest {
  return { ...head, rows: reach(axes.rows, rows), cols: [key, key + 1], height, width: 1, of: 'prob', reduce: 'mean', ...(axes.rows.plain ? {} : { join: { rows: runsOf(axes.rows, rows), cols: [key, key + 1] } }) };
}
