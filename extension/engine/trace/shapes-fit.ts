/** Whether the tensors of a site belong together; where a graph or a file says otherwise, no number of it would mean anything. */
import { UserError } from '../../contract/errors.ts';
import type { SiteCapture } from './capture.ts';
import type { SiteView } from './site-view.ts';
import type { TensorStore } from './tensor-store.ts';

/**
 * q [batch, query, heads, dim], k [batch, key, kvHeads, dim], v [batch, key, kvHeads, valueDim], and in `side` the graph's own
 * probabilities [batch, heads, rows, key] and output [batch, rows, heads, valueDim] as far as they are there. Errors: `UserError` that names
 * the site and the tensor.
 */
export function checkFit(view: SiteView, capture: SiteCapture, side: TensorStore): void {
  const { batch, heads, kvHeads, keys, dim, valueDim, queries } = view, rows = capture.rows.length;
  const shape = (store: TensorStore, name: string | undefined): readonly number[] | undefined => (name === undefined ? undefined : store.tensors.get(name)?.shape);
  const wanted: readonly (readonly [what: string, is: readonly number[] | undefined, should: readonly number[]])[] = view.from === 'qk' ? [
    ['queries', shape(view.store, `${view.name}.hook_q`), [batch, queries, heads, dim]], ['keys', shape(view.store, `${view.name}.hook_k`), [batch, keys, kvHeads, dim]],
    ['values', shape(view.store, `${view.name}.hook_v`), [batch, keys, kvHeads, valueDim]], ['probabilities', shape(side, capture.ownPattern), [batch, heads, rows, keys]],
    ['output', elements(shape(side, capture.ownOutput)), [batch * rows * heads * valueDim]],
  ] : [];
  for (const [what, is, should] of wanted) {
    if (is && is.join() !== should.join()) throw wrong(view, `its ${what} have the shape [${is.join(', ')}], where [${should.join(', ')}] follows from the rest`);
  }
  if (view.from === 'qk' && (!(kvHeads > 0) || heads % kvHeads)) throw wrong(view, `${heads} heads cannot share ${kvHeads} key/value heads`);
}

/** The output lies as the graph has it: only its size is known. */
function elements(shape: readonly number[] | undefined): readonly number[] | undefined { return shape && [shape.reduce((a, b) => a * b, 1)]; }

function wrong(view: SiteView, why: string): UserError {
  return new UserError(`The attention ${view.name} (${view.site.node || view.site.operator}) does not fit together: ${why}.`, 'Leave its layer out (--layers), and please report the model.');
}
