/** Large squares of a map, pooled once and kept: from them any coarser picture of the same cells follows exactly, so that zooming out costs nothing. */
import type { SiteView } from '../trace/site-view.ts';
import type { PoolOf } from './tile.ts';

/** Row-major [height, width]. Mean: sums of what is visible, and how many cells that is. Max: the largest, −∞ where nothing is visible, and counts that are 0 there. */
export interface Pooled { readonly height: number; readonly width: number; readonly values: Float32Array; readonly counts: Float32Array }

/** Cells along an edge of a square, as panels ask for them, and along an edge of a texel of what is kept: 512 KB a square. */
const blockCells = 4096, keptTexel = 16;
const mostBytes = 96 * 2 ** 20, bytesEach = 2 * 4 * (blockCells / keptTexel) ** 2;
/** More cells left out than this make no name. */
const mostGaps = 64;

/** The most recent last. */
const blocks = new Map<string, Pooled>();
let views = 0;
const numbers = new WeakMap<SiteView, number>();

/** What `make` pools; where it is a whole square at 16 or more cells a texel, from the square that is kept. */
export async function kept(of: PoolOf, make: (size: { readonly height: number; readonly width: number }) => Promise<Pooled>): Promise<Pooled> {
  const { rows, cols, height, width } = of, name = rows.at.length === blockCells && cols.at.length === blockCells && height === width && Number.isInteger(blockCells / keptTexel / height) && rows.gaps.length + cols.gaps.length + of.without.length <= mostGaps ? nameOf(of) : undefined;
  if (name === undefined) return make({ height, width });
  let block = blocks.get(name);
  blocks.delete(name);
  block ??= await make({ height: blockCells / keptTexel, width: blockCells / keptTexel });
  blocks.set(name, block);
  if (blocks.size * bytesEach > mostBytes) blocks.delete(blocks.keys().next().value!);
  return coarser(block, height, of.reduce);
}

/** Squares of texels together. `size` divides the block's height. */
export function coarser({ height, values, counts }: Pooled, size: number, reduce: 'mean' | 'max'): Pooled {
  const by = height / size, out = { height: size, width: size, values: new Float32Array(size * size), counts: new Float32Array(size * size) };
  if (reduce === 'max') out.values.fill(-Infinity);
  for (let r = 0, n = 0; r < height; r++) for (let c = 0; c < height; c++, n++) {
    const at = Math.floor(r / by) * size + Math.floor(c / by);
    out.counts[at] += counts[n];
    if (reduce === 'mean') out.values[at] += values[n]; else if (values[n] > out.values[at]) out.values[at] = values[n];
  }
  return out;
}

/** The picture: NaN where nothing is visible. */
export function finished({ values, counts }: Pooled, reduce: 'mean' | 'max'): Float32Array {
  return values.map((value, n) => (counts[n] ? reduce === 'max' ? value : value / counts[n] : NaN));
}

function nameOf({ view, batch, head, of, reduce, rows, cols, without }: PoolOf): string {
  const number = numbers.get(view) ?? ++views;
  numbers.set(view, number);
  return [number, batch, head, of, reduce, rows.first, rows.gaps.join(' '), cols.first, cols.gaps.join(' '), without.join(' ')].join();
}
