/** What the Grounding tab can show of a trace: towers, layers to average, rows that tokens stand for, and what a cell says in words; pure. */
import type { Look, LookRequest, OpenTrace } from '../../extension/contract/api.ts';
import { cellRectangle, onBox, type Grid } from '../../extension/contract/image-grid.ts';
import { siteLabel, type Site } from '../../extension/contract/site.ts';
import type { TraceImage, TraceInput } from '../../extension/contract/trace.ts';
import { percent } from './scale.ts';
import { shown } from './tokens.ts';

export type TowerId = 'language' | 'vision';

/** How the tab is arranged. `layers`: `middle`, `all`, or the name of a site; `head` −1: the mean over heads. */
export interface GroundingArrangement {
  readonly tower: TowerId;
  readonly layers: string;
  readonly head: number;
  /** Position of the chosen token; the number of tokens means the next one. */
  readonly token?: number;
  /** Chosen patch, below 0 an extra token. */
  readonly cell: number;
  /** The row of a token: the one that predicts it (before it), or its own. */
  readonly row: 'predicting' | 'own';
  readonly cells: 'smooth' | 'exact';
  readonly withoutSinks: boolean;
  /** By what sinks are told; `state` only where the trace keeps the residual stream. */
  readonly sinks: 'attention' | 'state';
  /** Of an image that the model reads in several views: one of them, or their sum. */
  readonly view: number | 'sum';
  readonly opacity: number;
}

export const plainGrounding: GroundingArrangement = { tower: 'language', layers: 'middle', head: -1, cell: -1, row: 'predicting', cells: 'smooth', withoutSinks: false, sinks: 'attention', view: 'sum', opacity: 0.55 };

/** What is not understood falls back. */
export function restoreGrounding(kept: unknown): GroundingArrangement {
  const from: { readonly [K in keyof GroundingArrangement]?: unknown } = typeof kept === 'object' && kept !== null ? kept : {};
  const whole = (value: unknown, low: number): value is number => Number.isSafeInteger(value) && (value as number) >= low && (value as number) < 2 ** 31;
  return {
    tower: from.tower === 'vision' ? 'vision' : 'language', layers: typeof from.layers === 'string' && from.layers.length <= 200 ? from.layers : 'middle', head: whole(from.head, -1) ? from.head : -1,
    ...(whole(from.token, 0) ? { token: from.token } : {}), cell: whole(from.cell, -64) ? from.cell : -1, row: from.row === 'own' ? 'own' : 'predicting', cells: from.cells === 'exact' ? 'exact' : 'smooth',
    withoutSinks: from.withoutSinks === true, sinks: from.sinks === 'state' ? 'state' : 'attention', view: whole(from.view, 0) && from.view < 8 ? from.view : 'sum', opacity: typeof from.opacity === 'number' && from.opacity >= 0 && from.opacity <= 1 ? from.opacity : plainGrounding.opacity,
  };
}

export interface Towers { readonly language: readonly Site[]; readonly vision: readonly Site[]; /** Why the prompt's tokens have no place on the image. */ readonly problem?: string }

/** Sites that can be asked about the image of sample `batch`. */
export function towersOf({ manifest, grids, extents }: Pick<OpenTrace, 'manifest' | 'grids' | 'extents'>, batch: number): Towers {
  const image = manifest.input.images?.[batch], tokens = image?.tokens, length = manifest.input.ids[batch]?.length ?? 0, readable = (site: Site): boolean => site.form !== 'linear' && manifest.parity[site.name]?.ok !== false;
  return {
    language: tokens && tokens.problem === undefined ? manifest.sites.filter(site => site.stack === 'main' && site.kind === 'self' && extents[site.name]?.queries === length && !Object.hasOwn(grids, site.name) && readable(site)) : [],
    vision: manifest.sites.filter(site => Object.hasOwn(grids, site.name) && readable(site)),
    ...(tokens?.problem === undefined ? {} : { problem: tokens.problem }),
  };
}

/** The sites of `layers`: the middle third (at least one), all, or one by name. */
export function sitesOf(sites: readonly Site[], layers: string): readonly Site[] {
  const one = sites.find(site => site.name === layers);
  if (one) return [one];
  return layers === 'all' || sites.length < 3 ? sites : sites.slice(Math.floor(sites.length / 3), Math.max(Math.floor(sites.length / 3) + 1, Math.ceil(2 * sites.length / 3)));
}

export function layerChoices(sites: readonly Site[]): readonly { readonly value: string; readonly text: string }[] {
  const middle = sitesOf(sites, 'middle'), label = (of: readonly Site[]): string => (of.length > 1 ? `${siteLabel(of[0])}–${siteLabel(of[of.length - 1])}` : siteLabel(of[0]));
  return [...(sites.length > 2 ? [{ value: 'middle', text: `Middle third (${label(middle)})` }] : []), ...(sites.length > 1 ? [{ value: 'all', text: `All (mean of ${sites.length})` }] : []), ...sites.map(site => ({ value: site.name, text: siteLabel(site) }))];
}

