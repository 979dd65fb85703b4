/** One sample of a site as metrics want it: statistics per row and column, and probabilities at places that mean something. */
import { pairedScores, scoreBlock } from '../compute/kernel.ts';
import { queryOffset } from '../compute/statistics.ts';
import type { HeadView } from '../metrics/metric.ts';
import { readHead, readRows, type SiteView } from '../trace/site-view.ts';
import { biasAt, sees } from '../trace/visibility.ts';

/** [head, query], [head, key] and, of distances, [head]. */
export interface SampleArrays { readonly lse: Float32Array; readonly entropy: Float32Array; readonly max: Float32Array; readonly received: Float32Array; readonly distance: Float64Array; readonly squared: Float64Array }
export interface SampleRows {
  /** Live rows of a head, how many of them see each key, and how many keys each row sees. */
  readonly live: (h: number) => Uint8Array; readonly seeing: (h: number) => Int32Array; readonly seen: (h: number) => Int32Array;
}

/** Up to so many occurrences of a token, single probabilities cost less than a kernel's start. */
const fewOccurrences = 12;
/** Beyond this, rows of q and k are read head by head. */
const wholeSampleBytes = 128 * 2 ** 20;

/** `ids`: the tokens of queries and keys, where they are one sequence. Calls `visit` for every head in turn. */
export async function eachHead(view: SiteView, b: number, arrays: SampleArrays, rows: SampleRows, ids: readonly number[] | undefined, between: () => Promise<void>, visit: (h: number, head: HeadView) => void): Promise<void> {
  const { heads, queries, keys } = view, self = view.site.kind === 'self' && view.site.form === 'dense', offset = queryOffset(view);
  const whole = wholeSample(view, b), reader = probabilityReader(view, b, arrays.lse, whole);
  const induction = ids && self && ids.length === queries && queries === keys && view.from === 'qk' ? await inductionMass({ view, b, lse: arrays.lse, whole, reader, between }, ids) : undefined;
  const near = async (back: number): Promise<Float32Array | undefined> => (self ? diagonal({ view, b, lse: arrays.lse, whole, reader, between }, back) : undefined);
  const onSelf = await near(0), onPrevious = await near(1), row = <T extends Float32Array>(of: T, h: number): T => of.subarray(h * queries, (h + 1) * queries) as T;
  for (let h = 0; h < heads; h++) {
    const live = rows.live(h), seeing = rows.seeing(h);
    visit(h, {
      queries, keys, offset, self, live, liveRows: live.reduce((sum, one) => sum + one, 0), firstKey: seeing.findIndex(count => count > 0), seeing, seen: rows.seen(h),
      entropy: row(arrays.entropy, h), max: row(arrays.max, h),
      distance: arrays.distance[h], squared: arrays.squared[h], received: arrays.received.subarray(h * keys, (h + 1) * keys),
      ...(onSelf && onPrevious ? { onSelf: row(onSelf, h), onPrevious: row(onPrevious, h) } : {}), ...(induction ? { induction: row(induction, h) } : {}),
    });
    await between();
  }
}

interface Whole { readonly hook_q: Float32Array; readonly hook_k: Float32Array }

/** All of q and k of a sample, where they are small enough. */
function wholeSample(view: SiteView, b: number): Whole | undefined {
  if (view.from !== 'qk' || (view.queries * view.heads + view.keys * view.kvHeads) * view.dim * 4 > wholeSampleBytes) return undefined;
  return { hook_q: readRows(view, 'hook_q', b, 0, view.queries), hook_k: readRows(view, 'hook_k', b, 0, view.keys) };
}

/** head → (query, key) → probability; 0 where the key is hidden. */
function probabilityReader(view: SiteView, b: number, lse: Float32Array, whole: Whole | undefined): (h: number) => (i: number, j: number) => number {
  const { heads, kvHeads, queries, keys, dim, visibility, store, name } = view;
  if (view.from !== 'qk') return h => (i, j) => (j >= 0 && j < keys ? store.floats(`${name}.hook_pattern`, ((b * heads + h) * queries + i) * keys + j, 1)[0] : 0);
  const q = whole?.hook_q, k = whole?.hook_k;
  return h => {
    const kv = Math.floor(h * kvHeads / heads);
    const qh = q ?? readHead(view, 'hook_q', b, h), kh = k ?? readHead(view, 'hook_k', b, kv);
    const qStep = q ? heads * dim : dim, kStep = k ? kvHeads * dim : dim, qBase = q ? h * dim : 0, kBase = k ? kv * dim : 0;
    return (i, j) => {
      if (j < 0 || j >= keys || !sees(visibility, b, h, i, j)) return 0;
      const raw = dot(qh, i * qStep + qBase, kh, j * kStep + kBase, dim) * view.scale, score = (view.softcap ? view.softcap * Math.tanh(raw / view.softcap) : raw) + biasAt(visibility, b, h, i, j);
      return Math.exp(score - lse[h * queries + i]);
    };
  };
}

