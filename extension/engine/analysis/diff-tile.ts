/** The difference map of one head: probabilities in B less those in A, for the pixels on a screen. */
import type { DifferenceTileRequest, Tile } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { cells, type Chosen } from '../compute/rows.ts';
import type { SiteView } from '../trace/site-view.ts';
import { highKey } from '../trace/visibility.ts';
import { checkHead } from './tile.ts';

const mostPixels = 2 ** 24, blockCells = 2 ** 20;

/** `prepared`: from `prepare`, for one head. */
export interface TileSide { readonly view: SiteView; readonly prepared: Chosen }
export interface DifferenceTileOf extends Omit<DifferenceTileRequest, 'a' | 'b' | 'site'> { readonly a: TileSide; readonly b: TileSide; readonly between?: () => Promise<void> }

/**
 * Rows and columns that both have. Of the cells that a pixel stands for, the change that is largest in size, with its sign; NaN where neither sees a key.
 * Bin a of R rows in n owns rows ⌈a·n/R⌉ … ⌈(a+1)·n/R⌉ − 1, as in tile.ts.
 */
export async function differenceTile({ a, b, batch, head, between, ...of }: DifferenceTileOf): Promise<Tile> {
  for (const { view } of [a, b]) checkHead(view, batch, head);
  const [top, bottom] = shared(of.rows, Math.min(a.view.queries, b.view.queries), 'rows'), [left, right] = shared(of.cols, Math.min(a.view.keys, b.view.keys), 'columns');
  const height = Math.min(pixels(of.height), bottom - top), width = Math.min(pixels(of.width), right - left);
  if (height * width > mostPixels) throw new UserError(`A picture of ${height} × ${width} cells is too large.`, 'Ask for fewer.');
  const data = new Float32Array(height * width).fill(NaN), bins = Int32Array.from({ length: right - left }, (_, j) => Math.floor(j * width / (right - left)));
  for (let from = top; from < bottom;) {
    const to = Math.min(bottom, from + Math.max(1, Math.min(256, Math.floor(blockCells / (right - left))))), rows = Array.from({ length: to - from }, (_, r) => from + r);
    const end = Math.min(right, Math.max(left + 1, ...[a, b].map(({ view }) => highKey(view.visibility, to - 1)))), span = end - left;
    const [mine, theirs] = await Promise.all([a, b].map(({ prepared }) => cells({ ...prepared, of: 'prob' }, rows, left, end, NaN)));
    for (let i = from; i < to; i++) {
      const at = Math.floor((i - top) * height / (bottom - top)) * width;
      for (let j = 0, n = (i - from) * span; j < span; j++, n++) {
        const p = mine[n], q = theirs[n], hiddenA = p !== p, hiddenB = q !== q;
        if (hiddenA && hiddenB) continue;
        const change = (hiddenB ? 0 : q) - (hiddenA ? 0 : p), place = at + bins[j], known = data[place];
        if (!(Math.abs(known) >= Math.abs(change))) data[place] = change;
      }
    }
    from = to;
    if (between) await between();
  }
  return { rows: [top, bottom], cols: [left, right], height, width, data };
}

function shared([from, to]: readonly [number, number], length: number, what: string): readonly [number, number] {
  const start = Math.max(0, Math.floor(from)), end = Math.min(length, Math.ceil(to));
  if (!(start < end)) throw new UserError(`There are no ${what} ${from} to ${to} in both traces; there are ${length}.`, 'Choose others.');
  return [start, end];
}

function pixels(asked: number): number { return Math.max(1, Number.isFinite(asked) ? Math.floor(asked) : 1); }