/** The position whose row is shown for token `token` (the number of tokens stands for the next one); undefined where there is none. */
export function rowOfToken(token: number, row: GroundingArrangement['row'], count: number): number | undefined {
  const at = row === 'predicting' ? token - 1 : token;
  return at >= 0 && at < count ? at : undefined;
}

/** The token that is chosen first: what the model would say next, where that row is there; otherwise the last token behind the image. */
export function firstToken(count: number, row: GroundingArrangement['row']): number { return row === 'predicting' ? count : count - 1; }

/** Chips of the strip: single tokens, and one for each run of image tokens. */
export interface Chip { readonly token: number; readonly text: string; readonly image?: number }
export function chipsOf(input: TraceInput, batch: number, next: string | undefined): readonly Chip[] {
  const tokens = input.tokens[batch] ?? [], runs = input.images?.[batch]?.tokens?.runs ?? [], chips: Chip[] = [];
  for (let i = 0; i < tokens.length;) {
    const run = runs.find(([from]) => from === i);
    if (run) { chips.push({ token: i, text: `image, ${run[1] - run[0]} tokens`, image: run[1] - run[0] }); i = run[1]; continue; }
    chips.push({ token: i, text: shown(tokens[i]) });
    i++;
  }
  return next === undefined ? chips : [...chips, { token: tokens.length, text: `next: ${shown(next)}` }];
}

/** What the engine is asked; undefined where nothing can be chosen. */
export function lookOf(arrangement: GroundingArrangement, sites: readonly Site[], count: number): Omit<LookRequest, 'trace' | 'batch'> | undefined {
  if (!sites.length) return undefined;
  const { tower, token, row: way, cell, head, withoutSinks, sinks, view } = arrangement, row = tower === 'language' ? rowOfToken(token ?? firstToken(count, way), way, count) : undefined;
  if (tower === 'language' && row === undefined) return undefined;
  return { sites: sites.map(site => site.name), ...(head >= 0 ? { head } : {}), of: row === undefined ? { cell } : { row }, withoutSinks, ...(row === undefined ? {} : { sinks, view }) };
}

/** What the image's views are called; none where it is read as one grid. */
export function viewChoices(image: TraceImage): readonly { readonly value: string; readonly text: string }[] {
  const views = image.tokens?.views ?? [], names = { image: 'Image', tiles: 'Tiles', whole: 'Whole image' };
  return views.length < 2 ? [] : [{ value: 'sum', text: 'Sum of both' }, ...views.map(({ name, rows, columns }, n) => ({ value: String(n), text: `${names[name]}, ${rows} × ${columns}` }))];
}

/** The image as the cells of a look lie on it. */
export function lookedImage(image: TraceImage, look: Pick<Look, 'rows' | 'columns' | 'box'> | undefined): TraceImage { return look?.box ? onBox(image, look, look.box) : image; }

/** How sinks were told, and what was found, as sentences. */
export function sinkWords(look: Look): string {
  const found = look.sinks.reduce((count, share) => count + (share > 0 ? 1 : 0), 0), cells = found ? `${found} of ${look.cells.length} cells ${found === 1 ? 'is a sink' : 'are sinks'} (hatched)` : 'No cell is a sink';
  if (!look.state) return `${cells}: over five times the even share in more than 80% of the rows. By attention, so approximate.`;
  const { dims, threshold } = look.state;
  return dims.length ? `${cells}: |x̂| over ${threshold.toFixed(1)} in dimension ${dims.join(' or ')} of the residual stream.` : 'The residual stream has no massive activation, so nothing is a sink.';
}

/** A cell in words: where it is in the grid and in the image's own pixels, and its share. */
export function cellWords(image: TraceImage, grid: Grid, cell: number, value: number, sink: number): string {
  const { left, right, top, bottom } = cellRectangle(image, grid, cell), inside = (from: number, to: number, most: number): string => `${Math.round(Math.max(0, from))}–${Math.round(Math.min(most, to))}`;
  const outside = right <= 0 || bottom <= 0 || left >= image.width || top >= image.height;
  const where = outside ? 'outside of the image (padding)' : `pixels ${inside(left, right, image.width)}, ${inside(top, bottom, image.height)}`;
  return `Row ${Math.floor(cell / grid.columns)}, column ${cell % grid.columns}, ${where}: ${Number.isNaN(value) ? 'not visible' : percent(value)}${sink > 0 ? ', a sink' : ''}`;
}

/** Largest finite value; 0 where there is none. */
export function peakOf(values: Float32Array): number {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  return most;
}
