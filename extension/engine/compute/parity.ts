/** Parity: what the stored values give, against what the graph itself computed, on the rows that the runner kept. */
import type { Parity } from '../../contract/trace.ts';
import type { SiteCapture } from '../trace/capture.ts';
import { readRows, type SiteView } from '../trace/site-view.ts';
import type { TensorStore } from '../trace/tensor-store.ts';
import { compareBlock, scoreBlock, valuesBlock } from './kernel.ts';
import { impliedParity } from './implied-parity.ts';
import { additiveBlock, blockCells, blockInputs, cells, prepare, type Chosen } from './rows.ts';

/** Largest error that is not worth a word, for float32 sums of any order. */
const smallest = 1e-5;

export interface ParityInput {
  readonly view: SiteView;
  readonly capture: SiteCapture;
  readonly side: TensorStore;
  /** Real rows of the sample that see a key. */
  readonly live: (b: number) => Uint8Array;
  readonly between: () => Promise<void>;
}

/** `rounded`: what rounding to 8 bits inside the graph may change. */
interface Difference { most: number; noise: number; finite: boolean; scale: number; rounded: number }

/** From the stored q, k (and v), with the mask rule that readers use. */
export async function measureParity(input: ParityInput): Promise<Parity> {
  const { view, capture } = input, { ownPattern, ownOutput } = capture;
  const none = (why: string): Parity => ({ maxAbs: null, of: 'none', rows: 0, dtype: view.dtype, tolerance: smallest, ok: null, why });
  if (view.site.form === 'linear') return await impliedParity(view, capture, input.side, input.live, input.between) ?? none('Linear attention has no probabilities to compare.');
  if (view.from === 'pattern' || view.site.capture === 'softmax-only') return none(`Only the softmax could be read, so there is nothing to compare it with.${view.site.why ? ` ${view.site.why}` : ''}`);
  if (view.from === 'nothing') return none('Neither q and k nor the probabilities could be read.');
  if (!ownPattern && !ownOutput) return none('The graph gives neither its probabilities nor its output.');
  const pattern: Difference = { most: 0, noise: 0, finite: true, scale: 0, rounded: 0 }, output: Difference = { ...pattern };
  let rows = Infinity;
  for (let b = 0; b < view.batch; b++) {
    const live = input.live(b), at = capture.rows.flatMap((row, n) => (live[row] ? [n] : []));
    if (at.length) rows = Math.min(rows, at.length);
    const step = Math.max(1, Math.floor(blockCells / 2 / view.heads / view.keys));
    for (let n = 0; n < at.length; n += step) { await compare(input, b, at.slice(n, n + step), pattern, output); await input.between(); }
  }
  if (rows === Infinity) return none('No real query sees a key.');
  const checked = ownPattern ? pattern : output, tolerance = toleranceOf(checked, capture.half);
  const base = { of: ownPattern ? 'pattern' as const : 'output' as const, rows, dtype: view.dtype, tolerance };
  if (!checked.finite || !output.finite) return { ...base, maxAbs: null, ok: false, why: 'Some values are not finite.' };
  const maxAbs = checked.most;
  if (!(maxAbs <= tolerance)) return { ...base, maxAbs, ok: false, why: `${ownPattern ? 'The probabilities rebuilt from q and k' : 'The output rebuilt from q, k and v'} differ${ownPattern ? '' : 's'} from the graph's own by ${short(maxAbs)}; up to ${short(tolerance)} is rounding.` };
  // An output that the graph itself rounds to 8 bits is cut off at both ends as well: no measure of anything.
  const outputTolerance = toleranceOf(output, capture.half), measured = ownOutput !== undefined && !capture.rounding?.out;
  if (ownPattern && measured && !(output.most <= outputTolerance)) return { ...base, maxAbs, ok: false, why: `The probabilities agree, but their product with v differs from the site's own output by ${short(output.most)}; up to ${short(outputTolerance)} is rounding.` };
  return { ...base, maxAbs, ok: true };
}

/** Adds the rows capture.rows[at] of one sample to the differences. */
async function compare(input: ParityInput, b: number, at: readonly number[], pattern: Difference, output: Difference): Promise<void> {
  const { view, capture, between } = input, { heads, kvHeads, keys, dim, valueDim } = view, { ownPattern, ownOutput } = capture;
  const rows = at.map(n => capture.rows[n]), block = { heads, kvHeads, rows: rows.length, keys, dim }, chosen = prepare({ view, batch: b, of: 'prob' });
  const inputs = { ...blockInputs(chosen, rows, 0, keys), additive: additiveBlock(chosen, rows, 0, keys) };
  await between();
  const v = ownOutput ? readRows(view, 'hook_v', b, 0, keys) : undefined;
  if (capture.rounding) addRounding(capture.rounding, v, keys, pattern, output);
  const got = await compareBlock(block, {
    ...inputs, ...(ownPattern ? { pattern: ownRows(input, ownPattern, b, at, heads, keys) } : {}),
    ...(ownOutput && v ? { output: { v, own: ownRows(input, ownOutput, b, at, 1, heads * valueDim), valueDim } } : {}),
  });
  for (const [to, one] of [[pattern, got.pattern], [output, got.output]] as const) {
    if (!one) continue;
    to.most = Math.max(to.most, one.most);
    to.scale = Math.max(to.scale, one.size);
    to.finite &&= Number.isFinite(one.sum) && one.size < Infinity;
  }
  if (view.dtype === 'F16' || capture.half || pattern.most > smallest || output.most > smallest) await addNoise(chosen, rows, { v, half: view.dtype === 'F16' || capture.half === true }, pattern, output);
}

