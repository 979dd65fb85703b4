/** The parts of a site that every pattern fills the same way; names are given when all sites are known. */
import type { CaptureWay, MaskShape, Site, SiteKind } from '../../contract/site.ts';
import type { GraphView, Node } from '../onnx/model.ts';
import { maskShape } from './masks.ts';
import { sourceOf } from './names.ts';
import type { Tracked } from './operands.ts';
import type { SitePlan } from './site-plan.ts';
import { activations } from './walk.ts';

export interface Draft extends Omit<SitePlan, 'site'> {
  /** The softmax, or the operator. */
  readonly node: Node;
  readonly capture: CaptureWay;
  readonly tracked?: { readonly q: Tracked; readonly k: Tracked; readonly v: Tracked };
  /** Values of the graph itself that stand for q, k and v where the operands are made by `added` nodes: for people, for self or cross, for where the source is. */
  readonly origins?: { readonly q: string; readonly k: string; readonly v: string };
  /** What a mask does that `added` nodes make, beyond what is seen in `masks` and `rule`. */
  readonly hides?: Partial<MaskShape>;
  /** These go before what tracking found. */
  readonly heads?: number;
  readonly headDim?: number;
  readonly valueDim?: number;
}

/** A plan whose site still lacks its name. */
export function planOf(draft: Draft, view: GraphView): SitePlan {
  const { node, capture, tracked, origins, hides, heads, headDim, valueDim, ...plan } = draft;
  const q = origins?.q ?? plan.q?.value, k = origins?.k ?? plan.k?.value, v = origins?.v ?? plan.v?.value;
  const scale = capture === 'softmax-only' ? undefined : plan.scale.reduce<number | undefined>((product, factor) => (product === undefined || !('constant' in factor) ? undefined : product * factor.constant ** factor.power), 1);
  const site: Site = {
    name: '', stack: 'main', layer: 0, kind: tracked ? kindOf(view, origins?.q ?? tracked.q.operand.value, origins?.k ?? tracked.k.operand.value) : 'self', form: 'dense',
    heads: heads ?? tracked?.q.heads ?? null, kvHeads: tracked?.k.heads ?? tracked?.v.heads ?? null,
    headDim: headDim ?? tracked?.q.dim ?? tracked?.k.dim ?? null, valueDim: valueDim ?? tracked?.v.dim ?? null,
    mask: { ...maskShape(view, plan.masks, plan.rule), ...hides }, scale: scale === undefined ? null : Number(scale.toPrecision(7)), softcap: plan.softcap || null, sinkLogit: plan.sink !== undefined,
    operator: node.domain ? `${node.domain}.${node.op}` : node.op, node: node.name, capture,
    taps: { q: q ?? null, k: k ?? null, v: v ?? null, probs: plan.softmax?.probs ?? null, out: plan.out?.value ?? null },
    source: sourceOf(node, plan.nodes, [q, k].flatMap(value => (value === undefined ? [] : [...projections(view, value)].map(each => each.inputs[1])))),
  };
  return { ...plan, site };
}

/** Projections whose inputs are compared lie this many nodes before q and k at most. */
const farthest = 160;

/**
 * Cross attention: q and k are projected from different things. Walks back from both to the first products with weights; where these read
 * no common value, and what k's read was not itself made from what q's read (as reduced keys are), q and k come from two sequences.
 * So they do where k was projected in another run and comes in as it is (the cached keys of an encoder).
 */
function kindOf(view: GraphView, q: string, k: string): SiteKind {
  const read = (value: string): Set<string> => new Set([...projections(view, value)].map(node => through(view, node.inputs[0])));
  const ofQ = read(q), ofK = read(k);
  if (ofQ.size && !ofK.size && view.graph.inputs.some(input => input.name === source(view, k))) return 'cross';
  if (!ofQ.size || !ofK.size || [...ofQ].some(value => ofK.has(value))) return 'self';
  const reached = ancestors(view, ofK, farthest);
  return [...ofQ].some(value => reached.has(value)) || [...ancestors(view, ofQ, 12)].some(value => ofK.has(value)) ? 'self' : 'cross';
}

const linear = new Set(['MatMul', 'Gemm', 'Conv', 'MatMulNBits', 'MatMulInteger', 'ConvInteger']);

/** The nearest products with weights before `value`. */
function projections(view: GraphView, value: string): Set<Node> {
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

/** The value that a chain of operators with one activation started from. */
function source(view: GraphView, value: string): string {
  const live = activations(view);
  let at = value;
  for (let steps = 0; steps < 16; steps++) {
    const inputs = view.producer(at)?.inputs.filter(input => live.has(input)) ?? [];
    if (inputs.length !== 1) break;
    at = inputs[0];
  }
  return at;
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
