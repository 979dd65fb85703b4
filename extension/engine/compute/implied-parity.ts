/** Parity of linear attention: the weights that it implies, times v, against the output of the graph (less what a past state adds), on the kept rows. */
import type { Parity } from '../../contract/trace.ts';
import type { SiteCapture } from '../trace/capture.ts';
import { readRows, type SiteView } from '../trace/site-view.ts';
import type { TensorStore } from '../trace/tensor-store.ts';

/** Rounding of float32 sums whose terms add up to `size` in absolute value: some dozens of steps of a recurrence, in another order. */
const rounding = (size: number, half: boolean): number => Math.max(1e-5, size * 2 ** -18) + (half ? 3 * size * 2 ** -11 : 0);

/** Undefined where the weights or the output were not kept. `live` [query] of each sample: rows that count. */
export async function impliedParity(view: SiteView, capture: SiteCapture, side: TensorStore, live: (b: number) => Uint8Array, between: () => Promise<void>): Promise<Parity | undefined> {
  const { name, store, batch, heads, kvHeads, queries, keys, valueDim } = view, { rows, ownOutput } = capture;
  if (!ownOutput || !store.tensors.has(`${name}.hook_implied`)) return undefined;
  let most = 0, size = 0, compared = Infinity, finite = true;
  for (let b = 0; b < batch; b++) {
    const v = readRows(view, 'hook_v', b, 0, keys), own = side.floats(ownOutput, b * rows.length * heads * valueDim, rows.length * heads * valueDim), alive = live(b);
    let counted = 0;
    for (const [r, i] of rows.entries()) {
      if (!alive[i]) continue;
      counted++;
      for (let h = 0; h < heads; h++) {
        const weights = store.floats(`${name}.hook_implied`, ((b * heads + h) * queries + i) * keys, keys), kv = Math.floor(h * kvHeads / heads);
        for (let d = 0; d < valueDim; d++) {
          let sum = 0, all = 0;
          for (let j = 0; j <= Math.min(i, keys - 1); j++) { const term = weights[j] * v[(j * kvHeads + kv) * valueDim + d]; sum += term; all += Math.abs(term); }
          const off = Math.abs(sum - own[(r * heads + h) * valueDim + d]);
          finite &&= Number.isFinite(off);
          most = Math.max(most, off);
          size = Math.max(size, all);
        }
      }
      await between();
    }
    if (counted) compared = Math.min(compared, counted);
  }
  if (compared === Infinity) return undefined;
  const tolerance = rounding(size, capture.half === true || view.dtype === 'F16'), base = { of: 'output' as const, rows: compared, dtype: view.dtype, tolerance };
  if (!finite) return { ...base, maxAbs: null, ok: false, why: 'Some values are not finite.' };
  return most <= tolerance ? { ...base, maxAbs: most, ok: true } : { ...base, maxAbs: most, ok: false, why: `The output that the implied weights give differs from the graph's own by ${most.toExponential(1)}; up to ${tolerance.toExponential(1)} is rounding.` };
}