/** Four sums side by side: a processor waits for each addition otherwise. */
function dot(a: Float32Array, x: number, b: Float32Array, y: number, dim: number): number {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0, d = 0;
  for (; d + 3 < dim; d += 4) {
    s0 += a[x + d] * b[y + d];
    s1 += a[x + d + 1] * b[y + d + 1];
    s2 += a[x + d + 2] * b[y + d + 2];
    s3 += a[x + d + 3] * b[y + d + 3];
  }
  for (; d < dim; d++) s0 += a[x + d] * b[y + d];
  return s0 + s1 + s2 + s3;
}

/** [head, query]: probability on the key `back` positions before the query; 0 where there is none or it is hidden. */
async function diagonal({ view, b, lse, whole, reader, between }: Induction, back: number): Promise<Float32Array> {
  const { heads, kvHeads, queries, keys, dim, visibility } = view, offset = queryOffset(view), out = new Float32Array(heads * queries), first = Math.max(0, back - offset);
  if (view.from !== 'qk') {
    for (let h = 0; h < heads; h++) { const prob = reader(h); for (let i = first; i < queries; i++) out[h * queries + i] = prob(i, i + offset - back); }
    return out;
  }
  const read = (part: 'hook_q' | 'hook_k', from: number, to: number, width: number): Float32Array => (whole ? whole[part].subarray(from * width, to * width) : readRows(view, part, b, from, to));
  const step = Math.max(1, Math.floor(2 ** 22 / heads / dim)), end = Math.min(queries, keys - offset + back);
  for (let from = first; from < end; from += step) {
    const to = Math.min(end, from + step), shift = offset - back;
    const scores = await pairedScores(to - from, heads, kvHeads, dim, read('hook_q', from, to, heads * dim), read('hook_k', from + shift, to + shift, kvHeads * dim));
    for (let h = 0; h < heads; h++) for (let i = from; i < to; i++) {
      if (!sees(visibility, b, h, i, i + shift)) continue;
      const raw = scores[(i - from) * heads + h] * view.scale;
      out[h * queries + i] = Math.exp((view.softcap ? view.softcap * Math.tanh(raw / view.softcap) : raw) + biasAt(visibility, b, h, i, i + shift) - lse[h * queries + i]);
    }
    await between();
  }
  return out;
}

/**
 * [head, query]: mass on keys i'+1 ≤ i for every i' < i with the query's token; −1 without one. The rows of one token form a small dense
 * problem of their own, so the cost is that of the pairs that there are.
 */
async function inductionMass({ view, b, lse, whole, reader, between }: Induction, ids: readonly number[]): Promise<Float32Array> {
  const { heads, kvHeads, queries, dim, visibility } = view, out = new Float32Array(heads * queries).fill(-1), places = new Map<number, number[]>();
  ids.forEach((id, i) => { const list = places.get(id); if (list) list.push(i); else places.set(id, [i]); });
  const repeated = [...places.values()].filter(list => list.length > 1), few = repeated.filter(list => list.length <= fewOccurrences);
  for (let h = 0; h < heads; h++) {
    const prob = reader(h);
    for (const list of few) for (let r = 1; r < list.length; r++) {
      let mass = 0;
      for (let n = 0; n < r; n++) mass += prob(list[r], list[n] + 1);
      out[h * queries + list[r]] = mass;
    }
  }
  for (const list of repeated) {
    if (list.length <= fewOccurrences) continue;
    const followers = list.slice(0, -1).map(i => i + 1), k = gather(view, 'hook_k', b, followers, whole);
    const step = Math.max(1, Math.floor(2 ** 20 / heads / followers.length));
    for (let from = 1; from < list.length; from += step) {
      const rows = list.slice(from, from + step), width = Math.min(followers.length, from + rows.length - 1);
      const scores = await scoreBlock({ heads, kvHeads, rows: rows.length, keys: width, dim }, { q: gather(view, 'hook_q', b, rows, whole), k, scale: view.scale, softcap: view.softcap });
      for (let h = 0; h < heads; h++) rows.forEach((i, r) => {
        let mass = 0;
        for (let n = 0; n < from + r; n++) {
          const j = followers[n];
          if (sees(visibility, b, h, i, j)) mass += Math.exp(scores[(h * rows.length + r) * width + n] + biasAt(visibility, b, h, i, j) - lse[h * queries + i]);
        }
        out[h * queries + i] = mass;
      });
      await between();
    }
  }
  return out;
}

interface Induction { readonly view: SiteView; readonly b: number; readonly lse: Float32Array; readonly whole: Whole | undefined; readonly reader: (h: number) => (i: number, j: number) => number; readonly between: () => Promise<void> }

/** These rows, one behind the other: [row, head, dim]. */
function gather(view: SiteView, part: 'hook_q' | 'hook_k', b: number, rows: readonly number[], whole: Whole | undefined): Float32Array {
  const [, , heads, dim] = view.store.info(`${view.name}.${part}`).shape, width = heads * dim, out = new Float32Array(rows.length * width);
  rows.forEach((i, r) => out.set(whole ? whole[part].subarray(i * width, (i + 1) * width) : readRows(view, part, b, i, i + 1), r * width));
  return out;
}
