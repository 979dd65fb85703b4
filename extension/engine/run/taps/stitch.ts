/** One site over several runs: rows of q are put one behind the other, k and v are those of the last run, and what parity needs is kept of each. */
import type { Site } from '../../../contract/site.ts';
import type { SitePlan } from '../../sites/site-plan.ts';
import type { SiteCapture } from '../../trace/capture.ts';
import type { PartWriter } from '../../trace/part-writer.ts';
import type { MaskRows, PieceTerm, WholeMask } from './mask-rows.ts';
import type { FetchedTensor } from '../session/runtime.ts';
import type { SiteTaps } from './taps.ts';

/** What one run of a piece gave of a site. */
export interface SitePiece {
  /** Of the graph that this run was of: later runs may be of another one. */
  readonly plan: SitePlan;
  readonly taps: SiteTaps;
  readonly take: (output: string) => FetchedTensor;
  /** Position of the first query. */
  readonly start: number;
  /** k and v are of all positions now. */
  readonly last: boolean;
}

type Numbers = Float32Array | Uint16Array;
interface Rows { readonly dims: readonly number[]; readonly data: Numbers }
/** Own values of kept rows: [batch, outer, rows, width] with rows at axis `axis`. */
interface Kept extends Rows { readonly count: number }

/** The outputs of the taps that a piece fetches. */
export function outputsOf(taps: SiteTaps, last: boolean): string[] {
  const { q, k, v, z, rows, ownOutput, ownPattern, pattern, scales, masks, sink, unruly } = taps;
  return [q, z, rows, ownOutput, ownPattern, pattern, sink, unruly, ...(last ? [k, v] : []), ...scales.map(scale => scale.output), ...masks.map(mask => mask.output)].filter(output => output !== undefined);
}

export class StitchedSite {
  readonly plan: SitePlan;
  readonly #rows: number[] = [];
  readonly #parts: Record<'q' | 'z', Rows[]> = { q: [], z: [] };
  readonly #pattern: Kept[] = []; readonly #ownPattern: Kept[] = []; readonly #ownOutput: Kept[] = [];
  #k: Rows | undefined; #v: Rows | undefined; #sink: FetchedTensor | undefined;
  #scale: number | null = null;
  #ruled = true;
  constructor(plan: SitePlan) { this.plan = plan; }

