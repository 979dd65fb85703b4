/** The weights that linear attention implies, where a trace keeps them: signed, no probabilities, pooled to the weight that is largest in size. */
import type { Thumbnails, Tile, TileRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { blockCells } from '../compute/rows.ts';
import type { SiteView } from '../trace/site-view.ts';
import { mostPixels } from './joined-tile.ts';

const thumbnail = 32;

/** Whether `hook_implied` [batch, head, query, key] is stored, of this site's own sizes. */
export function hasImplied({ name, store, site, batch, heads, queries, keys }: SiteView): boolean {
  return site.form === 'linear' && store.has(`${name}.hook_implied`) && store.info(`${name}.hook_implied`).shape.join() === [batch, heads, queries, keys].join();
}

export interface ImpliedTileOf extends Pick<TileRequest, 'batch' | 'head' | 'rows' | 'cols' | 'height' | 'width'> { readonly view: SiteView; readonly between?: () => Promise<void> }

/** Of the cells that a pixel stands for, the weight that is largest in size, with its sign; NaN where no query sees a key. Bins as in tile.ts. */
export async function impliedTile({ view, batch, head, between, ...of }: ImpliedTileOf): Promise<Tile> {
  if (!hasImplied(view)) throw new UserError(`The weights that ${view.name} implies are not in the trace.`, 'Trace the model again with --keep q,k,v,pattern, or with the setting attnscope.keepPatterns.');
  for (const [what, value, count] of [['head', head, view.heads], ['sample', batch, view.batch]] as const) if (!(Number.isInteger(value) && value >= 0 && value < count)) throw new UserError(`${view.name} has no ${what} ${value}; there are ${count}.`, 'Choose another.');
  const [top, bottom] = range(of.rows, view.queries, 'rows'), [left, right] = range(of.cols, view.keys, 'columns'), height = Math.min(pixels(of.height), bottom - top), width = Math.min(pixels(of.width), right - left);
  if (height * width > mostPixels) throw new UserError(`A picture of ${height} × ${width} cells is too large.`, 'Ask for fewer.');
  const data = new Float32Array(height * width).fill(NaN), step = Math.max(1, Math.floor(blockCells / view.keys));
  for (let from = top; from < bottom; from += step) {
    const to = Math.min(bottom, from + step), block = view.store.floats(`${view.name}.hook_implied`, ((batch * view.heads + head) * view.queries + from) * view.keys, (to - from) * view.keys);
    for (let i = from; i < to; i++) pool(block.subarray((i - from) * view.keys, (i - from + 1) * view.keys), view.site.mask.causal ? Math.min(right, i + 1) : right, { left, right, width, at: Math.floor((i - top) * height / (bottom - top)) * width }, data);
    await between?.();
  }
  return { rows: [top, bottom], cols: [left, right], height, width, data };
}

/** [batch, head, 32, 32], as other thumbnails; signed. */
export async function impliedThumbnails(view: SiteView, between: () => Promise<void>): Promise<Thumbnails> {
  const { batch, heads, queries, keys } = view, data = new Float32Array(batch * heads * thumbnail * thumbnail);
  for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) {
    const tile = await impliedTile({ view, batch: b, head: h, rows: [0, queries], cols: [0, keys], height: thumbnail, width: thumbnail, between });
    for (let r = 0; r < tile.height; r++) for (let c = 0; c < tile.width; c++) data[((b * heads + h) * thumbnail + r) * thumbnail + c] = tile.data[r * tile.width + c] || 0;
  }
  return { site: view.name, batch, heads, size: thumbnail, data };
}

interface Into { readonly left: number; readonly right: number; readonly width: number; readonly at: number }

/** A row of weights up to key `end`, into a row of the picture. */
function pool(row: Float32Array, end: number, { left, right, width, at }: Into, data: Float32Array): void {
  for (let j = left; j < end; j++) { const place = at + Math.floor((j - left) * width / (right - left)), weight = row[j]; if (!(Math.abs(data[place]) >= Math.abs(weight))) data[place] = weight; }
}

function range([from, to]: readonly [number, number], length: number, what: string): readonly [number, number] {
  const start = Math.max(0, Math.floor(from)), end = Math.min(length, Math.ceil(to));
  if (!(start < end)) throw new UserError(`There are no ${what} ${from} to ${to}; there are ${length}.`, 'Choose others.');
  return [start, end];
}

function pixels(asked: number): number { return Math.max(1, Number.isFinite(asked) ? Math.floor(asked) : 1); }
