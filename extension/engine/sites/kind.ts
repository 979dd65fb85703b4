/** Self or cross attention: whether q and k are projected from the same sequence. */
import type { SiteKind } from '../../contract/site.ts';
import type { GraphView, Node } from '../onnx/model.ts';
import { activations, chainStart } from './walk.ts';

/** Projections whose inputs are compared lie this many nodes before q and k at most. */
const farthest = 160;

/**
 * Cross attention: q and k are projected from different things. Walks back from both to the first products with weights; where these read
 * no common value, and what k's read was not itself made from what q's read (as reduced keys are), q and k come from two sequences.
 * So they do where k was projected in another run and comes in as it is (the cached keys of an encoder).
 */
export function kindOf(view: GraphView, q: string, k: string): SiteKind {
  const read = (value: string): Set<string> => new Set([...projections(view, value)].map(node => through(view, node.inputs[0])));
  const ofQ = read(q), ofK = read(k);
  if (ofQ.size && !ofK.size && view.graph.inputs.some(input => input.name === chainStart(view, k))) return 'cross';
  if (!ofQ.size || !ofK.size || [...ofQ].some(value => ofK.has(value))) return 'self';
  // Both may have been convolved, pooled or cut from one value on their own.
  const starts = new Set([...ofQ].map(value => chainStart(view, value)));
  if ([...ofK].some(value => starts.has(chainStart(view, value)))) return 'self';
  const reached = ancestors(view, ofK, farthest);
  return [...ofQ].some(value => reached.has(value)) || [...ancestors(view, ofQ, 12)].some(value => ofK.has(value)) ? 'self' : 'cross';
}

const linear = new Set(['MatMul', 'Gemm', 'Conv', 'MatMulNBits', 'MatMulInteger', 'ConvInteger']);

/** The nearest products with weights before `value`. */
export function projections(view: GraphView, value: string): Set<Node> {
  const live = activations(view), found = new Set<Node>(), seen = new Set<string>(), stack = [value];
  for (let name = stack.pop(); name !== undefined && seen.size < farthest; name = stack.pop()) {
    if (seen.has(name) || !live.has(name)) continue;
    seen.add(name);
    const node = view.producer(name);
    if (!node || node.op === 'Shape') continue;
    if (linear.has(node.op) && !live.has(node.inputs[1])) found.add(node);
    else stack.push(...node.inputs);
  }
  return found;
}

/** The same value before it was reshaped for a Gemm. */
function through(view: GraphView, value: string): string {
  let at = value;
  for (let node = view.producer(at); node && (node.op === 'Reshape' || node.op === 'Transpose' || node.op === 'Identity' || node.op === 'Cast'); node = view.producer(at)) at = node.inputs[0];
  return at;
}

function ancestors(view: GraphView, values: Iterable<string>, most: number): Set<string> {
  const live = activations(view), seen = new Set<string>(), queue = [...values];
  for (let i = 0; i < queue.length && seen.size < most; i++) {
    const name = queue[i];
    if (seen.has(name) || !live.has(name)) continue;
    seen.add(name);
    const node = view.producer(name);
    if (node && node.op !== 'Shape') queue.push(...node.inputs);
  }
  return seen;
}