  /** Rule of the operator as this piece had it. */
  add({ plan, taps, take, start, last }: SitePiece): { readonly queries: number; readonly keys: number; readonly rule: SitePlan['rule'] } {
    const tensor = (output: string | undefined): FetchedTensor | undefined => (output === undefined ? undefined : take(output));
    const rows = Array.from(tensor(taps.rows)!.data as BigInt64Array, Number), q = tensor(taps.q), z = tensor(taps.z), pattern = tensor(taps.pattern);
    this.#rows.push(...rows.map(row => row + start));
    if (q) this.#parts.q.push(q as Rows);
    if (z) this.#parts.z.push(z as Rows);
    const kept = (list: Kept[], found: FetchedTensor | undefined, axis: number): void => { if (found) list.push({ dims: found.dims, data: found.data as Numbers, count: found.dims[axis] }); };
    kept(this.#pattern, pattern, 2);
    kept(this.#ownPattern, tensor(taps.ownPattern), 2);
    kept(this.#ownOutput, tensor(taps.ownOutput), 1);
    this.#sink ??= tensor(taps.sink);
    const scales = plan.scale.map(factor => ('constant' in factor ? factor.constant ** factor.power : undefined));
    for (const { output, power } of taps.scales) scales[scales.indexOf(undefined)] = (take(output).data as Float32Array)[0] ** power;
    this.#scale = plan.q ? scales.reduce<number>((product, factor) => product * (factor ?? 1), 1) : null;
    const ruled = taps.unruly === undefined || (take(taps.unruly).data as Float32Array)[0] === 0;
    this.#ruled &&= ruled;
    if (last) { this.#k = tensor(taps.k) as Rows | undefined; this.#v = tensor(taps.v) as Rows | undefined; }
    const queries = (q?.dims[1] ?? pattern?.dims[2])!;
    return { queries, keys: start + queries, rule: ruled ? plan.rule : { causal: false, offset: 'zero', window: null } };
  }

  /** Writes the whole. `mask`: of all positions, its tensors by the names that they have in the side file. `halves`: keys and values went through a cache of float16, so that early rows saw them less rounded than late ones. */
  write(part: PartWriter, side: PartWriter, { stored, length, halves }: { readonly stored: 'F32' | 'F16'; readonly length: number; readonly halves: boolean }, mask: { readonly whole: WholeMask; readonly tensors: SiteCapture['masks'] }): SiteCapture {
    const { site, softcap, half, rounding } = this.plan, rows = this.#rows;
    const put = (name: 'q' | 'k' | 'v' | 'z', pieces: readonly Rows[]): readonly number[] | undefined => {
      if (!pieces.length) return undefined;
      const [batch, , heads, dim] = pieces[0].dims, total = pieces.reduce((sum, piece) => sum + piece.dims[1], 0);
      const ordered = Array.from({ length: batch }, (_, b) => pieces.map(({ dims, data }) => data.subarray(b * dims[1] * heads * dim, (b + 1) * dims[1] * heads * dim))).flat();
      part.append(`${site.name}.hook_${name}`, stored, [batch, total, heads, dim], ordered);
      return [batch, total, heads, dim];
    };
    const q = put('q', this.#parts.q), k = put('k', this.#k ? [this.#k] : []), v = put('v', this.#v ? [this.#v] : []);
    put('z', this.#parts.z);
    if (this.#pattern.length) { const whole = square(this.#pattern, length); part.append(`${site.name}.hook_pattern`, 'F32', whole.dims, whole.data); }
    const own = (name: string, whole: Rows | undefined): string | undefined => {
      if (whole) side.append(`${site.name}.${name}`, 'F32', whole.dims, whole.data);
      return whole && `${site.name}.${name}`;
    };
    const ownPattern = own('ownPattern', this.#ownPattern.length ? square(this.#ownPattern, length) : undefined), ownOutput = own('ownOutput', this.#ownOutput.length ? stacked(this.#ownOutput) : undefined);
    const sink = own('sink', this.#sink as Rows | undefined);
    const filled: Site = { ...site, scale: this.#scale === null ? site.scale : Number(this.#scale.toPrecision(9)), ...(q && k && v ? { heads: q[2], kvHeads: k[2], headDim: q[3], valueDim: v[3] } : {}) };
    return {
      site: filled, dtype: stored, ...(half || halves ? { half: true } : {}), softcap, masks: mask.tensors, rows, rule: mask.whole.rule, statistics: 'missing',
      ...(rounding ? { rounding } : {}), ...(sink ? { sink } : {}), ...(ownPattern ? { ownPattern } : {}), ...(ownOutput ? { ownOutput } : {}),
    };
  }
}

/** Pieces [batch, head, rows, keys so far] as one [batch, head, all rows, length], zero where a key was yet to come. */
function square(pieces: readonly Kept[], length: number): Rows {
  const [batch, heads] = pieces[0].dims, total = pieces.reduce((sum, piece) => sum + piece.count, 0), data = new Float32Array(batch * heads * total * length);
  let at = 0;
  for (const piece of pieces) {
    const keys = piece.dims[3];
    for (let o = 0; o < batch * heads; o++) for (let r = 0; r < piece.count; r++) data.set(piece.data.subarray((o * piece.count + r) * keys, (o * piece.count + r + 1) * keys), (o * total + at + r) * length);
    at += piece.count;
  }
  return { dims: [batch, heads, total, length], data };
}

/** Pieces [batch, rows, head, dim] one behind the other. */
function stacked(pieces: readonly Kept[]): Rows {
  const [batch, , heads, dim] = pieces[0].dims, row = heads * dim, total = pieces.reduce((sum, piece) => sum + piece.count, 0), data = new Float32Array(batch * total * row);
  let at = 0;
  for (const piece of pieces) {
    for (let b = 0; b < batch; b++) data.set(piece.data.subarray(b * piece.count * row, (b + 1) * piece.count * row), (b * total + at) * row);
    at += piece.count;
  }
  return { dims: [batch, total, heads, dim], data };
}

/** The masks of all sites: those that share their terms share the work and the tensor. */
export class StitchedMasks {
  readonly #made: (site: string) => MaskRows;
  readonly #rows = new Map<string, MaskRows>();
  readonly #done = new Map<string, number>();
  readonly #whole = new Map<string, { readonly whole: WholeMask; readonly tensors: SiteCapture['masks'] }>();
  constructor(made: (site: string) => MaskRows) { this.#made = made; }

  /** `key` names the terms: the outputs they are, with the operator's rule. */
  add(key: string, site: string, piece: { readonly start: number; readonly queries: number; readonly keys: number; readonly rule: SitePlan['rule'] }, terms: () => readonly PieceTerm[]): void {
    const rows = this.#rows.get(key) ?? this.#made(site);
    this.#rows.set(key, rows);
    if ((this.#done.get(key) ?? -1) >= piece.start) return;
    this.#done.set(key, piece.start);
    rows.add({ start: piece.start, queries: piece.queries, keys: piece.keys, rule: { causal: piece.rule.causal, window: piece.rule.window }, terms: terms() });
  }

  whole(key: string, batch: number, length: number, side: PartWriter): { readonly whole: WholeMask; readonly tensors: SiteCapture['masks'] } {
    const known = this.#whole.get(key);
    if (known) return known;
    const whole = this.#rows.get(key)!.whole(length), name = `mask.${this.#whole.size}`, found = { whole, tensors: [] as SiteCapture['masks'][number][] };
    if (whole.keys) { side.append(name, 'U8', [batch, 1, 1, length], whole.keys); found.tensors.push({ tensor: name, as: 'keep' }); }
    if (whole.added) { side.append(name, 'F32', whole.added.dims, whole.added.data); found.tensors.push({ tensor: name, as: 'add' }); }
    this.#whole.set(key, found);
    return found;
  }
}
