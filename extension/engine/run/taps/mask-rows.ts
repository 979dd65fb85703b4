/**
 * The mask of a map that is made in pieces of rows: what each row sees, kept as a range with the keys that nobody sees left out (O(rows)),
 * and tried as a rule at the end; what no rule gives is kept as a tensor while it is small.
 */
import { UserError } from '../../../contract/errors.ts';
import { hiddenAt, highKey, lowKey } from '../../trace/visibility.ts';

/** Mask terms of one piece, broadcastable to [batch, head, queries, keys]. `add`: floats; `keep`, `drop`: not zero is true. */
export interface PieceTerm { readonly dims: readonly number[]; readonly data: ArrayLike<number>; readonly as: 'add' | 'keep' | 'drop' }
export interface Piece {
  /** Position of the first query. Keys are the positions before it and its own. */
  readonly start: number;
  readonly queries: number;
  readonly keys: number;
  /** What the operator itself applies. */
  readonly rule: { readonly causal: boolean; readonly window: readonly [number, number] | null };
  readonly terms: readonly PieceTerm[];
}

/** `keys`: [batch, key], 1 = visible. `added`: [batch, heads, query, key], added to the scores, −∞ where hidden; then the rule is empty. */
export interface WholeMask {
  readonly rule: { readonly causal: boolean; readonly offset: number; readonly window: readonly [number, number] | null };
  readonly keys?: Uint8Array;
  readonly added?: { readonly dims: readonly [number, number, number, number]; readonly data: Float32Array };
}

/** A mask without a rule is kept up to this many cells (256 MB). */
const mostCells = 2 ** 26;

export class MaskRows {
  readonly #site: string;
  readonly #batch: number;
  /** Per sample: first and last key that each row sees, and how many. */
  readonly #low: number[][]; readonly #high: number[][]; readonly #count: number[][];
  /** [key] 1: some row sees it; as long as there are keys so far. A set would be asked once for every cell of the map. */
  readonly #seen: Uint8Array[];
  /** Rows as the graph has them, one a sample and head; undefined when they grew too large. */
  #cells: Float32Array[][] | undefined;
  #heads = 1;
  #ruled = true;
  #held = 0;
  constructor(site: string, batch: number) {
    this.#site = site;
    this.#batch = batch;
    const lists = (): number[][] => Array.from({ length: batch }, () => []);
    this.#low = lists(); this.#high = lists(); this.#count = lists(); this.#cells = Array.from({ length: batch }, () => []);
    this.#seen = Array.from({ length: batch }, () => new Uint8Array(0));
  }

