/** What rounding alone can make of a site: the floor under which two traces are not told apart. */
import { fromHalf, toHalf } from '../maths/half.ts';
import { valuesBlock, scoreBlock } from '../compute/kernel.ts';
import { cells, prepare } from '../compute/rows.ts';
import { pickHead, readRows, type SiteView } from '../trace/site-view.ts';
import { valuesOf } from './diff-site.ts';

/** Differences that float32 sums in another order make, whatever the type; as for parity. */
const smallest = 1e-5;
const mostRows = 16, mostCells = 2 ** 21;

export interface Noise { readonly probability: number; readonly output: number; readonly precision: 'F32' | 'F16' }

/**
 * Largest change of a probability, and relative change of a head's output, when q, k and v are rounded once more to their type; twice that, since
 * the model's own rounding counts too. Measured on up to 16 of `rows` of sample `b`. Halves that are stored as float32 count as halves.
 */
export async function roundingNoise(view: SiteView, b: number, rows: readonly number[], groups: readonly (number | undefined)[], between: () => Promise<void>): Promise<Noise> {
  const { heads, keys } = view, most = { probability: smallest, output: smallest, precision: view.dtype };
  if (view.from !== 'qk' || !rows.length) return most;
  const chosen = spread(rows, Math.max(1, Math.min(mostRows, rows.length, Math.floor(mostCells / heads / keys))));
  for (const head of groups) {
    const found = await noiseOf(view, b, chosen, head, between);
    most.probability = Math.max(most.probability, 2 * found.probability);
    most.output = Math.max(most.output, 2 * found.output);
    most.precision = found.precision;
  }
  return most;
}

/** Of one head, or of all. */
async function noiseOf(view: SiteView, b: number, rows: readonly number[], head: number | undefined, between: () => Promise<void>): Promise<Noise> {
  const { keys, dim, valueDim } = view, heads = head === undefined ? view.heads : 1, kvHeads = head === undefined ? view.kvHeads : 1, width = view.heads * dim;
  const loaded = prepare({ view, batch: b, head, of: 'prob' }), k = loaded.k!, all = new Float32Array(rows.length * width);
  rows.forEach((i, r) => all.set(readRows(view, 'hook_q', b, i, i + 1), r * width));
  const q = head === undefined ? all : pickHead(all, rows.length, view.heads, head);
  const precision = view.dtype === 'F16' || allHalves(q) && allHalves(k.subarray(0, 2 ** 16)) ? 'F16' : 'F32', half = precision === 'F16' ? 2 ** -11 : 2 ** -24;
  const block = { heads, kvHeads, rows: rows.length, keys, dim }, p = await cells(loaded, rows, 0, keys, 0);
  const base = await scoreBlock(block, { q, k, scale: view.scale, softcap: view.softcap });
  await between();
  const shaken = await scoreBlock(block, { q: shake(q, half, 1), k: shake(k, half, 2), scale: view.scale, softcap: view.softcap });
  await between();
  let probability = 0, output = 0;
  const moved = new Float32Array(p.length);
  for (let n = 0; n < p.length; n++) {
    moved[n] = p[n] && p[n] * Math.exp(shaken[n] - base[n]);
    const change = Math.abs(moved[n] - p[n]);
    if (change > probability) probability = change;
  }
  if (view.store.has(`${view.name}.hook_v`)) {
    const v = valuesOf(view, b, head), plain = await valuesBlock(block, p, v, valueDim), changed = await valuesBlock(block, moved, shake(v, half, 3), valueDim);
    for (let h = 0; h < heads; h++) output = Math.max(output, relativeError(plain, changed, rows.length, heads, valueDim, h));
  }
  return { probability, output, precision };
}

/** `count` of `items`, evenly, the first and the last among them. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, n) => items[count === 1 ? 0 : Math.round(n * (items.length - 1) / (count - 1))]);
}

/** ‖changed − plain‖ / ‖plain‖ of one head of [row, head, dim]; 0 where plain is 0. */
function relativeError(plain: Float32Array, changed: Float32Array, rows: number, heads: number, dim: number, head: number): number {
  let off = 0, size = 0;
  for (let r = 0; r < rows; r++) for (let d = 0, at = (r * heads + head) * dim; d < dim; d++, at++) { off += (changed[at] - plain[at]) ** 2; size += plain[at] ** 2; }
  return size > 0 ? Math.sqrt(off / size) : 0;
}

function allHalves(values: Float32Array): boolean {
  const rounded = fromHalf(toHalf(values));
  for (let n = 0; n < values.length; n++) if (rounded[n] !== values[n]) return false;
  return true;
}

/** Every element moved by `half` of itself, up or down (always the same way). */
function shake(values: Float32Array, half: number, salt: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let n = 0; n < values.length; n++) out[n] = values[n] * (1 + (Math.imul(n + 1, 0x9e3779b1 + salt * 0x85ebca6b) >> 16 & 1 ? half : -half));
  return out;
}
