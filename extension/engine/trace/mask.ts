/** From what a graph did to its scores to a rule that rebuilds it: recognised exactly, or kept as a tensor. */
import { UserError } from '../../contract/errors.ts';
import type { MaskShape } from '../../contract/site.ts';
import type { MaskRule } from '../../contract/trace.ts';
import { additiveRow, hiddenAt, highKey, lowKey, type Bias, type Visibility } from './visibility.ts';

export interface MaskInput {
  readonly site: string;
  readonly batch: number; readonly heads: number; readonly queries: number; readonly keys: number;
  /** What the operator itself applies. */
  readonly rule: Pick<MaskRule, 'causal' | 'offset' | 'window'>;
  /** `add`: floats; `keep` and `drop`: not zero is true. Shapes broadcast to [batch, head, query, key]. */
  readonly terms: readonly { readonly shape: readonly number[]; readonly data: Float32Array; readonly as: 'add' | 'keep' | 'drop' }[];
  /** What the recogniser says, kept where one query cannot tell. */
  readonly claimed: MaskShape;
  /** Real queries; all when undefined. */
  readonly real?: (b: number, i: number) => boolean;
}

export interface MeasuredMask { readonly visibility: Visibility; readonly shape: MaskShape }

/** Throws UserError when a term cannot be broadcast to the site's scores. `between` is awaited every few milliseconds of work. */
export async function measureMask(input: MaskInput, between: () => Promise<void> = async () => undefined): Promise<MeasuredMask> {
  const breathe = breather(between);
  const { batch, heads, queries, keys } = input, base = { batch, heads, queries, keys };
  const terms = input.terms.map(term => ({ ...term, dims: broadcastDims(input, term.shape) }));
  if (!terms.length) return { visibility: { ...base, rule: input.rule }, shape: shapeOf({ ...base, rule: input.rule }, input) };
  const perQuery = terms.some(term => term.dims[1] > 1 || term.dims[2] > 1);
  const dims: [number, number, number, number] = [0, 1, 2, 3].map(axis => Math.max(...terms.map(term => term.dims[axis]))) as never;
  if (dims[0] > 1) dims[0] = batch;
  dims[3] = keys;
  if (perQuery) dims[2] = queries;
  const ruled: Visibility = { ...base, rule: perQuery ? input.rule : { causal: false, offset: 0, window: null } };
  const cells = await combine(ruled, terms, dims, breathe);
  const exact = await fit(cells.visible, dims, input, undefined, breathe);
  let visibility: Visibility = perQuery
    ? { ...base, rule: exact?.rule ?? { causal: false, offset: 0, window: null }, ...keysOf(exact?.keys, dims, batch, keys) }
    : { ...base, rule: input.rule, ...keysOf(cells.visible, dims, batch, keys) };
  const recognised = exact !== undefined || !perQuery;
  const bias = biasOf(cells, dims, recognised);
  if (bias) visibility = { ...visibility, bias };
  if (!await agrees(visibility, perQuery, cells, dims, breathe)) throw new Error(`The mask of ${input.site} was not rebuilt exactly.`);
  let shape = shapeOf(visibility, input);
  if (!recognised && input.real) {
    const seen = await fit(cells.visible, dims, input, input.real, breathe);
    if (seen) shape = shapeOf({ ...base, rule: seen.rule, ...keysOf(seen.keys, dims, batch, keys), ...(cells.biased ? { bias } : {}) }, input);
    else if (movesOn(cells.visible, dims, input.real)) shape = { ...shape, causal: true, padding: true, additive: cells.biased };
  } else if (!recognised) shape = { ...input.claimed, additive: cells.biased };
  // What the operator does by itself holds, however a mask of cells hides the rest.
  if (!recognised && input.rule.causal) shape = { ...shape, causal: true };
  return { visibility, shape };
}

/** Counts cells that were looked at, and lets others in after every million. */
type Breathe = (cells: number) => Promise<void> | undefined;
function breather(between: () => Promise<void>): Breathe {
  let looked = 0;
  return cells => {
    looked += cells;
    if (looked < 2 ** 20) return undefined;
    looked = 0;
    return between();
  };
}

