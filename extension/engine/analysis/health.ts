/** The health of a site's numbers: the largest |q·k|, what is not finite and where, attention on padding, how long the values of sinks are. */
import { sequenceOf } from '../../contract/sequences.ts';
import type { HeadStats, LargestProduct, NotFinite, SiteHealth, TraceInput } from '../../contract/trace.ts';
import { largestProduct, lengthsAtLeast, productBound, type Rows } from '../compute/largest-product.ts';
import { readHead, readRows, type SiteView } from '../trace/site-view.ts';
import type { SiteStatistics } from './site-statistics.ts';

/** Largest number of float16. */
export const halfMax = 65_504;
/** So many multiplications a site are worth an exact figure in any case, a few milliseconds; and so many where the bound comes near to float16's range. */
const cheap = 2 ** 22, dear = 2 ** 31;
/** Rows are read in blocks of so many numbers. */
const blockNumbers = 2 ** 21;

type Part = 'hook_q' | 'hook_k' | 'hook_v';

/** Reads q, k and v once, in blocks. `heads`: what was measured of the site. */
export async function siteHealth(view: SiteView, statistics: SiteStatistics, input: TraceInput, heads: readonly HeadStats[], between: () => Promise<void>): Promise<SiteHealth> {
  const lengths: Partial<Record<Part, Float64Array>> = {}, notFinite: NotFinite[] = [];
  for (const part of ['hook_q', 'hook_k', 'hook_v'] as const) {
    if (!view.store.has(`${view.name}.${part}`)) continue;
    lengths[part] = await allLengths(view, part, between);
    const bad = firstBad(view, part, lengths[part]);
    if (bad) notFinite.push(bad);
  }
  if (statistics.firstNotFinite) notFinite.push({ ...statistics.firstNotFinite, count: statistics.notFinite });
  const product = view.from === 'qk' && lengths.hook_q && lengths.hook_k ? await largestOfSite(view, lengths.hook_q, lengths.hook_k, between) : undefined;
  const padding = paddingShare(view, statistics, input);
  return { ...(product ? { product } : {}), notFinite, ...(padding ? { padding } : {}), sinkValues: lengths.hook_v ? sinkValues(view, statistics, heads, lengths.hook_v) : [] };
}

/** [batch, position, head]. */
async function allLengths(view: SiteView, part: Part, between: () => Promise<void>): Promise<Float64Array> {
  const [batch, positions, heads, dim] = view.store.info(`${view.name}.${part}`).shape, out = new Float64Array(batch * positions * heads), step = Math.max(1, Math.floor(blockNumbers / Math.max(1, heads * dim)));
  // A sample that is read whole is kept for the metrics, where it is small enough.
  const whole = positions * heads * dim <= blockNumbers * 4;
  for (let b = 0; b < batch; b++) for (let from = 0; from < positions; from += whole ? positions : step) {
    const to = whole ? positions : Math.min(positions, from + step);
    if (dim) await lengthsAtLeast(readRows(view, part, b, from, to), dim, out, (b * positions + from) * heads);
    await between();
  }
  return out;
}

function firstBad(view: SiteView, part: Part, lengths: Float64Array): NotFinite | undefined {
  const name = `${view.name}.${part}`, [, positions, heads, dim] = view.store.info(name).shape;
  let first: Omit<NotFinite, 'count'> | undefined, count = 0, sum = 0;
  for (let row = 0; row < lengths.length; row++) sum += lengths[row];
  if (Number.isFinite(sum)) return undefined;
  for (let row = 0; row < lengths.length; row++) {
    if (Number.isFinite(lengths[row])) continue;
    view.store.floats(name, row * dim, dim).forEach((value, d) => {
      if (Number.isFinite(value)) return;
      count++;
      first ??= { tensor: name, index: [Math.floor(row / heads / positions), Math.floor(row / heads) % positions, row % heads, d], value: `${value}` as NotFinite['value'] };
    });
  }
  return first && { ...first, count };
}

