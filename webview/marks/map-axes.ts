/** What lies along both axes of a head's map, under the options that a person chose, and how the engine is asked for it. */
import type { HeadRef, TileRequest } from '../../extension/contract/api.ts';
import type { Site } from '../../extension/contract/site.ts';
import type { HeadStats, MaskRule, TraceInput } from '../../extension/contract/trace.ts';
import { bandOf, reach, runsOf, type Band } from './bands.ts';
import { isSpecial, shown, tokenAt } from './tokens.ts';
import { hasWords, wordText, wordsOf } from './words.ts';

/** A key that takes more than this makes a sink head (Gu et al. 2024). */
export const sinkOver = 0.3;

/** What a person chose; what of it applies to a head is in `MapAxes`. */
export interface AxesOptions { readonly words: boolean; readonly hideSpecial: boolean; readonly sinkApart: boolean; readonly renormalised: boolean }

export interface MapAxes {
  /** Changes when any cell does. */
  readonly id: string;
  readonly rows: Band; readonly cols: Band;
  readonly queries: number; readonly keys: number;
  /** Keys that rows are renormalised without. */
  readonly without: readonly number[];
  /** The key that stands apart. */
  readonly sink: { readonly key: number; readonly token: string; readonly share: number } | undefined;
  readonly words: boolean; readonly hidden: boolean; readonly renormalised: boolean;
  /** Queries (keys) are the prompt's tokens. */
  readonly rowsAreTokens: boolean; readonly keysAreTokens: boolean;
  readonly causalOffset: number | undefined;
  readonly rowLabel: (cell: number) => string; readonly colLabel: (cell: number) => string;
}

export interface AxesOf {
  readonly input: TraceInput; readonly batch: number; readonly site: Pick<Site, 'kind'>; readonly mask: MaskRule | undefined;
  readonly extent: { readonly queries: number; readonly keys: number }; readonly stats: HeadStats | undefined; readonly options: AxesOptions;
}

export function mapAxes({ input, batch, site, mask, extent: { queries, keys }, stats, options }: AxesOf): MapAxes {
  const tokens = input.tokens[batch] ?? [], rowsAreTokens = tokens.length === queries, keysAreTokens = rowsAreTokens && site.kind === 'self' && keys === queries;
  const words = options.words && rowsAreTokens && hasWords(input, batch) ? wordsOf(input, batch) : undefined;
  const special = options.hideSpecial && rowsAreTokens ? specialPositions(input, batch) : new Set<number>(), hidden = special.size > 0;
  const sink = options.sinkApart && stats && stats.sink > sinkOver ? { key: stats.sinkKey, token: keysAreTokens ? shown(tokenAt(input, batch, stats.sinkKey)) : `key ${stats.sinkKey}`, share: stats.sink } : undefined;
  const leftOut = new Set([...(keysAreTokens ? special : []), ...(sink ? [sink.key] : [])]);
  const rows = bandOf(queries, { words, hidden: special }), cols = bandOf(keys, { words: keysAreTokens ? words : undefined, hidden: leftOut });
  const without = options.renormalised ? [...leftOut].sort((a, b) => a - b) : [], renormalised = without.length > 0;
  const label = (band: Band, areTokens: boolean) => (cell: number): string => {
    const from = band.from[cell], to = band.to[cell];
    if (from === undefined) return '';
    return !areTokens ? `#${from}` : words ? shown(wordText(input, batch, { from, to })) : shown(tokenAt(input, batch, from));
  };
  return {
    id: JSON.stringify([batch, queries, keys, words !== undefined, hidden, sink?.key, renormalised]), rows, cols, queries, keys, without, sink, words: words !== undefined, hidden, renormalised, rowsAreTokens, keysAreTokens,
    causalOffset: mask?.causal ? mask.offset : undefined, rowLabel: label(rows, rowsAreTokens), colLabel: label(cols, keysAreTokens),
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
    ...head, rows: reach(axes.rows, rows), cols: reach(axes.cols, cols), ...size, of: 'prob', reduce,
    ...(joined ? { join: { rows: runsOf(axes.rows, rows), cols: runsOf(axes.cols, cols) } } : {}), ...(axes.without.length ? { without: axes.without } : {}),
  };
}

/** Asks for the key that stands apart, as seen by the rows [first, last): their own share of it, never renormalised. */
export function sinkRequest(head: HeadRef, axes: MapAxes, key: number, rows: readonly [number, number], height: number): TileRequest {
  return { ...head, rows: reach(axes.rows, rows), cols: [key, key + 1], height, width: 1, of: 'prob', reduce: 'mean', ...(axes.rows.plain ? {} : { join: { rows: runsOf(axes.rows, rows), cols: [key, key + 1] } }) };
}
