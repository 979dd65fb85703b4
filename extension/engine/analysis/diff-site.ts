/** One site of two traces, head by head: distributions, most probable keys, outputs; in bounded blocks of rows from stored q, k and v. */
import { overlapKeys, type HeadDiff } from '../../contract/diff.ts';
import { valuesBlock } from '../compute/kernel.ts';
import { cells, prepare, type Chosen } from '../compute/rows.ts';
import { divergence, largest, logSoftmax } from '../maths/divergence.ts';
import { readHead, readRows, type SiteView } from '../trace/site-view.ts';
import { highKey } from '../trace/visibility.ts';

/** Cells of one block of one trace: some 10 ms of one core, between which others get their turn. */
const blockCells = 2 ** 17;

/** Up to so many bytes of k and v of both traces are held at once; beyond it heads are gone through one by one. */
export const wholeBytes = 512 * 2 ** 20;

/** Sums over rows of one head. */
interface Sums { rows: number; js: number; klAB: number; klBA: number; tv: number; maxAbs: number; query: number; key: number; overlap: number; maskRows: number; notFinite: [a: number, b: number]; off: number; size: number }

/** One trace's side of a block, all heads or one: scores become float64 logarithms in `logs` row by row, and float32 probabilities for the product with v. */
interface Side { readonly view: SiteView; readonly kvHeads: number; readonly chosen: Chosen; readonly v: Float32Array | undefined; readonly logs: Float64Array; readonly sink: Float32Array | undefined }

/** What `diffSample` says of a head; `above` is for who knows the floor. */
export type MeasuredHead = Omit<HeadDiff, 'above'>;

/** Which heads are held in memory together: all (undefined), or each alone. */
export function headGroups(views: readonly SiteView[], most = wholeBytes): readonly (number | undefined)[] {
  const bytes = views.reduce((sum, view) => sum + view.keys * view.kvHeads * (view.dim + view.valueDim) * 4, 0);
  return bytes <= most ? [undefined] : Array.from({ length: views[0].heads }, (_, h) => h);
}

/** v of one head or of all, as `prepare` has k: [key, kvHeads or 1, valueDim]. */
export function valuesOf(view: SiteView, batch: number, head: number | undefined): Float32Array {
  return head === undefined ? readRows(view, 'hook_v', batch, 0, view.keys) : readHead(view, 'hook_v', batch, Math.floor(head * view.kvHeads / view.heads));
}

/** Sample `batch` of a site that has the same heads in both; `rows`: the queries to compare; `most`: see `wholeBytes`. Equal traces give exactly 0. */
export async function diffSample(a: SiteView, b: SiteView, batch: number, rows: readonly number[], between: () => Promise<void>, most = wholeBytes): Promise<MeasuredHead[]> {
  const measured: MeasuredHead[] = [], shared = Math.min(a.keys, b.keys), withOutput = a.valueDim === b.valueDim && [a, b].every(view => view.store.has(`${view.name}.hook_v`));
  for (const only of headGroups([a, b], most)) {
    const heads = only === undefined ? a.heads : 1, sideOf = (view: SiteView): Side => ({
      view, kvHeads: only === undefined ? view.kvHeads : 1, chosen: { ...prepare({ view, batch, head: only, of: 'score' }), of: 'score' }, v: withOutput ? valuesOf(view, batch, only) : undefined,
      logs: new Float64Array(shared + 2), sink: only === undefined ? view.sink : view.sink?.subarray(only, only + 1),
    });
    const sides = [sideOf(a), sideOf(b)] as const, sums = Array.from({ length: heads }, (): Sums => ({ rows: 0, js: 0, klAB: 0, klBA: 0, tv: 0, maxAbs: 0, query: 0, key: 0, overlap: 0, maskRows: 0, notFinite: [0, 0], off: 0, size: 0 }));
    const step = Math.max(1, Math.floor(blockCells / heads / Math.max(a.keys, b.keys)));
    for (let from = 0; from < rows.length; from += step) {
      await diffBlock(sides, rows.slice(from, from + step), shared, sums);
      await between();
    }
    measured.push(...sums.map((sum, h) => meansOf(sum, batch, only ?? h, withOutput)));
  }
  return measured;
}

function meansOf(sum: Sums, batch: number, head: number, withOutput: boolean): MeasuredHead {
  const mean = (total: number): number => (sum.rows ? total / sum.rows : 0), finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return {
    batch, head, rows: sum.rows, js: mean(sum.js), klAB: finite(mean(sum.klAB)), klBA: finite(mean(sum.klBA)), tv: mean(sum.tv), maxAbs: sum.maxAbs, query: sum.query, key: sum.key,
    topKOverlap: sum.rows ? sum.overlap / sum.rows : 1, outputError: withOutput ? sum.off === 0 ? 0 : finite(Math.sqrt(sum.off / sum.size)) : null, maskRows: sum.maskRows, notFinite: sum.notFinite,
  };
}

