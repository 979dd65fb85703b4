/** One sample of a site as metrics want it: statistics per row and column, and single probabilities on demand. */
import { scoreBlock } from '../compute/kernel.ts';
import { queryOffset } from '../compute/statistics.ts';
import type { HeadView } from '../metrics/metric.ts';
import { readHead, readRows, type SiteView } from '../trace/site-view.ts';
import { biasAt, sees } from '../trace/visibility.ts';

/** [head, query] and [head, key]. */
export interface SampleArrays { readonly lse: Float32Array; readonly entropy: Float32Array; readonly max: Float32Array; readonly received: Float32Array; readonly distance: Float32Array; readonly squared: Float32Array }
export interface SampleRows {
  /** Live rows of a head, and how many of them see each key. */
  readonly live: (h: number) => Uint8Array; readonly seeing: (h: number) => Int32Array;
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
  for (let h = 0; h < heads; h++) {
    const live = rows.live(h), seeing = rows.seeing(h);
    visit(h, {
      queries, keys, offset, self, live, liveRows: live.reduce((sum, one) => sum + one, 0), firstKey: seeing.findIndex(count => count > 0), seeing,
      entropy: arrays.entropy.subarray(h * queries, (h + 1) * queries), max: arrays.max.subarray(h * queries, (h + 1) * queries),
      distance: arrays.distance.subarray(h * queries, (h + 1) * queries), squared: arrays.squared.subarray(h * queries, (h + 1) * queries), received: arrays.received.subarray(h * keys, (h + 1) * keys),
      prob: reader(h), ...(induction ? { induction: induction.subarray(h * queries, (h + 1) * queries) } : {}),
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
