/** The statistics of a captured site: the graph's where they are right, computed where they are missing or cannot be right. */
import { queryOffset, sampleStatistics } from '../compute/statistics.ts';
import type { NotFinite } from '../../contract/trace.ts';
import type { CaptureIndex, SiteCapture, StoredTensor } from '../trace/capture.ts';
import type { PartWriter } from '../trace/part-writer.ts';
import type { SiteView } from '../trace/site-view.ts';
import type { TensorStore } from '../trace/tensor-store.ts';
import { countVisible, perHead, type Visibility } from '../trace/visibility.ts';
import type { SampleArrays } from './head-views.ts';
import { realRows } from './real-rows.ts';

export interface SiteStatistics {
  sample(b: number): SampleArrays;
  /** [query] 1 = real and sees a key. */
  live(b: number, h: number): Uint8Array;
  seeing(b: number, h: number): Int32Array;
  /** [query] how many keys each query sees. */
  seen(b: number, h: number): Int32Array;
  readonly emptyRows: number;
  readonly evenEntropy: number[];
  readonly notFinite: number;
  /** The first of these: its lse, or its entropy where that is finite; [batch, head, query]. */
  readonly firstNotFinite?: Pick<NotFinite, 'tensor' | 'index' | 'value'>;
}

interface Input { readonly view: SiteView; readonly capture: SiteCapture; readonly index: CaptureIndex; readonly side: TensorStore; readonly writer: PartWriter; readonly tensors: Map<string, StoredTensor>; readonly seqToSeq: boolean; readonly between: () => Promise<void> }

/** What of a site follows from its mask alone; sites that share a mask share it. */
interface Rows { readonly heads: number; readonly live: readonly Uint8Array[]; readonly seen: readonly Int32Array[]; readonly seeing: readonly Int32Array[]; readonly emptyRows: number; readonly evenEntropy: number[] }
const known = new WeakMap<Visibility, Rows>();

function rowsOf({ view, index, seqToSeq }: Input): Rows {
  const { batch, heads, queries, visibility } = view, found = known.get(visibility);
  if (found) return found;
  const maskHeads = perHead(visibility) ? heads : 1, rows = { heads: maskHeads, live: [] as Uint8Array[], seen: [] as Int32Array[], seeing: [] as Int32Array[], emptyRows: 0, evenEntropy: [] as number[] };
  for (let b = 0; b < batch; b++) {
    const real = realRows(view, b, index.input, seqToSeq);
    let even = 0, counted = 0;
    for (let h = 0; h < maskHeads; h++) {
      const { seen, seeing } = countVisible(visibility, b, h, (i, keys) => real[i] === 1 && keys > 0), live = new Uint8Array(queries);
      for (let i = 0; i < queries; i++) {
        if (real[i] && !seen[i]) rows.emptyRows += heads / maskHeads;
        if (!real[i] || !seen[i]) continue;
        live[i] = 1;
        even += Math.log(seen[i]);
        counted++;
      }
      rows.live.push(live);
      rows.seen.push(seen);
      rows.seeing.push(seeing);
    }
    rows.evenEntropy.push(counted ? even / counted : 0);
  }
  known.set(visibility, rows);
  return rows;
}

/** Appends stats.* to the trace where the runner left none, and mends what is not right. */
export async function siteStatistics(input: Input): Promise<SiteStatistics> {
  const { view } = input, { heads, queries } = view, rows = rowsOf(input);
  const of = <T>(list: readonly T[]) => (b: number, h: number): T => list[b * rows.heads + (rows.heads === 1 ? 0 : h)];
  const live = of(rows.live), samples = view.from === 'nothing' ? [] : await fill(input, live, of(rows.seen));
  let notFinite = 0, firstNotFinite: SiteStatistics['firstNotFinite'];
  samples.forEach((sample, b) => {
    for (let h = 0; h < heads; h++) {
      const alive = live(b, h);
      for (let i = 0, at = h * queries; i < queries; i++, at++) {
        if (!alive[i] || Number.isFinite(sample.lse[at]) && Number.isFinite(sample.entropy[at])) continue;
        notFinite++;
        const part = Number.isFinite(sample.lse[at]) ? 'entropy' : 'lse';
        firstNotFinite ??= { tensor: `${view.name}.stats.${part}`, index: [b, h, i], value: `${sample[part][at]}` as NotFinite['value'] };
      }
    }
  });
  return { live, seeing: of(rows.seeing), seen: of(rows.seen), sample: b => samples[b], emptyRows: rows.emptyRows, evenEntropy: rows.evenEntropy, notFinite, ...(firstNotFinite ? { firstNotFinite } : {}) };
}