async function diffBlock(sides: readonly [Side, Side], block: readonly number[], shared: number, sums: readonly Sums[]): Promise<void> {
  const heads = sums.length, used = sums.map(() => new Uint8Array(block.length));
  const [a, b] = await Promise.all(sides.map(async side => {
    // Keys that the rule hides from every row of the block are not computed: half of a causal map.
    const width = Math.max(1, Math.min(side.view.keys, Math.max(...block.map(i => highKey(side.view.visibility, i)))));
    const scores = await cells(side.chosen, block, 0, width, -Infinity);
    return { side, width, scores, probs: side.v ? new Float32Array(scores.length) : undefined };
  }));
  const near = Math.min(shared, Math.max(a.width, b.width)), outcomes = near + (a.side.view.keys === b.side.view.keys ? 0 : 1) + (a.side.sink || b.side.sink ? 1 : 0);
  for (let h = 0; h < heads; h++) for (let r = 0; r < block.length; r++) {
    const sum = sums[h], [lseA, lseB] = [a, b].map(one => outcomesOf(one, h, r, block.length, near, outcomes));
    if (Number.isNaN(lseA) || Number.isNaN(lseB)) {
      if (Number.isNaN(lseA)) sum.notFinite[0]++;
      if (Number.isNaN(lseB)) sum.notFinite[1]++;
      continue;
    }
    if (lseA === -Infinity && lseB === -Infinity) continue;
    sum.rows++;
    used[h][r] = 1;
    if (lseA === -Infinity || lseB === -Infinity) { onlyOne(sum, lseA === -Infinity); continue; }
    compareRow(sum, a.side.logs, b.side.logs, near, outcomes, block[r]);
  }
  if (!a.probs || !b.probs || !a.side.v || !b.side.v) return;
  const [za, zb] = await Promise.all([a, b].map(({ side: { view, kvHeads, v }, width, probs }) => valuesBlock({ heads, kvHeads, rows: block.length, keys: width, dim: view.dim }, probs!, v!.subarray(0, width * kvHeads * view.valueDim), view.valueDim)));
  const dim = a.side.view.valueDim;
  for (let r = 0, at = 0; r < block.length; r++) for (let h = 0; h < heads; h++) {
    if (!used[h][r]) { at += dim; continue; }
    let off = 0, size = 0;
    for (let d = 0; d < dim; d++, at++) { off += (zb[at] - za[at]) ** 2; size += za[at] ** 2; }
    sums[h].off += off;
    sums[h].size += size;
  }
}

/**
 * Fills side.logs with the logarithms of one row's distribution over the shared keys, then over all keys beyond them as one outcome (where one trace has
 * more), then over the sink (where a trace has one); and the row's probabilities for the product with v. Returns ln Σ e^score, as `logSoftmax` does.
 */
function outcomesOf({ side, width, scores, probs }: { readonly side: Side; readonly width: number; readonly scores: Float32Array; readonly probs: Float32Array | undefined }, h: number, r: number, rows: number, shared: number, outcomes: number): number {
  const { logs, sink } = side, at = (h * rows + r) * width, row = scores.subarray(at, at + width), beyond = shared < outcomes && width > shared ? logSumExp(row, shared) : -Infinity;
  for (let j = 0; j < shared; j++) logs[j] = j < width ? row[j] : -Infinity;
  logs.fill(-Infinity, shared);
  // A sink takes part in the denominator of every row, but makes no row that sees no key worth comparing.
  if (sink) logs[outcomes - 1] = sink[h];
  if (beyond > -Infinity || Number.isNaN(beyond)) logs[shared] = beyond;
  const seen = beyond > -Infinity || logs.subarray(0, shared).some(score => score !== -Infinity);
  const lse = seen ? logSoftmax(logs, outcomes, logs) : -Infinity;
  if (probs && Number.isFinite(lse)) for (let j = 0; j < width; j++) probs[at + j] = Math.exp(row[j] - lse);
  return lse;
}

function compareRow(sum: Sums, a: Float64Array, b: Float64Array, shared: number, outcomes: number, query: number): void {
  const { klAB, klBA, js, tv, oneSided } = divergence(a, b, outcomes);
  sum.klAB += klAB;
  sum.klBA += klBA;
  sum.js += js;
  sum.tv += tv;
  if (oneSided) sum.maskRows++;
  let visible = 0;
  for (let j = 0; j < shared; j++) {
    if (a[j] === b[j]) { if (a[j] !== -Infinity) visible++; continue; }
    visible++;
    const change = Math.abs(Math.exp(a[j]) - Math.exp(b[j]));
    if (change > sum.maxAbs) { sum.maxAbs = change; sum.query = query; sum.key = j; }
  }
  const k = Math.min(overlapKeys, Math.max(1, Math.floor(visible / 2))), mine = largest(a, shared, k), theirs = new Set(largest(b, shared, k));
  sum.overlap += visible ? mine.filter(key => theirs.has(key)).length / k : 1;
}

/** A row that sees keys in one trace only: as far apart as distributions can be. */
function onlyOne(sum: Sums, inB: boolean): void {
  sum.maskRows++;
  sum.js += Math.LN2;
  sum.tv += 1;
  if (inB) sum.klBA = Infinity; else sum.klAB = Infinity;
}

function logSumExp(row: Float32Array, from: number): number {
  const rest = row.subarray(from), out = new Float64Array(rest.length);
  return logSoftmax(rest, rest.length, out);
}
