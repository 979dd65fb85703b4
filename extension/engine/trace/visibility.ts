/** Which key a query sees, expanded from a mask rule; the one place where a rule is read. */
import type { MaskRule } from '../../contract/trace.ts';

/** An additive mask at or below this hides its key. */
export const hiddenAt = -1e4;

export interface Bias { /** [batch, head, query, key], each 1 or full. */ readonly dims: readonly [number, number, number, number]; readonly data: Float32Array }
/** [layout, row of blocks, block of keys], 1 = visible; positions beyond the table see and are seen by nothing. */
export interface Blocks { readonly size: number; /** Position of query 0. */ readonly offset: number; readonly dims: readonly [layouts: number, rows: number, columns: number]; readonly cells: Uint8Array }
export interface Visibility {
  readonly batch: number; readonly heads: number; readonly queries: number; readonly keys: number;
  readonly rule: Pick<MaskRule, 'causal' | 'offset' | 'window'>;
  /** [batch, key], 1 = visible. */
  readonly visibleKeys?: Uint8Array;
  readonly bias?: Bias;
  readonly blocks?: Blocks;
}

/** First key that the rule leaves to query `i`; with `highKey` a half-open range, empty when they cross. */
export function lowKey(of: Visibility, i: number): number {
  const left = of.rule.window ? of.rule.window[0] : -1;
  return left < 0 ? 0 : Math.max(0, i + of.rule.offset - left);
}
export function highKey(of: Visibility, i: number): number {
  const right = of.rule.window ? of.rule.window[1] : -1, p = i + of.rule.offset;
  let high = of.keys;
  if (of.rule.causal) high = Math.min(high, p + 1);
  if (right >= 0) high = Math.min(high, p + right + 1);
  return Math.max(0, high);
}

/** Index in `bias.data` of [b, h, i, 0], and the step from key to key. */
function biasRow(bias: Bias, b: number, h: number, i: number): { readonly at: number; readonly step: number } {
  const [B, H, Q, K] = bias.dims;
  return { at: (((B === 1 ? 0 : b) * H + (H === 1 ? 0 : h)) * Q + (Q === 1 ? 0 : i)) * K, step: K === 1 ? 0 : 1 };
}

/** Which blocks of keys a query sees. */
function blockRow({ size, offset, dims: [layouts, rows, columns], cells }: Blocks, h: number, i: number): Uint8Array {
  const row = Math.floor((i + offset) / size), at = ((h % layouts) * rows + row) * columns;
  return row < rows ? cells.subarray(at, at + columns) : new Uint8Array(0);
}

export function sees(of: Visibility, b: number, h: number, i: number, j: number): boolean {
  if (j < lowKey(of, i) || j >= highKey(of, i)) return false;
  if (of.visibleKeys && !of.visibleKeys[b * of.keys + j]) return false;
  if (of.blocks && !blockRow(of.blocks, h, i)[Math.floor(j / of.blocks.size)]) return false;
  if (!of.bias) return true;
  const { at, step } = biasRow(of.bias, b, h, i);
  return !(of.bias.data[at + j * step] <= hiddenAt);
}

/**
 * Fills out[at … at + to − from) with what is added to the scores of query `i` for the keys [from, to):
 * the bias (0 without) where it sees the key, `hidden` where it does not. Returns how many it sees.
 */
export function additiveRow(of: Visibility, b: number, h: number, i: number, from: number, to: number, out: Float32Array, at: number, hidden: number): number {
  const low = Math.max(lowKey(of, i), from), high = Math.max(low, Math.min(highKey(of, i), to));
  out.fill(hidden, at, at + to - from);
  if (low >= high) return 0;
  const keys = of.visibleKeys, keyBase = b * of.keys;
  const blocks = of.blocks && blockRow(of.blocks, h, i), size = of.blocks?.size ?? 1;
  if (!of.bias && !keys && !blocks) { out.fill(0, at + low - from, at + high - from); return high - low; }
  const bias = of.bias, row = bias ? biasRow(bias, b, h, i) : { at: 0, step: 0 };
  let seen = 0;
  for (let j = low; j < high; j++) {
    if (keys && !keys[keyBase + j] || blocks && !blocks[Math.floor(j / size)]) continue;
    const value = bias ? bias.data[row.at + j * row.step] : 0;
    if (value <= hiddenAt) continue;
    out[at + j - from] = value;
    seen++;
  }
  return seen;
}

/** True when the mask of a row differs from head to head. */
export function perHead(of: Visibility): boolean { return of.bias !== undefined && of.bias.dims[1] > 1 || of.blocks !== undefined && of.blocks.dims[0] > 1; }

/** How many keys each query sees, and how many of the rows with live(i, seen) see each key. */
export function countVisible(of: Visibility, b: number, h: number, live: (i: number, seen: number) => boolean): { readonly seen: Int32Array; readonly seeing: Int32Array } {
  const { queries, keys } = of, seen = new Int32Array(queries), seeing = new Int32Array(keys);
  if (of.bias || of.blocks) {
    const row = new Float32Array(keys);
    for (let i = 0; i < queries; i++) {
      seen[i] = additiveRow(of, b, h, i, 0, keys, row, 0, -Infinity);
      if (live(i, seen[i])) for (let j = 0; j < keys; j++) if (row[j] !== -Infinity) seeing[j]++;
    }
    return { seen, seeing };
  }
  // Without a bias the keys of a row are a range less those that are hidden for all: sums of ranges.
  const hidden = of.visibleKeys?.subarray(b * keys, (b + 1) * keys), before = new Int32Array(keys + 1), steps = new Int32Array(keys + 1);
  for (let j = 0; j < keys; j++) before[j + 1] = before[j] + (hidden ? hidden[j] : 1);
  for (let i = 0; i < queries; i++) {
    const low = Math.min(keys, lowKey(of, i)), high = Math.max(low, highKey(of, i));
    seen[i] = before[high] - before[low];
    if (live(i, seen[i])) { steps[low]++; steps[high]--; }
  }
  for (let j = 0, sum = 0; j < keys; j++) { sum += steps[j]; seeing[j] = hidden && !hidden[j] ? 0 : sum; }
  return { seen, seeing };
}

/** What is added to the score of a key that the query sees. */
export function biasAt(of: Visibility, b: number, h: number, i: number, j: number): number {
  if (!of.bias) return 0;
  const { at, step } = biasRow(of.bias, b, h, i);
  return of.bias.data[at + j * step];
}