interface Cells { /** 1 = visible. */ readonly visible: Uint8Array; readonly added: Float32Array; /** Some visible cell has something added. */ readonly biased: boolean }

/** Four axes; a leading axis that divides the batch repeats (windows of several images), a short last axis is hidden beyond its end. */
function broadcastDims(input: MaskInput, shape: readonly number[]): readonly [number, number, number, number] {
  const dims = [...Array<number>(Math.max(0, 4 - shape.length)).fill(1), ...shape];
  const fits = dims.length === 4 && dims.every(dim => dim > 0) && input.batch % dims[0] === 0 && (dims[1] === 1 || dims[1] === input.heads) && (dims[2] === 1 || dims[2] === input.queries) && dims[3] <= input.keys;
  if (!fits) throw new UserError(`The mask of ${input.site} has shape [${shape.join(', ')}], which does not fit scores of shape [${[input.batch, input.heads, input.queries, input.keys].join(', ')}].`, 'Please report this model.');
  return dims as never;
}

interface Term { readonly dims: readonly [number, number, number, number]; readonly data: Float32Array; readonly as: 'add' | 'keep' | 'drop' }

async function combine(ruled: Visibility, terms: readonly Term[], dims: readonly [number, number, number, number], breathe: Breathe): Promise<Cells> {
  const [B, H, Q, K] = dims, visible = new Uint8Array(B * H * Q * K), added = new Float32Array(B * H * Q * K);
  let biased = false;
  for (let b = 0, at = 0; b < B; b++) for (let h = 0; h < H; h++) for (let i = 0; i < Q; i++, at += K) {
    const low = lowKey(ruled, i), row = visible.subarray(at, at + K), sums = added.subarray(at, at + K);
    row.fill(1, low, Math.max(low, highKey(ruled, i)));
    for (const term of terms) applyTerm(term, b, h, i, row, sums);
    if (hideRow(row, sums)) biased = true;
    const rest = breathe(K);
    if (rest) await rest;
  }
  return { visible, added, biased };
}

// The loops over keys stand in functions of their own: these are what an engine compiles well.
function applyTerm({ dims: [tb, th, tq, tk], data, as }: Term, b: number, h: number, i: number, visible: Uint8Array, added: Float32Array): void {
  const K = visible.length, row = (((b % tb) * th + (th === 1 ? 0 : h)) * tq + (tq === 1 ? 0 : i)) * tk, step = tk === 1 ? 0 : 1, end = tk === 1 ? K : tk;
  if (as === 'add') for (let j = 0; j < end; j++) added[j] += data[row + j * step];
  else { const hides = as === 'drop'; for (let j = 0; j < end; j++) if ((data[row + j * step] !== 0) === hides) visible[j] = 0; }
  visible.fill(0, end);
}

/** Hides what is masked; true when something is added to a visible score. */
function hideRow(visible: Uint8Array, added: Float32Array): boolean {
  let biased = false;
  for (let j = 0; j < added.length; j++) {
    const value = added[j];
    if (value <= hiddenAt) visible[j] = 0; else if (value !== 0 && visible[j]) biased = true;
  }
  return biased;
}

