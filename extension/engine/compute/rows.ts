/** Probabilities or scores of chosen cells of a site, from what a trace stores; blocks are bounded. */
import { UserError } from '../../contract/errors.ts';
import { pickHead, readHead, readRows, type SiteView } from '../trace/site-view.ts';
import { additiveRow, highKey, lowKey, perHead } from '../trace/visibility.ts';
import { hiddenScore, scoreBlock, type Block, type ScoreInputs } from './kernel.ts';

/** Cells of one block: 8 MB of float32, about 15 ms of one core at head size 64. */
export const blockCells = 2 ** 21;

export interface Chosen {
  readonly view: SiteView;
  readonly batch: number;
  /** One head, or all. */
  readonly head?: number;
  readonly of: 'prob' | 'score';
  /** Keys and log-sum-exps already at hand: [key, kvHeads or 1, dim], [heads or 1, query]. */
  readonly k?: Float32Array;
  readonly lse?: Float32Array;
}

/** Loads what every block of a site needs: keys of the sample, and lse. */
export function prepare(chosen: Chosen): Chosen {
  const { view, batch, head } = chosen;
  if (view.from !== 'qk') return chosen;
  const k = head === undefined ? readRows(view, 'hook_k', batch, 0, view.keys) : readHead(view, 'hook_k', batch, Math.floor(head * view.kvHeads / view.heads));
  const lse = chosen.lse ?? view.store.floats(`${view.name}.stats.lse`, (batch * view.heads + (head ?? 0)) * view.queries, (head === undefined ? view.heads : 1) * view.queries);
  return { ...chosen, k, lse };
}

/**
 * Rows `rows` (any queries, in order) against the keys [from, to): [heads or 1, row, key], with `hidden` where the key is invisible.
 * `chosen` comes from `prepare`. The caller bounds heads · rows · keys.
 */
export async function cells(chosen: Chosen, rows: readonly number[] | Int32Array, from: number, to: number, hidden: number): Promise<Float32Array> {
  const { view, head, of } = chosen, heads = head === undefined ? view.heads : 1, width = to - from;
  if (view.from === 'nothing') throw new UserError(`${view.name} has no probabilities to show.`, view.site.form === 'linear' ? 'It is linear attention.' : 'Trace the model again.');
  if (view.from === 'pattern') return stored(chosen, rows, from, to, hidden);
  const kvHeads = head === undefined ? view.kvHeads : 1, block: Block = { heads, kvHeads, rows: rows.length, keys: width, dim: view.dim };
  const { lse, ...inputs } = blockInputs(chosen, rows, from, to), additive = view.visibility.bias ? additiveBlock(chosen, rows, from, to) : undefined;
  const out = await scoreBlock(block, { ...inputs, additive }, of === 'prob' ? lse : undefined);
  hide(chosen, rows, from, to, out, hidden);
  return out;
}

/** What a kernel needs of rows against the keys [from, to), but for the mask. `lse` [head, row] is 0 for rows that see no key. */
export function blockInputs(chosen: Chosen, rows: readonly number[] | Int32Array, from: number, to: number): Pick<ScoreInputs, 'q' | 'k' | 'scale' | 'softcap'> & { readonly lse: Float32Array } {
  const { view, head } = chosen, heads = head === undefined ? view.heads : 1, kvHeads = head === undefined ? view.kvHeads : 1, lse = new Float32Array(heads * rows.length);
  for (let h = 0, n = 0; h < heads; h++) for (const i of rows) {
    const value = chosen.lse![h * view.queries + i];
    lse[n++] = value === -Infinity ? 0 : value;
  }
  return { q: queries(chosen, rows), k: chosen.k!.subarray(from * kvHeads * view.dim, to * kvHeads * view.dim), scale: view.scale, softcap: view.softcap, lse };
}

/** Writes `hidden` over every invisible cell. */
function hide({ view: { visibility, keys }, batch, head }: Chosen, rows: ArrayLike<number>, from: number, to: number, out: Float32Array, hidden: number): void {
  const width = to - from, heads = out.length / rows.length / width, seen = visibility.visibleKeys, scratch = visibility.bias || visibility.blocks ? new Float32Array(width) : undefined;
  for (let h = 0, at = 0; h < heads; h++) for (let r = 0; r < rows.length; r++, at += width) {
    if (scratch) {
      additiveRow(visibility, batch, head ?? h, rows[r], from, to, scratch, 0, hiddenScore);
      for (let j = 0; j < width; j++) if (scratch[j] === hiddenScore) out[at + j] = hidden;
      continue;
    }
    const low = Math.min(Math.max(lowKey(visibility, rows[r]), from), to) - from, high = Math.max(low, Math.min(highKey(visibility, rows[r]), to) - from);
    out.fill(hidden, at, at + low);
    out.fill(hidden, at + high, at + width);
    if (seen) for (let j = low; j < high; j++) if (!seen[batch * keys + from + j]) out[at + j] = hidden;
  }
}

/** What is added to the scores, `hiddenScore` where a key is hidden: [1 or head, row, key]. */
export function additiveBlock({ view, batch, head }: Chosen, rows: ArrayLike<number>, from: number, to: number): Float32Array {
  const width = to - from, heads = head === undefined && perHead(view.visibility) ? view.heads : 1, out = new Float32Array(heads * rows.length * width);
  for (let h = 0, at = 0; h < heads; h++) for (let r = 0; r < rows.length; r++, at += width) additiveRow(view.visibility, batch, head ?? h, rows[r], from, to, out, at, hiddenScore);
  return out;
}

/** [row, heads or 1, dim]. */
function queries({ view, batch, head }: Chosen, rows: ArrayLike<number>): Float32Array {
  const contiguous = rows.length > 0 && rows[rows.length - 1] - rows[0] === rows.length - 1;
  let q: Float32Array;
  if (contiguous) q = readRows(view, 'hook_q', batch, rows[0], rows[0] + rows.length);
  else {
    const row = view.heads * view.dim;
    q = new Float32Array(rows.length * row);
    for (let r = 0; r < rows.length; r++) q.set(readRows(view, 'hook_q', batch, rows[r], rows[r] + 1), r * row);
  }
  return head === undefined ? q : pickHead(q, rows.length, view.heads, head);
}

/** From a stored hook_pattern [batch, head, query, key]; its scores are the logarithms. */
function stored(chosen: Chosen, rows: ArrayLike<number>, from: number, to: number, hidden: number): Float32Array {
  const { view, batch, head, of } = chosen, heads = head === undefined ? view.heads : 1, width = to - from, out = new Float32Array(heads * rows.length * width);
  for (let h = 0, at = 0; h < heads; h++) for (let r = 0; r < rows.length; r++, at += width) {
    const row = ((batch * view.heads + (head ?? h)) * view.queries + rows[r]) * view.keys;
    out.set(view.store.floats(`${view.name}.hook_pattern`, row + from, width), at);
  }
  if (of === 'score') for (let n = 0; n < out.length; n++) out[n] = Math.log(out[n]);
  hide(chosen, rows, from, to, out, hidden);
  return out;
}
