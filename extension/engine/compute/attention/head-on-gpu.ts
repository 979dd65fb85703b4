/** Pictures of one head on the GPU: its q, k, lse and mask are uploaded once and kept for the next tile. */
import { Cancelled } from '../../../contract/errors.ts';
import { readHead, type SiteView } from '../../trace/site-view.ts';
import type { Visibility } from '../../trace/visibility.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { Chosen } from '../rows.ts';
import { denseStrides, padded, ruleOf, type Problem } from './problem.ts';
import { tilePlan, type TileOf } from './tile-plan.ts';

interface Head { readonly view: SiteView; readonly batch: number; readonly head: number; readonly problem: Problem; readonly given: ReadonlyMap<string, GPUBuffer> }
const mostHeads = 4;
/** The most recent last; of one device at a time. */
const heads = new WeakMap<Gpu, Head[]>();

export interface Picture { /** Row-major [height, width]: mean or maximum over what is seen, and how many cells that is. */ readonly values: Float32Array; readonly counts: Float32Array }

/** Rows and columns of one head, `chosen` from `prepare`. Errors: those of `Gpu.run`. */
export async function pictureOnGpu(gpu: Gpu, chosen: Chosen & { readonly head: number }, tile: Omit<TileOf, 'head' | 'over'>, signal?: AbortSignal): Promise<Picture> {
  const { problem, given } = await headOn(gpu, chosen);
  if (signal?.aborted) throw new Cancelled();
  const texels = new Float32Array((await gpu.run(tilePlan(problem, { ...tile, head: 0, over: false }), given, ['texels'], signal)).texels), count = tile.height * tile.width;
  const values = new Float32Array(count), counts = new Float32Array(count);
  for (let n = 0; n < count; n++) { values[n] = texels[2 * n]; counts[n] = texels[2 * n + 1]; }
  return { values, counts };
}

async function headOn(gpu: Gpu, { view, batch, head, k, lse }: Chosen & { readonly head: number }): Promise<Head> {
  const list = heads.get(gpu) ?? [], found = list.findIndex(one => one.view === view && one.batch === batch && one.head === head);
  heads.set(gpu, list);
  if (found >= 0) list.push(...list.splice(found, 1));
  else {
    const rows = new Float32Array(4 * view.queries), mask = maskOf(view.visibility, batch, head);
    for (let i = 0; i < view.queries; i++) rows[4 * i] = lse![i] === -Infinity ? -1e38 : lse![i];
    const tensors = { q: wide(readHead(view, 'hook_q', batch, head), view.dim), k: wide(k!, view.dim), rows, bias: mask.bias, marks: mask.marks, over: new Float32Array(1) }, given = new Map<string, GPUBuffer>();
    try { for (const [name, data] of Object.entries(tensors)) given.set(name, await gpu.upload(data)); } catch (error) { for (const buffer of given.values()) gpu.pool.give(buffer); throw error; }
    const shape = { queries: view.queries, keys: view.keys, dim: view.dim, valueDim: view.dim };
    list.push({ view, batch, head, given, problem: { ...shape, heads: 1, kvHeads: 1, scale: view.scale, softcap: view.softcap, ...ruleOf(mask.visibility, false), strides: denseStrides(shape) } });
    if (list.length > mostHeads) for (const buffer of list.shift()!.given.values()) gpu.pool.give(buffer);
  }
  return list[list.length - 1];
}

/** Rows of `dim` numbers, each filled up with zeros to whole vec4. */
function wide(data: Float32Array, dim: number): Float32Array {
  const to = padded(dim);
  if (to === dim) return data;
  const out = new Float32Array(data.length / dim * to);
  for (let row = 0; row * dim < data.length; row++) out.set(data.subarray(row * dim, (row + 1) * dim), row * to);
  return out;
}

/** The mask of one head of one sample, as if there were no others. */
function maskOf(of: Visibility, batch: number, head: number): { readonly visibility: Visibility; readonly bias: Float32Array; readonly marks: Uint32Array } {
  const { bias, blocks, visibleKeys, keys } = of;
  const [B, H, Q, K] = bias?.dims ?? [1, 1, 1, 1], from = bias ? ((B === 1 ? 0 : batch) * H + (H === 1 ? 0 : head)) * Q * K : 0, [layouts, rows, columns] = blocks?.dims ?? [1, 0, 0];
  const cells = blocks ? blocks.cells.subarray(head % layouts * rows * columns, (head % layouts + 1) * rows * columns) : [], seen = visibleKeys ? visibleKeys.subarray(batch * keys, (batch + 1) * keys) : [];
  return {
    visibility: { ...of, ...(bias ? { bias: { dims: [1, 1, Q, K], data: bias.data } } : {}), ...(blocks ? { blocks: { ...blocks, dims: [1, rows, columns] } } : {}) },
    bias: bias ? bias.data.subarray(from, from + Q * K) : new Float32Array(1), marks: Uint32Array.from([...seen, ...cells, ...(seen.length + cells.length ? [] : [1])]),
  };
}
