/** Tiles whose cells are words, or leave tokens out: computed from every single probability, at every zoom. */
import type { Tile } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { blockCells, cells, prepare, type Chosen } from '../compute/rows.ts';
import { highKey } from '../trace/visibility.ts';
import { checkRuns, clipped } from './places.ts';
import { keysOf, restsOf } from './rests.ts';
import type { TileOf } from './tile.ts';

/** Beyond this many cells a picture is no picture. */
export const mostPixels = 2 ** 24;

/** Rows of a block: as many as keep a block within bounds, and no more than a screen shows. */
const mostRows = 256;

interface Run { readonly from: number; readonly to: number }

/**
 * A cell of run R of queries and run C of keys is mean_{q ∈ R} Σ_{k ∈ C} p(q, k) / rest(q), where rest(q) = Σ p(q, k) over the keys that are
 * not in `without` (1 without any), and q runs over queries that have a rest. A row of cells that holds all keys sums to 1. Hidden keys count as 0;
 * NaN where no query of R sees a key of C, or none has a rest.
 */
export async function joinedTile(of: TileOf): Promise<Tile> {
  const { view, batch, head } = of;
  const rows = runsOf(of.join?.rows, of.rows, view.queries, 'rows'), cols = runsOf(of.join?.cols, of.cols, view.keys, 'columns'), without = keysOf(of.without ?? [], view.keys);
  const height = Math.max(1, Math.min(Math.floor(of.height) || 1, rows.length)), width = Math.max(1, Math.min(Math.floor(of.width) || 1, cols.length));
  if (height * width > mostPixels) throw new UserError(`A picture of ${height} × ${width} cells is too large.`, 'Ask for fewer.');
  const chosen: Chosen = { ...(of.prepared ?? prepare({ view, batch, head, of: 'prob' })), of: 'prob' };
  const data = new Float32Array(height * width), counts = new Float32Array(height * width), most = of.reduce === 'max', left = cols[0].from, right = cols[cols.length - 1].to;
  if (most) data.fill(-Infinity);
  const sums = new Float64Array(cols.length), seen = new Uint8Array(cols.length), perBlock = Math.max(1, Math.min(mostRows, Math.floor(blockCells / (right - left))));
  const lse = chosen.lse, single = cols.length === right - left;
  let live = 0;
  for (const block of blocksOf(rows, perBlock)) {
    const queries = Int32Array.from(block.flatMap(({ part }) => Array.from({ length: part.to - part.from }, (_, i) => part.from + i)));
    const end = Math.min(right, Math.max(left + 1, highKey(view.visibility, queries[queries.length - 1]))), span = end - left;
    const values = await cells(chosen, queries, left, end, NaN), rests = without.length ? await restsOf(chosen, queries, without, left === 0 && end >= Math.min(view.keys, highKey(view.visibility, queries[queries.length - 1])) ? values : undefined) : undefined;
    let at = 0;
    for (const { part, run, first, last } of block) {
      if (first) { sums.fill(0); seen.fill(0); live = 0; }
      for (let query = part.from; query < part.to; query++, at++) {
        const rest = rests ? rests[at] : lse && !Number.isFinite(lse[query]) ? 0 : 1;
        if (!(rest > 0)) continue;
        live++;
        if (single) { addSingle(values, at * span, Math.min(span, cols.length), rest, sums, seen); continue; }
        for (let c = 0; c < cols.length; c++) {
          const to = Math.min(cols[c].to - left, span);
          if (cols[c].from - left >= span) break;
          let sum = 0, sees = 0;
          for (let j = cols[c].from - left; j < to; j++) {
            const value = values[at * span + j];
            if (value === value) { sum += value; sees = 1; }
          }
          if (sees) { sums[c] += sum / rest; seen[c] = 1; }
        }
      }
      if (last) pool(sums, seen, live, data, counts, Math.floor(run * height / rows.length) * width, width, most);
    }
    if (of.between) await of.between();
  }
  for (let n = 0; n < data.length; n++) data[n] = counts[n] ? most ? data[n] : data[n] / counts[n] : NaN;
  return { rows: [rows[0].from, rows[rows.length - 1].to], cols: [left, right], height, width, data };
}

/** Adds one row to cells that are the keys themselves. */
function addSingle(values: Float32Array, from: number, count: number, rest: number, sums: Float64Array, seen: Uint8Array): void {
  for (let c = 0; c < count; c++) {
    const value = values[from + c];
    if (value === value) { sums[c] += value / rest; seen[c] = 1; }
  }
}

/** Adds the finished cells of one run of queries to their bins: bin a of W columns in n owns columns ⌈a·n/W⌉ … ⌈(a+1)·n/W⌉ − 1. */
function pool(sums: Float64Array, seen: Uint8Array, live: number, data: Float32Array, counts: Float32Array, at: number, width: number, most: boolean): void {
  for (let c = 0; live && c < sums.length; c++) {
    if (!seen[c]) continue;
    const bin = at + Math.floor(c * width / sums.length), value = sums[c] / live;
    counts[bin]++;
    if (most) { if (value > data[bin]) data[bin] = value; } else data[bin] += value;
  }
}

interface Piece { readonly run: number; readonly part: Run; readonly first: boolean; readonly last: boolean }

/** Runs of queries, in blocks of at most `size` queries; a longer run is cut into parts that follow each other. */
function blocksOf(runs: readonly Run[], size: number): Piece[][] {
  const blocks: Piece[][] = [];
  let block: Piece[] = [], room = size;
  runs.forEach(({ from, to }, run) => {
    for (let at = from; at < to;) {
      if (!room) { blocks.push(block); block = []; room = size; }
      const end = Math.min(to, at + room);
      block.push({ run, part: { from: at, to: end }, first: at === from, last: end === to });
      room -= end - at;
      at = end;
    }
  });
  if (block.length) blocks.push(block);
  return blocks;
}

/** The runs as asked for, or every position of the range by itself. Errors: UserError for runs that are not rising or lie outside. */
function runsOf(asked: readonly number[] | undefined, range: readonly [number, number], length: number, what: string): Run[] {
  const [start, end] = clipped(range, length, what);
  if (!asked) return Array.from({ length: end - start }, (_, i) => ({ from: start + i, to: start + i + 1 }));
  checkRuns(asked, start, end, range, length, what);
  return Array.from({ length: asked.length / 2 }, (_, n) => ({ from: asked[2 * n], to: asked[2 * n + 1] }));
}
