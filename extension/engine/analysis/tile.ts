/** The cells of one head that a screen has pixels for: exact, from q, k and lse, pooled by mean or maximum. */
import type { HeadRows, Thumbnails, Tile, TileRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { pictureOnGpu } from '../compute/attention/head-on-gpu.ts';
import type { Devices } from '../compute/gpu/devices.ts';
import { blockCells, cells, prepare, type Chosen } from '../compute/rows.ts';
import { readStats, type SiteView } from '../trace/site-view.ts';
import { highKey } from '../trace/visibility.ts';
import { joinedTile, mostPixels } from './joined-tile.ts';
import { placesOf, type Places } from './places.ts';
import { finished, kept, type Pooled } from './pooled-blocks.ts';
import { poolLargest, poolLargestScores, poolSums } from './pool-rows.ts';
import { keysOf, restsOf } from './rests.ts';

export interface TileOf extends Pick<TileRequest, 'batch' | 'head' | 'rows' | 'cols' | 'height' | 'width' | 'reduce' | 'join' | 'without'> {
  readonly of: 'prob' | 'score';
  readonly view: SiteView;
  /** From `prepare`, where the same head was asked for before. */
  readonly prepared?: Chosen;
  /** Awaited between blocks. */
  readonly between?: () => Promise<void>;
  /** Where larger pictures may be made, and from how many cells on; without, on the CPU. */
  readonly devices?: Devices;
  readonly largeFrom?: number;
}

/** Cells from which on a picture is worth the way to the GPU. */
const large = 2 ** 21;

/** NaN where no query of a cell sees a key of it. Bin a of R rows in n cells owns cells ⌈a·n/R⌉ … ⌈(a+1)·n/R⌉ − 1; columns likewise. */
export async function computeTile(of: TileOf): Promise<Tile> {
  if (of.join && of.of !== 'prob') throw new UserError('Scores of several tokens cannot be added.', 'Ask for probabilities.');
  const rows = placesOf(of.join?.rows, of.rows, of.view.queries, 'rows'), cols = placesOf(of.join?.cols, of.cols, of.view.keys, 'columns');
  if (!rows || !cols) return joinedTile(of);
  if (of.without?.length && of.of !== 'prob') throw new UserError('Scores cannot be renormalised.', 'Ask for probabilities.');
  checkHead(of.view, of.batch, of.head);
  const height = Math.min(size(of.height), rows.at.length), width = Math.min(size(of.width), cols.at.length);
  if (height * width > mostPixels) throw new UserError(`A picture of ${height} × ${width} cells is too large.`, 'Ask for fewer.');
  const without = keysOf(of.without ?? [], of.view.keys);
  const pooled = await kept({ ...of, rows, cols, without, height, width }, larger => makePooled({ ...of, rows, cols, without, ...larger }));
  return { rows: [rows.first, rows.end], cols: [cols.first, cols.end], height, width, data: finished(pooled, of.reduce) };
}

export interface PoolOf extends Pick<TileOf, 'view' | 'batch' | 'head' | 'of' | 'reduce' | 'prepared' | 'between' | 'devices' | 'largeFrom'> { readonly rows: Places; readonly cols: Places; readonly without: readonly number[]; readonly height: number; readonly width: number }

/** On the GPU where that is worth it and the picture is a plain rectangle of what q and k give. */
async function makePooled(of: PoolOf): Promise<Pooled> {
  const { view, batch, head, rows, cols, without, height, width, devices } = of, most = of.reduce === 'max';
  if (!devices || view.from !== 'qk' || without.length || rows.gaps.length || cols.gaps.length || rows.at.length * cols.at.length < (of.largeFrom ?? large)) return poolCells(of);
  return devices.run(async gpu => {
    const chosen = of.prepared ?? prepare({ view, batch, head, of: of.of });
    const { values, counts } = await pictureOnGpu(gpu, { ...chosen, head }, { rows: [rows.first, rows.end], columns: [cols.first, cols.end], height, width, scores: of.of === 'score', most });
    if (of.between) await of.between();
    return { height, width, values: values.map((value, n) => (most ? counts[n] ? value : -Infinity : value * counts[n])), counts };
  }, () => poolCells(of));
}

async function poolCells({ view, batch, head, rows, cols, without, height, width, between, ...of }: PoolOf): Promise<Pooled> {
  const values = new Float32Array(height * width), counts = new Float32Array(height * width), most = of.reduce === 'max', left = cols.first, right = cols.end, count = rows.at.length;
  if (most) values.fill(-Infinity);
  const byBits = most && of.of === 'prob', hidden = byBits ? -Infinity : NaN, pool = byBits ? poolLargest : most ? poolLargestScores : poolSums;
  const chosen = of.prepared ?? prepare({ view, batch, head, of: of.of });
  // In positions from `left` on: what is left out of a bin counts as hidden.
  const edges = Int32Array.from({ length: width + 1 }, (_, c) => { const cell = Math.ceil(c * cols.at.length / width); return cell < cols.at.length ? cols.at[cell] - left : right - left; });
  for (let from = 0; from < count;) {
    // Keys that the rule hides from every row of a block are not computed: half of a causal map.
    const to = Math.min(count, from + Math.max(1, Math.min(256, Math.floor(blockCells / (right - left))))), queries = rows.at.subarray(from, to), reach = highKey(view.visibility, queries[queries.length - 1]), end = Math.min(right, Math.max(left + 1, reach)), span = end - left;
    const block = await cells({ ...chosen, of: of.of }, queries, left, end, hidden), rests = without.length ? await restsOf(chosen, queries, without, left === 0 && end >= Math.min(view.keys, reach) ? block : undefined) : undefined;
    if (cols.gaps.length) for (let r = 0; r < queries.length; r++) for (const gap of cols.gaps) { if (gap >= end) break; block[r * span + gap - left] = hidden; }
    const bins = { edges, span, width, values, counts, binOf: (r: number) => Math.floor((from + r) * height / count), over: (r: number) => (rests ? rests[r] : 1) };
    pool(block, queries.length, bins);
    from = to;
    if (between) await between();
  }
  return { height, width, values, counts };
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

function size(pixels: number): number { return Math.max(1, Number.isFinite(pixels) ? Math.floor(pixels) : 1); }