  /** Pieces come in the order of their rows, without a gap. Errors: `UserError` where a term does not fit. */
  add(piece: Piece): void {
    const { start, queries, keys, rule } = piece, terms = piece.terms.map(term => ({ ...term, dims: this.#fit(term.dims, piece) }));
    const heads = Math.max(1, ...terms.map(term => term.dims[1])), of = { batch: 1, heads: 1, queries, keys, rule: { causal: rule.causal, offset: start, window: rule.window } };
    if (heads > 1) this.#ruled = false;
    this.#heads = Math.max(this.#heads, heads);
    this.#held += this.#batch * heads * queries * keys;
    if (this.#held > mostCells) this.#cells = undefined;
    for (let b = 0; b < this.#batch; b++) for (let i = 0; i < queries; i++) {
      const rows: Float32Array[] = [];
      for (let h = 0; h < heads; h++) {
        const row = new Float32Array(keys).fill(-Infinity), low = lowKey(of, i), high = Math.max(low, highKey(of, i));
        row.fill(0, low, high);
        for (const term of terms) applyTerm(term, b, h, i, row);
        rows.push(row);
      }
      this.#note(b, rows[0]);
      if (this.#cells) this.#cells[b].push(...rows);
    }
  }

  #note(b: number, row: Float32Array): void {
    let low = -1, high = 0, count = 0;
    if (this.#seen[b].length < row.length) { const wider = new Uint8Array(2 * row.length); wider.set(this.#seen[b]); this.#seen[b] = wider; }
    const seen = this.#seen[b];
    for (let j = 0; j < row.length; j++) {
      if (row[j] <= hiddenAt) continue;
      if (row[j] !== 0) this.#ruled = false;
      if (low < 0) low = j;
      high = j + 1;
      count++;
      seen[j] = 1;
    }
    this.#low[b].push(low < 0 ? row.length : low);
    this.#high[b].push(high);
    this.#count[b].push(count);
  }

  /** The mask of all `keys` positions. Errors: `UserError` where it follows no rule and is too large to keep. */
  whole(keys: number): WholeMask {
    const rule = this.#ruled ? this.#asRule(keys) : undefined;
    if (rule) return rule;
    if (!this.#cells) throw new UserError(`The mask of ${this.#site} follows no rule, and as a tensor it would have ${(this.#batch * this.#heads * keys * keys).toLocaleString('en')} numbers.`, 'Use a shorter prompt.');
    const heads = this.#heads, dims = [this.#batch, heads, keys, keys] as const, data = new Float32Array(this.#batch * heads * keys * keys).fill(-Infinity);
    for (const [b, rows] of this.#cells.entries()) {
      // Pieces without heads of their own count for all.
      const each = rows.length / keys;
      for (let i = 0; i < keys; i++) for (let h = 0; h < heads; h++) data.set(rows[i * each + Math.min(h, each - 1)], ((b * heads + h) * keys + i) * keys);
    }
    return { rule: { causal: false, offset: 0, window: null }, added: { dims, data } };
  }

  /** Causal, perhaps with a window to the left and keys that nobody sees: exactly what every row showed, or undefined. */
  #asRule(keys: number): WholeMask | undefined {
    const visible = new Uint8Array(this.#batch * keys);
    let left = -1;
    for (let b = 0; b < this.#batch; b++) {
      visible.set(this.#seen[b].subarray(0, keys), b * keys);
      const first = visible.subarray(b * keys, (b + 1) * keys).indexOf(1);
      // Where a row does not begin at the first visible key, a window cut it.
      for (let i = 0; i < keys; i++) if (this.#count[b][i] && this.#low[b][i] > first) left = Math.max(left, i - this.#low[b][i]);
    }
    if (left < 0) left = Infinity;
    for (let b = 0; b < this.#batch; b++) {
      const before = new Int32Array(keys + 1);
      for (let j = 0; j < keys; j++) before[j + 1] = before[j] + visible[b * keys + j];
      for (let i = 0; i < keys; i++) {
        const low = Math.max(0, i - left), count = before[i + 1] - before[low];
        // What is seen is visible and lies in the range: equal counts are equal sets.
        if (this.#high[b][i] > i + 1 || (this.#count[b][i] && this.#low[b][i] < low) || this.#count[b][i] !== count) return undefined;
      }
    }
    return { rule: { causal: true, offset: 0, window: left === Infinity ? null : [left, -1] }, ...(visible.includes(0) ? { keys: visible } : {}) };
  }

  #fit(shape: readonly number[], { queries, keys }: Piece): readonly number[] {
    const dims = [...Array<number>(Math.max(0, 4 - shape.length)).fill(1), ...shape];
    const fits = dims.length === 4 && (dims[0] === 1 || dims[0] === this.#batch) && (dims[2] === 1 || dims[2] === queries) && dims[3] <= keys && dims.every(dim => dim > 0);
    if (!fits) throw new UserError(`The mask of ${this.#site} has shape [${shape.join(', ')}], which does not fit ${queries} queries of ${keys} keys.`, 'Please report this model.');
    return dims;
  }
}

function applyTerm({ dims: [tb, th, tq, tk], data, as }: PieceTerm, b: number, h: number, i: number, row: Float32Array): void {
  const at = (((tb === 1 ? 0 : b) * th + (th === 1 ? 0 : h)) * tq + (tq === 1 ? 0 : i)) * tk, step = tk === 1 ? 0 : 1, end = tk === 1 ? row.length : tk;
  for (let j = 0; j < end; j++) {
    const value = data[at + j * step];
    if (as === 'add') row[j] += value;
    else if ((value !== 0) === (as === 'drop')) row[j] = -Infinity;
  }
  // A short last axis hides what lies beyond it.
  row.fill(-Infinity, end);
}