/** A rule and visible keys [batch, key] that give exactly these cells, for the rows that `real` admits. */
async function fit(visible: Uint8Array, [B, H, Q, K]: readonly number[], input: MaskInput, real: ((b: number, i: number) => boolean) | undefined, breathe: Breathe): Promise<{ readonly rule: Visibility['rule']; readonly keys: Uint8Array } | undefined> {
  for (let b = 0; b < B; b++) for (let h = 1; h < H; h++) for (let n = 0; n < Q * K; n++) if (visible[(b * H + h) * Q * K + n] !== visible[b * H * Q * K + n]) return undefined;
  let most = -Infinity, least = Infinity;
  for (let b = 0; b < B; b++) for (let i = 0; i < Q; i++) {
    if (real && !real(b, i)) continue;
    const at = (b * H * Q + i) * K;
    const row = visible.subarray(at, at + K), first = row.indexOf(1), last = row.lastIndexOf(1);
    if (first >= 0) { most = Math.max(most, last - i); least = Math.min(least, first - i); }
    const rest = breathe(K);
    if (rest) await rest;
  }
  const tries: Visibility['rule'][] = [{ causal: false, offset: 0, window: null }];
  if (Number.isFinite(most)) {
    const nominal = input.rule.offset || Math.max(0, K - Q);
    if (most <= 0 || most === nominal) tries.push({ causal: true, offset: most, window: null }, { causal: true, offset: most, window: [most - least, -1] });
    const left = Math.max(0, nominal - least), right = Math.max(0, most - nominal);
    tries.push({ causal: false, offset: nominal, window: [left, -1] }, { causal: false, offset: nominal, window: [-1, right] }, { causal: false, offset: nominal, window: [left, right] });
  }
  for (const rule of tries) {
    const keys = new Uint8Array(B * K), of: Visibility = { batch: B, heads: 1, queries: Q, keys: K, rule };
    const reached = new Uint8Array(B * K);
    for (let b = 0; b < B; b++) for (let i = 0; i < Q; i++) {
      if (real && !real(b, i)) continue;
      const at = (b * H * Q + i) * K;
      reach(visible, at, lowKey(of, i), highKey(of, i), keys, reached, b * K);
      const rest = breathe(K);
      if (rest) await rest;
    }
    for (let n = 0; n < keys.length; n++) if (!reached[n]) keys[n] = 1;
    if (await matches(visible, [B, H, Q, K], of, keys, real, breathe)) return { rule, keys };
  }
  return undefined;
}

/** Whether the last key that a query sees moves on by one with every query, from a place of each sample's own, as of samples of different lengths in one cache. */
function movesOn(visible: Uint8Array, [B, H, Q, K]: readonly number[], real: (b: number, i: number) => boolean): boolean {
  if (B === 1) return false;
  let several = true;
  for (let b = 0; b < B; b++) {
    const ahead = new Set<number>();
    let rows = 0;
    for (let h = 0; h < H; h++) for (let i = 0; i < Q; i++) {
      const at = ((b * H + h) * Q + i) * K, last = real(b, i) ? visible.subarray(at, at + K).lastIndexOf(1) : -1;
      if (last >= 0) { ahead.add(last - i); rows++; }
    }
    if (ahead.size > 1) return false;
    several &&= rows > H;
  }
  return several;
}

async function matches(visible: Uint8Array, [B, H, Q, K]: readonly number[], of: Visibility, keys: Uint8Array, real: ((b: number, i: number) => boolean) | undefined, breathe: Breathe): Promise<boolean> {
  for (let b = 0; b < B; b++) for (let i = 0; i < Q; i++) {
    if (real && !real(b, i)) continue;
    const at = (b * H * Q + i) * K, low = lowKey(of, i), high = highKey(of, i);
    if (!sameRow(visible, at, low, high, keys, b * K, K)) return false;
    const rest = breathe(K);
    if (rest) await rest;
  }
  return true;
}

function reach(visible: Uint8Array, at: number, low: number, high: number, keys: Uint8Array, reached: Uint8Array, base: number): void {
  for (let j = low; j < high; j++) { reached[base + j] = 1; keys[base + j] |= visible[at + j]; }
}

function sameRow(visible: Uint8Array, at: number, low: number, high: number, keys: Uint8Array, base: number, K: number): boolean {
  for (let j = 0; j < K; j++) if (visible[at + j] !== (j >= low && j < high ? keys[base + j] : 0)) return false;
  return true;
}

