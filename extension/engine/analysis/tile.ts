/** The cells of one head that a screen has pixels for: exact, from q, k and lse, pooled by mean or maximum. */
import type { HeadRows, Thumbnails, Tile, TileRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { blockCells, cells, prepare, type Chosen } from '../compute/rows.ts';
import { readStats, type SiteView } from '../trace/site-view.ts';
import { highKey } from '../trace/visibility.ts';
import { joinedTile, mostPixels } from './joined-tile.ts';
import { keysOf, restsOf } from './rests.ts';

export interface TileOf extends Pick<TileRequest, 'batch' | 'head' | 'rows' | 'cols' | 'height' | 'width' | 'reduce' | 'join' | 'without'> {
  readonly of: 'prob' | 'score';
  readonly view: SiteView;
  /** From `prepare`, where the same head was asked for before. */
  readonly prepared?: Chosen;
  /** Awaited between blocks. */
  readonly between?: () => Promise<void>;
}

/** NaN where no query of a cell sees a key of it. Bin a of R rows in n owns rows ⌈a·n/R⌉ … ⌈(a+1)·n/R⌉ − 1; columns likewise. */
export async function computeTile(of: TileOf): Promise<Tile> {
  if (of.join) return joinedTile(of);
  if (of.without?.length && of.of !== 'prob') throw new UserError('Scores cannot be renormalised.', 'Ask for probabilities.');
  const { view, batch, head } = of, [top, bottom] = range(of.rows, view.queries, 'rows'), [left, right] = range(of.cols, view.keys, 'columns');
  checkHead(view, batch, head);
  const height = Math.min(size(of.height), bottom - top), width = Math.min(size(of.width), right - left);
  if (height * width > mostPixels) throw new UserError(`A picture of ${height} × ${width} cells is too large.`, 'Ask for fewer.');
  const data = new Float32Array(height * width), counts = new Float32Array(height * width), most = of.reduce === 'max';
  if (most) data.fill(-Infinity);
  const chosen = of.prepared ?? prepare({ view, batch, head, of: of.of });
  const without = keysOf(of.without ?? [], view.keys), edges = Int32Array.from({ length: width + 1 }, (_, c) => Math.ceil(c * (right - left) / width));
  for (let from = top; from < bottom;) {
    // Keys that the rule hides from every row of a block are not computed: half of a causal map.
    const to = Math.min(bottom, from + Math.max(1, Math.min(256, Math.floor(blockCells / (right - left))))), end = Math.min(right, Math.max(left + 1, highKey(view.visibility, to - 1))), span = end - left, queries = Array.from({ length: to - from }, (_, r) => from + r);
    const values = await cells({ ...chosen, of: of.of }, queries, left, end, NaN), rests = without.length ? await restsOf(chosen, queries, without, left === 0 && end >= Math.min(view.keys, highKey(view.visibility, to - 1)) ? values : undefined) : undefined;
    for (let i = from; i < to; i++) pool({ values, from: (i - from) * span, span, over: rests ? rests[i - from] : 1 }, edges, data, counts, Math.floor((i - top) * height / (bottom - top)) * width, most);
    from = to;
    if (of.between) await of.between();
  }
  for (let n = 0; n < data.length; n++) data[n] = counts[n] ? most ? data[n] : data[n] / counts[n] : NaN;
  return { rows: [top, bottom], cols: [left, right], height, width, data };
}

interface Row { readonly values: Float32Array; readonly from: number; readonly span: number; /** What the row is divided by; a row over 0 is left out. */ readonly over: number }

/** Adds one row of values (NaN: hidden) to the bins of a row of the picture. */
function pool({ values, from, span, over }: Row, edges: Int32Array, data: Float32Array, counts: Float32Array, at: number, most: boolean): void {
  if (!(over > 0)) return;
  for (let c = 0; c + 1 < edges.length; c++) {
    const end = Math.min(edges[c + 1], span);
    let sum = 0, seen = 0, top = -Infinity;
    for (let j = edges[c]; j < end; j++) {
      const value = values[from + j];
      if (value !== value) continue;
      seen++;
      sum += value;
      if (value > top) top = value;
    }
    if (!seen) { if (edges[c] >= span) return; continue; }
    counts[at + c] += seen;
    if (most) { if (top / over > data[at + c]) data[at + c] = top / over; } else data[at + c] += sum / over;
  }
}

export function thumbnailsOf(view: SiteView): Thumbnails {
  const name = `${view.name}.stats.pooled`;
  return { site: view.name, batch: view.batch, heads: view.heads, size: 32, data: view.store.has(name) ? view.store.floats(name) : new Float32Array(view.batch * view.heads * 1024) };
}

export function headRows(view: SiteView, batch: number, head: number): HeadRows {
  checkHead(view, batch, head);
  return {
    entropy: readStats(view, 'entropy', batch, head), max: readStats(view, 'max', batch, head), received: readStats(view, 'received', batch, head),
    maxKey: view.store.ints(`${view.name}.stats.max_key`, (batch * view.heads + head) * view.queries, view.queries),
  };
}

export function checkHead(view: SiteView, batch: number, head: number): void {
  if (view.from === 'nothing') throw new UserError(`${view.name} has no probabilities to show.`, view.site.form === 'linear' ? 'It is linear attention.' : 'Trace the model again.');
  if (!(Number.isInteger(head) && head >= 0 && head < view.heads)) throw new UserError(`${view.name} has no head ${head}; it has ${view.heads}.`, `Choose 0 to ${view.heads - 1}.`);
  if (!(Number.isInteger(batch) && batch >= 0 && batch < view.batch)) throw new UserError(`${view.name} has no sample ${batch}; there ${view.batch === 1 ? 'is' : 'are'} ${view.batch}.`, `Choose 0 to ${view.batch - 1}.`);
}

function range([from, to]: readonly [number, number], length: number, what: string): readonly [number, number] {
  const start = Math.max(0, Math.floor(from)), end = Math.min(length, Math.ceil(to));
  if (!(start < end)) throw new UserError(`There are no ${what} ${from} to ${to}; there are ${length}.`, 'Choose others.');
  return [start, end];
}

function size(pixels: number): number { return Math.max(1, Number.isFinite(pixels) ? Math.floor(pixels) : 1); }