async function largestOfSite(view: SiteView, q: Float64Array, k: Float64Array, between: () => Promise<void>): Promise<LargestProduct | undefined> {
  const { batch, heads, kvHeads, queries, keys, dim } = view;
  const pairs = Array.from({ length: batch * heads }, (_, n) => {
    const b = Math.floor(n / heads), head = n % heads;
    const of = (lengths: Float64Array, rows: number, count: number, own: number): Omit<Rows, 'data' | 'step' | 'base'> => ({ lengths: lengths.subarray(b * rows * count, (b + 1) * rows * count), count, head: own, rows });
    const ofQ = of(q, queries, heads, head), ofK = of(k, keys, kvHeads, Math.floor(head * kvHeads / heads));
    return { b, head, ofQ, ofK, bound: productBound(ofQ, ofK) };
  }).filter(pair => pair.bound >= 0).sort((a, b) => b.bound - a.bound || a.b - b.b || a.head - b.head);
  if (!pairs.length) return undefined;
  const [{ bound, b, head }] = pairs;
  let left = bound >= halfMax / 4 ? dear : batch * heads * queries * keys * dim <= cheap ? cheap : 0, best: LargestProduct = { value: 0, exact: true, batch: b, head }, open: LargestProduct | undefined;
  const spend = (n: number): boolean => { left -= n; return left >= 0; };
  for (const pair of pairs) {
    if (pair.bound <= Math.max(best.value, open?.value ?? 0)) break;
    if (left <= 0) { open ??= { value: pair.bound, exact: false, batch: pair.b, head: pair.head }; break; }
    const found = largestProduct(rows(view, 'hook_q', pair.b, pair.ofQ), rows(view, 'hook_k', pair.b, pair.ofK), dim, best.value, spend);
    if (found?.exact) best = { batch: pair.b, head: pair.head, ...found };
    else if (found && found.value > (open?.value ?? 0)) open = { batch: pair.b, head: pair.head, ...found };
    await between();
  }
  // Nothing that was left out can be larger than what was found.
  const { value, ...rest } = open && open.value > best.value ? open : best;
  return { value: Number(value.toPrecision(7)), ...rest };
}

/** Where the rows of a head lie: in the sample as a whole, or read by themselves where that is large. */
function rows(view: SiteView, part: 'hook_q' | 'hook_k', b: number, of: Omit<Rows, 'data' | 'step' | 'base'>): Rows {
  const { dim } = view;
  if (of.rows * of.count * dim <= blockNumbers * 4) return { ...of, data: readRows(view, part, b, 0, of.rows), step: of.count * dim, base: of.head * dim };
  return { ...of, data: readHead(view, part, b, of.head), step: dim, base: 0 };
}

/** Where keys are the tokens and some are padding: the head whose real queries give padding most. */
function paddingShare(view: SiteView, statistics: SiteStatistics, input: TraceInput): SiteHealth['padding'] {
  if (view.from === 'nothing' || view.site.kind !== 'self' || view.site.form !== 'dense' || view.queries !== view.keys) return undefined;
  const tokens = sequenceOf(input, view.site, 'keys');
  if (tokens?.real.length !== view.batch) return undefined;
  let worst: SiteHealth['padding'];
  tokens.real.forEach((real, b) => {
    if (real.length !== view.keys || !real.includes(0)) return;
    const { received } = statistics.sample(b);
    for (let head = 0; head < view.heads; head++) {
      let mass = 0, live = 0;
      for (let j = 0; j < view.keys; j++) if (!real[j]) mass += received[head * view.keys + j];
      for (const one of statistics.live(b, head)) live += one;
      const share = live ? Number((mass / live).toPrecision(7)) : 0;
      if (Number.isFinite(share) && (!worst || share > worst.share)) worst = { batch: b, head, share };
    }
  });
  return worst;
}

/** Per measured head: how long the value of its strongest key is, against the mean of the other keys that are seen. */
function sinkValues(view: SiteView, statistics: SiteStatistics, heads: readonly HeadStats[], lengths: Float64Array): number[] {
  const [, positions, kvHeads] = view.store.info(`${view.name}.hook_v`).shape;
  if (positions !== view.keys) return [];
  return heads.map(({ batch, head, sinkKey }) => {
    const seeing = statistics.seeing(batch, head), at = (j: number): number => lengths[(batch * positions + j) * kvHeads + Math.floor(head * kvHeads / view.heads)];
    let sum = 0, count = 0;
    for (let j = 0; j < view.keys; j++) if (j !== sinkKey && seeing[j] > 0) { sum += at(j); count++; }
    const ratio = sinkKey >= 0 && sum > 0 ? at(sinkKey) * count / sum : -1;
    return Number.isFinite(ratio) ? Number(ratio.toPrecision(5)) : -1;
  });
}