/** [batch, key], or nothing when every key is visible. */
function keysOf(keys: Uint8Array | undefined, dims: readonly number[], batch: number, length: number): { visibleKeys?: Uint8Array } {
  if (!keys || keys.every(key => key === 1)) return {};
  if (dims[0] === batch) return { visibleKeys: keys };
  const out = new Uint8Array(batch * length);
  for (let b = 0; b < batch; b++) out.set(keys, b * length);
  return { visibleKeys: out };
}

/** What is added to visible scores, as small as its values allow; −inf where a rule does not say that a cell is hidden. */
function biasOf(cells: Cells, dims: readonly [number, number, number, number], recognised: boolean): Bias | undefined {
  if (recognised && !cells.biased) return undefined;
  let data = new Float32Array(cells.added.length), known = new Uint8Array(data.length);
  for (let n = 0; n < data.length; n++) {
    data[n] = cells.visible[n] ? cells.added[n] : recognised ? 0 : -Infinity;
    known[n] = recognised ? cells.visible[n] : 1;
  }
  const out: number[] = [...dims];
  for (const axis of [2, 0, 1, 3]) {
    const smaller = collapse(data, known, out, axis);
    if (!smaller) continue;
    ({ data, known } = smaller);
    out[axis] = 1;
  }
  return { dims: out as never, data };
}

/** The tensor without an axis along which its known cells never change. */
function collapse(data: Float32Array, known: Uint8Array, dims: readonly number[], axis: number): { data: Float32Array<ArrayBuffer>; known: Uint8Array<ArrayBuffer> } | undefined {
  const length = dims[axis], inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1), outer = data.length / length / inner;
  if (length === 1) return undefined;
  const kept = new Float32Array(outer * inner), keptKnown = new Uint8Array(outer * inner);
  for (let o = 0; o < outer; o++) for (let n = 0; n < length; n++) {
    const from = (o * length + n) * inner, to = o * inner;
    for (let x = 0; x < inner; x++) {
      if (!known[from + x]) continue;
      if (!keptKnown[to + x]) { keptKnown[to + x] = 1; kept[to + x] = data[from + x]; } else if (!Object.is(kept[to + x], data[from + x])) return undefined;
    }
  }
  return { data: kept, known: keptKnown };
}

/** Reads the finished rule back, as every reader will, and compares with the graph on every cell. */
async function agrees(of: Visibility, perQuery: boolean, cells: Cells, [B, H, Q, K]: readonly [number, number, number, number], breathe: Breathe): Promise<boolean> {
  const row = new Float32Array(K), whole: Visibility = perQuery ? of : { ...of, rule: { causal: false, offset: 0, window: null } };
  for (let b = 0, at = 0; b < B; b++) for (let h = 0; h < H; h++) for (let i = 0; i < Q; i++, at += K) {
    additiveRow(whole, b, h, i, 0, K, row, 0, -Infinity);
    if (!rebuilt(row, cells.visible, cells.added, at)) return false;
    const rest = breathe(K);
    if (rest) await rest;
  }
  return true;
}

function rebuilt(row: Float32Array, visible: Uint8Array, added: Float32Array, at: number): boolean {
  for (let j = 0; j < row.length; j++) {
    const value = row[j], original = added[at + j];
    if (value === -Infinity ? visible[at + j] !== 0 : visible[at + j] !== 1 || value !== original && !(value !== value && original !== original)) return false;
  }
  return true;
}

/** What people read: with one query nothing can be seen of a causal rule, so the recogniser's word stays. */
function shapeOf(of: Visibility, input: MaskInput): MaskShape {
  const { causal, window } = of.rule, told = of.queries > 1;
  const clipped = window && (window[0] >= of.keys - 1 && (causal || window[1] >= of.keys - 1 || window[1] < 0)) ? null : window;
  return {
    causal: told ? causal : input.claimed.causal,
    window: !told ? input.claimed.window : clipped ? (causal ? clipped[0] + 1 : [clipped[0], clipped[1]]) : null,
    padding: input.claimed.padding || of.visibleKeys !== undefined,
    additive: of.bias !== undefined && of.bias.data.some(value => value > hiddenAt && value !== 0),
  };
}
