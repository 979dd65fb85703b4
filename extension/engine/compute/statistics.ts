/** Row and column statistics of one sample of a site, from q and k (or from a stored pattern), in bounded blocks. */
import { readRows, type SiteView } from '../trace/site-view.ts';
import { additiveRow, highKey, perHead } from '../trace/visibility.ts';
import { hiddenScore, statisticsBlock } from './kernel.ts';
import { blockCells } from './rows.ts';

export const thumbnail = 32;

/** Everything is [head, query] unless said. Rows that see no key: lse −∞, entropy and max 0, maxKey −1. */
export interface SampleStatistics {
  readonly lse: Float32Array; readonly entropy: Float32Array; readonly max: Float32Array; readonly maxKey: Int32Array;
  /** [head, key]: column sums over live rows. */
  readonly received: Float32Array;
  /** [head, 32, 32]: mean over a bin's live rows of the mass on a bin's keys. */
  readonly pooled: Float32Array;
  /** [head]: mean and mean square of |query position − key| over all of the attention of live rows. */
  readonly distance: Float64Array; readonly squared: Float64Array;
}

/** `live(h)[i]`: the row counts in column sums and pictures. `between` is awaited between blocks. */
export async function sampleStatistics(view: SiteView, b: number, live: (h: number) => Uint8Array, between: () => Promise<void>): Promise<SampleStatistics> {
  const { heads, queries, keys } = view, all = heads * queries, rowBins = Math.min(queries, thumbnail), keyBins = Math.min(keys, thumbnail);
  const out = {
    lse: new Float32Array(all), entropy: new Float32Array(all), max: new Float32Array(all), maxKey: new Int32Array(all), received: new Float32Array(heads * keys),
    pooled: new Float32Array(heads * thumbnail * thumbnail), distance: new Float64Array(heads), squared: new Float64Array(heads),
  };
  const received = new Float64Array(heads * keys), pooled = new Float64Array(out.pooled.length), rowsOf = new Float64Array(heads * thumbnail);
  const finish = (h: number, i: number, mass: (bin: number) => number): void => {
    if (!live(h)[i]) return;
    const bin = Math.floor(i * rowBins / queries);
    rowsOf[h * thumbnail + bin]++;
    for (let c = 0; c < keyBins; c++) pooled[(h * thumbnail + bin) * thumbnail + c] += mass(c);
  };
  if (view.from === 'pattern') await fromPattern(view, b, live, between, out, received, finish);
  else await fromScores(view, b, live, between, out, received, finish);
  for (let n = 0; n < received.length; n++) out.received[n] = received[n];
  for (let h = 0; h < heads; h++) {
    const rows = rowsOf.subarray(h * thumbnail, (h + 1) * thumbnail).reduce((a, b) => a + b, 0);
    if (rows) { out.distance[h] /= rows; out.squared[h] /= rows; }
  }
  for (let n = 0; n < pooled.length; n++) { const rows = rowsOf[Math.floor(n / thumbnail)]; out.pooled[n] = rows ? pooled[n] / rows : 0; }
  return out;
}

type Out = SampleStatistics;
type Finish = (h: number, i: number, mass: (bin: number) => number) => void;