async function fill(input: Input, live: (b: number, h: number) => Uint8Array, seen: (b: number, h: number) => Int32Array): Promise<SampleArrays[]> {
  const { view, capture, writer, tensors, between } = input, { name, batch, heads, queries, keys } = view;
  const there = capture.statistics === 'graph', samples: SampleArrays[] = [];
  const shapes = { lse: [batch, heads, queries], entropy: [batch, heads, queries], max: [batch, heads, queries], max_key: [batch, heads, queries], received: [batch, heads, keys], pooled: [batch, heads, 32, 32] };
  if (!there) for (const [part, shape] of Object.entries(shapes)) tensors.set(`${name}.stats.${part}`, writer.reserve(`${name}.stats.${part}`, part === 'max_key' ? 'I32' : 'F32', shape));
  for (let b = 0; b < batch; b++) {
    const own = there ? graphSample(input, b, live, seen) : undefined;
    if (own?.complete) { samples.push(own); continue; }
    const computed = await sampleStatistics(view, b, h => live(b, h), between);
    // Distances alone were missing: the rest stays the graph's.
    if (own?.right) { samples.push({ ...own, distance: computed.distance, squared: computed.squared }); continue; }
    const parts = { lse: computed.lse, entropy: computed.entropy, max: computed.max, max_key: computed.maxKey, received: computed.received, pooled: computed.pooled };
    for (const [part, data] of Object.entries(parts)) writer.write(`${name}.stats.${part}`, b * data.byteLength, data);
    samples.push(computed);
  }
  return samples;
}

/** What the graph left of one sample; `right`: its sums are those of live rows; `complete`: distances follow from its column sums. */
function graphSample({ view, capture, side, writer }: Input, b: number, live: (b: number, h: number) => Uint8Array, seen: (b: number, h: number) => Int32Array): SampleArrays & { readonly right: boolean; readonly complete: boolean } {
  const { name, store, heads, queries, keys } = view, all = heads * queries;
  const read = (part: string, length: number): Float32Array => store.floats(`${name}.stats.${part}`, b * length, length);
  const sample = { lse: read('lse', all), entropy: read('entropy', all), max: read('max', all), received: read('received', heads * keys), distance: new Float64Array(heads), squared: new Float64Array(heads) };
  let right = true, mended = false, maxKey: Int32Array | undefined;
  for (let h = 0; h < heads; h++) {
    const rows = live(b, h), counts = seen(b, h);
    let expected = 0, sum = 0;
    for (let i = 0; i < queries; i++) {
      const at = h * queries + i;
      if (rows[i]) { expected++; continue; }
      if (counts[i]) continue;
      // A softmax over nothing is uniform or NaN in the graph; it means nothing.
      maxKey ??= store.ints(`${name}.stats.max_key`, b * all, all);
      sample.lse[at] = -Infinity;
      sample.entropy[at] = sample.max[at] = 0;
      maxKey[at] = -1;
      mended = true;
    }
    for (let j = 0; j < keys; j++) sum += sample.received[h * keys + j];
    // Sums that are no numbers come from scores that are none; computing them again would not help.
    if (view.from === 'qk' && !view.site.sinkLogit && Math.abs(sum - expected) > 1e-3 * Math.max(1, expected)) right = false;
  }
  if (mended && right) {
    const bytes = b * all * 4;
    writer.write(`${name}.stats.lse`, bytes, sample.lse);
    writer.write(`${name}.stats.entropy`, bytes, sample.entropy);
    writer.write(`${name}.stats.max`, bytes, sample.max);
    writer.write(`${name}.stats.max_key`, bytes, maxKey!);
  }
  // |p − j| = p − j only where no key lies ahead of its query.
  const complete = right && capture.receivedFrom !== undefined && (view.site.mask.causal || queries === 1 && view.site.kind === 'self') && !view.site.sinkLogit;
  if (complete) {
    const from = side.floats(capture.receivedFrom!, b * heads * keys, heads * keys), offset = queryOffset(view), centre = queries / 2;
    for (let h = 0; h < heads; h++) {
      // d = x − y with x = i − centre, y = j − offset − centre; rows sum to 1, so that Σ p·x and Σ p·x² need no columns.
      let count = 0, x = 0, xx = 0, y = 0, xy = 0, yy = 0;
      const alive = live(b, h);
      for (let i = 0; i < queries; i++) if (alive[i]) { count++; x += i - centre; xx += (i - centre) ** 2; }
      for (let j = 0; j < keys; j++) {
        const at = h * keys + j, place = j - offset - centre, mass = sample.received[at];
        y += place * mass;
        yy += place * place * mass;
        xy += place * from[at];
      }
      if (!count) continue;
      sample.distance[h] = Math.max(0, (x - y) / count);
      sample.squared[h] = Math.max(0, (xx - 2 * xy + yy) / count);
    }
  }
  return { ...sample, right, complete };
}
