/** One site of a stored trace (or of a capture that is being completed): its shapes, its rule, and its rows when asked. */
import { UserError } from '../../contract/errors.ts';
import type { Site } from '../../contract/site.ts';
import type { MaskRule } from '../../contract/trace.ts';
import type { TensorStore } from './tensor-store.ts';
import type { Visibility } from './visibility.ts';

export interface SiteView {
  readonly name: string;
  readonly site: Site;
  readonly store: TensorStore;
  readonly batch: number; readonly heads: number; readonly kvHeads: number;
  readonly queries: number; readonly keys: number;
  readonly dim: number; readonly valueDim: number;
  readonly scale: number;
  /** 0: none. */
  readonly softcap: number;
  readonly visibility: Visibility;
  /** [head]. */
  readonly sink?: Float32Array;
  /** Of q and k as stored; F32 where there are none. */
  readonly dtype: 'F32' | 'F16';
  /** How the probabilities come back: from q and k, from a stored hook_pattern, or not at all. */
  readonly from: 'qk' | 'pattern' | 'nothing';
  /** Keeps a sample that is read again and again. */
  readonly memory?: SampleMemory;
}

/** Shapes of a site, from its stored tensors. */
export function viewSite(store: TensorStore, site: Site, visibility?: Visibility, sink?: Float32Array, memory?: SampleMemory): SiteView {
  const { name } = site, shape = (part: string): readonly number[] | undefined => store.tensors.get(`${name}.${part}`)?.shape;
  const q = shape('hook_q'), k = shape('hook_k'), v = shape('hook_v'), pattern = shape('hook_pattern');
  const from = site.form !== 'linear' && q && k && site.scale !== null ? 'qk' : pattern ? 'pattern' : 'nothing';
  const batch = q?.[0] ?? pattern?.[0] ?? 0, heads = q?.[2] ?? pattern?.[1] ?? 0, queries = q?.[1] ?? pattern?.[2] ?? 0, keys = k?.[1] ?? pattern?.[3] ?? 0;
  return {
    name, site, store, batch, heads, kvHeads: k?.[2] ?? heads, queries, keys, dim: q?.[3] ?? 0, valueDim: v?.[3] ?? 0,
    scale: site.scale ?? 1, softcap: site.softcap ?? 0, sink, from, memory,
    dtype: store.tensors.get(`${name}.hook_q`)?.dtype === 'F16' ? 'F16' : 'F32',
    visibility: visibility ?? { batch, heads, queries, keys, rule: { causal: false, offset: 0, window: null } },
  };
}

/** A site of a finished trace, with the tensors of its mask rule. */
export function viewStoredSite(store: TensorStore, site: Site, rule: MaskRule | undefined): SiteView {
  const bare = viewSite(store, site);
  if (!rule) return bare;
  const { batch, heads, queries, keys } = bare, wrong = (name: string): UserError => new UserError(`${store.file} is damaged: tensor ${name} does not fit ${site.name}.`, 'Trace the model again.');
  let visibility: Visibility = { batch, heads, queries, keys, rule: { causal: rule.causal, offset: rule.offset, window: rule.window } };
  if (rule.keys !== null) {
    const { shape } = store.info(rule.keys);
    if (shape.length !== 2 || shape[0] !== batch || shape[1] !== keys) throw wrong(rule.keys);
    visibility = { ...visibility, visibleKeys: Uint8Array.from(store.floats(rule.keys)) };
  }
  if (rule.bias !== null) {
    const { shape } = store.info(rule.bias);
    if (shape.length !== 4 || shape.some((dim, axis) => dim !== 1 && dim !== [batch, heads, queries, keys][axis])) throw wrong(rule.bias);
    visibility = { ...visibility, bias: { dims: shape as never, data: store.floats(rule.bias) } };
  }
  if (rule.blocks) {
    const { tensor, size, offset } = rule.blocks, { shape } = store.info(tensor);
    if (shape.length !== 3 || shape.some(dim => dim < 1)) throw wrong(tensor);
    visibility = { ...visibility, blocks: { size, offset, dims: shape as never, cells: Uint8Array.from(store.floats(tensor)) } };
  }
  if (rule.sink !== null && store.info(rule.sink).shape.join() !== String(heads)) throw wrong(rule.sink);
  return viewSite(store, site, visibility, rule.sink === null ? undefined : store.floats(rule.sink));
}

type Part = 'hook_q' | 'hook_k' | 'hook_v';
const mostKept = 64 * 2 ** 20;

/**
 * The tensors of one sample of one site at a time, for whoever goes through a whole trace: its memory is used again for the next. What it
 * gave is valid until the next sample is begun.
 */
export class SampleMemory {
  #of: string | undefined;
  readonly #kept = new Map<string, Float32Array>();
  readonly #spare = new Map<string, Float32Array<ArrayBuffer>>();

  /** `length` elements named `what` of sample `b` of `site`; `read` fills the memory that it is given, or brings its own. */
  floats(site: string, b: number, what: string, length: number, read: (into: Float32Array<ArrayBuffer>) => Float32Array): Float32Array {
    if (this.#of !== `${site} ${b}`) { this.#kept.clear(); this.#of = `${site} ${b}`; }
    let values = this.#kept.get(what);
    if (values?.length === length) return values;
    const spare = this.#spare.get(what), into = spare?.length === length ? spare : new Float32Array(length);
    this.#spare.set(what, into);
    values = read(into);
    this.#kept.set(what, values);
    return values;
  }
}

/** Positions [from, to) of q, k or v of one sample: [position, head, dim]. Not to be written to. */
export function readRows(view: SiteView, part: Part, b: number, from: number, to: number): Float32Array {
  const name = `${view.name}.${part}`, [, positions, heads, dim] = view.store.info(name).shape, row = heads * dim, all = positions * row;
  if (view.memory && all * 4 <= mostKept) {
    return view.memory.floats(view.name, b, part, all, into => view.store.floats(name, b * all, all, into)).subarray(from * row, to * row);
  }
  return view.store.floats(name, b * all + from * row, (to - from) * row);
}

/** One head out of [position, heads, dim]: [position, 1, dim]. */
export function pickHead(rows: Float32Array, positions: number, heads: number, head: number): Float32Array {
  if (heads === 1) return rows;
  const dim = rows.length / positions / heads, out = new Float32Array(positions * dim);
  for (let i = 0; i < positions; i++) {
    const from = (i * heads + head) * dim, to = i * dim;
    for (let d = 0; d < dim; d++) out[to + d] = rows[from + d];
  }
  return out;
}

/** One head of all positions [position, dim], read in blocks. */
export function readHead(view: SiteView, part: 'hook_q' | 'hook_k' | 'hook_v', b: number, head: number): Float32Array {
  const [, positions, heads, dim] = view.store.info(`${view.name}.${part}`).shape, out = new Float32Array(positions * dim), step = Math.max(1, Math.floor(2 ** 22 / (heads * dim)));
  for (let from = 0; from < positions; from += step) {
    const to = Math.min(positions, from + step);
    out.set(pickHead(readRows(view, part, b, from, to), to - from, heads, head), from * dim);
  }
  return out;
}

/** Statistics of one head of one sample: elements of stats.NAME. */
export function readStats(view: SiteView, part: 'lse' | 'entropy' | 'max' | 'received', b: number, h: number): Float32Array {
  const name = `${view.name}.stats.${part}`, length = view.store.info(name).shape[2];
  return view.store.floats(name, (b * view.heads + h) * length, length);
}