async function fromScores(view: SiteView, b: number, live: (h: number) => Uint8Array, between: () => Promise<void>, out: Out, received: Float64Array, finish: Finish): Promise<void> {
  const { heads, kvHeads, queries, keys, dim, visibility, sink } = view, k = readRows(view, 'hook_k', b, 0, keys), offset = queryOffset(view);
  const maskHeads = perHead(visibility) ? heads : 1, bins = Math.min(keys, thumbnail);
  const seen = new Int32Array(maskHeads * queries);
  for (let from = 0; from < queries;) {
    const width = Math.max(1, visibility.rule.causal ? Math.max(highKey(visibility, Math.min(queries - 1, from + 63)), 1) : keys);
    let to = Math.min(queries, from + Math.max(1, Math.min(64, Math.floor(blockCells / heads / width))));
    if (!visibility.rule.causal) to = Math.min(queries, from + Math.max(1, Math.floor(blockCells / heads / keys)));
    const rows = to - from, additive = new Float32Array(maskHeads * rows * width), weights = new Float32Array(maskHeads * rows), distance = new Float32Array(rows * width);
    for (let h = 0, at = 0; h < maskHeads; h++) for (let i = from; i < to; i++, at += width) {
      const count = additiveRow(visibility, b, h, i, 0, width, additive, at, hiddenScore);
      seen[h * queries + i] = count;
      weights[h * rows + i - from] = count && live(h)[i] ? 1 : 0;
    }
    for (let i = from, at = 0; i < to; i++) for (let j = 0; j < width; j++) distance[at++] = Math.abs(i + offset - j);
    const columns = keyColumns(width, keys, bins), n = bins + 2;
    const got = await statisticsBlock({ heads, kvHeads, rows, keys: width, dim }, { q: readRows(view, 'hook_q', b, from, to), k, scale: view.scale, softcap: view.softcap, additive, weights, columns, distance, sink });
    for (let h = 0; h < heads; h++) {
      for (let r = 0; r < rows; r++) {
        const i = from + r, at = h * queries + i, x = h * rows + r;
        if (!seen[(maskHeads === 1 ? 0 : h) * queries + i]) { out.lse[at] = sink ? sink[h] : -Infinity; out.maxKey[at] = -1; continue; }
        const total = got.total[x], keysLse = got.top[x] + Math.log(total), lse = sink ? logAdd(keysLse, sink[h]) : keysLse;
        out.lse[at] = lse;
        // −Σ p ln p of the keys' own share P = Σ p, which a sink leaves them: P·H(p / P) − P ln P.
        const mass = Math.exp(keysLse - lse);
        out.entropy[at] = Math.max(0, mass * (Math.log(total) - got.moment[x] / total - (sink ? keysLse - lse : 0)));
        out.max[at] = Math.exp(got.top[x] - lse);
        out.maxKey[at] = got.topKey[x];
        if (live(h)[i]) {
          out.distance[h] += got.distances![x] / total;
          // d = p − j = (p − c) − (j − c), c = keys / 2: small numbers, small errors.
          const p = i + offset - keys / 2;
          out.squared[h] += Math.max(0, p * p - 2 * p * got.sums[x * n + bins] / total + got.sums[x * n + bins + 1] / total);
        }
        const share = mass / total;
        finish(h, i, c => got.sums[x * n + c] * share);
      }
      for (let j = 0; j < width; j++) received[h * keys + j] += got.received[h * width + j];
    }
    from = to;
    await between();
  }
}

async function fromPattern(view: SiteView, b: number, live: (h: number) => Uint8Array, between: () => Promise<void>, out: Out, received: Float64Array, finish: Finish): Promise<void> {
  const { heads, queries, keys } = view, offset = queryOffset(view), bins = Math.min(keys, thumbnail);
  for (let h = 0; h < heads; h++) {
    const step = Math.max(1, Math.floor(blockCells / keys));
    for (let from = 0; from < queries; from += step) {
      const rows = Math.min(step, queries - from), block = view.store.floats(`${view.name}.hook_pattern`, ((b * heads + h) * queries + from) * keys, rows * keys);
      for (let r = 0; r < rows; r++) {
        const i = from + r, at = h * queries + i, p = block.subarray(r * keys, (r + 1) * keys), masses = new Float64Array(bins);
        let mass = 0, most = 0, place = -1, entropy = 0, distance = 0, squared = 0;
        for (let j = 0; j < keys; j++) {
          if (p[j] > most) { most = p[j]; place = j; }
          mass += p[j];
          masses[Math.floor(j * bins / keys)] += p[j];
          if (p[j] > 0) entropy -= p[j] * Math.log(p[j]);
          distance += p[j] * Math.abs(i + offset - j);
          squared += p[j] * (i + offset - j) ** 2;
        }
        // A probability is all that there is: the scores are taken as its logarithms.
        out.lse[at] = mass > 0 ? 0 : -Infinity;
        out.maxKey[at] = place;
        out.max[at] = most;
        if (!(mass > 0)) continue;
        out.entropy[at] = Math.max(0, entropy / mass + Math.log(mass));
        if (live(h)[i]) {
          out.distance[h] += distance / mass;
          out.squared[h] += squared / mass;
          for (let j = 0; j < keys; j++) received[h * keys + j] += p[j];
        }
        finish(h, i, c => masses[c]);
      }
      await between();
    }
  }
}

/** Key position of query 0: behind the cached keys of a self-attention. */
export function queryOffset(view: SiteView): number { return view.site.kind === 'self' ? Math.max(0, view.keys - view.queries) : 0; }

/** [width, bins + 2]: membership of each bin of keys, j − c and its square. */
function keyColumns(width: number, keys: number, bins: number): Float32Array {
  const out = new Float32Array(width * (bins + 2));
  for (let j = 0; j < width; j++) {
    out[j * (bins + 2) + Math.floor(j * bins / keys)] = 1;
    out[j * (bins + 2) + bins] = j - keys / 2;
    out[j * (bins + 2) + bins + 1] = (j - keys / 2) ** 2;
  }
  return out;
}

function logAdd(a: number, b: number): number { const most = Math.max(a, b); return most + Math.log(Math.exp(a - most) + Math.exp(b - most)); }