/**
 * Scores that are off by r at most, each in its own direction, move a probability by tanh(r / 2) at most, and all of a row by twice that in sum
 * (σ(r) − σ(−r) is where one key gains on all others). Probabilities that are rounded by m at most move the output by m for every key.
 */
function addRounding({ score, pattern: kept, mixed, out }: NonNullable<SiteCapture['rounding']>, v: Float32Array | undefined, keys: number, pattern: Difference, output: Difference): void {
  const moved = Math.tanh(score / 2);
  pattern.rounded = moved + kept;
  if (!v) return;
  let largest = 0;
  for (let n = 0; n < v.length; n++) { const size = Math.abs(v[n]); if (size > largest) largest = size; }
  output.rounded = Math.max(output.rounded, (2 * moved + keys * mixed) * largest + out);
}

/** Values of the rows capture.rows[at] out of a side tensor [batch, outer, row, width]: [outer, row, width]. */
function ownRows({ view, capture, side }: ParityInput, name: string, b: number, at: readonly number[], outer: number, width: number): Float32Array {
  const all = capture.rows.length;
  const length = outer * all * width, whole = (into?: Float32Array<ArrayBuffer>): Float32Array => side.floats(name, b * length, length, into);
  if (at.length === all) return view.memory ? view.memory.floats(view.name, b, name, length, whole) : whole();
  const out = new Float32Array(outer * at.length * width), first = at[0], count = at[at.length - 1] - first + 1;
  for (let h = 0; h < outer; h++) {
    const own = side.floats(name, ((b * outer + h) * all + first) * width, count * width);
    at.forEach((n, r) => out.set(own.subarray((n - first) * width, (n - first + 1) * width), (h * at.length + r) * width));
  }
  return out;
}

/**
 * The noise floor: what rounding q, k and v once more to their type changes (to float16 where the graph itself computed in it), and to float32 the
 * scores and their lse: at 30 that is 2·10⁻⁶ each, and all of a row's probabilities are off by it together.
 */
async function addNoise(chosen: Chosen, rows: readonly number[], { v, half: rough }: { readonly v: Float32Array | undefined; readonly half: boolean }, pattern: Difference, output: Difference): Promise<void> {
  const { view, batch } = chosen, { heads, kvHeads, keys, dim, valueDim } = view, block = { heads, kvHeads, rows: rows.length, keys, dim };
  const half = rough ? 2 ** -11 : 2 ** -23, p = await cells(chosen, rows, 0, keys, 0), q = new Float32Array(rows.length * heads * dim);
  rows.forEach((i, r) => q.set(readRows(view, 'hook_q', batch, i, i + 1), r * heads * dim));
  const base = await scoreBlock(block, { q, k: chosen.k!, scale: view.scale, softcap: view.softcap });
  const shaken = await scoreBlock(block, { q: shake(q, half, 1), k: shake(chosen.k!, half, 2), scale: view.scale, softcap: view.softcap });
  const moved = new Float32Array(p.length), { lse } = blockInputs(chosen, rows, 0, 0), lseShaken = shake(lse, 2 ** -22, 4);
  for (let n = 0; n < p.length; n++) {
    const row = Math.floor(n / keys);
    moved[n] = p[n] && p[n] * Math.exp(shaken[n] - base[n] - (lseShaken[row] - lse[row]));
    pattern.noise = Math.max(pattern.noise, Math.abs(moved[n] - p[n]));
  }
  if (!v) return;
  const plain = await valuesBlock(block, p, v, valueDim), changed = await valuesBlock(block, moved, shake(v, half, 3), valueDim);
  for (let n = 0; n < plain.length; n++) output.noise = Math.max(output.noise, Math.abs(changed[n] - plain[n]));
}

/** Twice the noise floor, as the graph's own rounding counts too; sums of large outputs are also off by 2⁻²⁰ of their size, and what is written in float16 by 2⁻¹¹ of it, scores, probabilities and output each. */
function toleranceOf({ noise, scale, rounded }: Difference, half = false): number { return Math.max(smallest, 2 * noise + (half ? 3 * scale * 2 ** -11 : 0), scale > 10 ? scale * 2 ** -20 : 0) + rounded; }

/** Every element moved by `half` of itself, up or down (always the same way). */
function shake(values: Float32Array, half: number, salt: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let n = 0; n < values.length; n++) out[n] = values[n] * (1 + (Math.imul(n + 1, 0x9e3779b1 + salt * 0x85ebca6b) >> 16 & 1 ? half : -half));
  return out;
}

function short(value: number): string { return value.toExponential(1); }
