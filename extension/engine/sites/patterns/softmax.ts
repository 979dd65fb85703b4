/** Attention written out: a product of two activations, scaled, masked, through a softmax, times a third activation. */
import type { RefusedSite } from '../../../contract/site.ts';
import type { GraphView, Node } from '../../onnx/model.ts';
import { AddedGraph, type Added } from '../../onnx/graph-builder.ts';
import { planOf } from '../draft.ts';
import { addedFor, rounding } from '../lowering/quantised.ts';
import { layoutOf, trackOperand, type Tracked } from '../operands.ts';
import { mixSides, scoreSides, type Side } from '../products.ts';
import { looksLikeAttention, probabilityChain, scoreChain, type ProbabilityChain, type ScoreChain } from '../scores.ts';
import type { Pattern, SitePlan } from '../site-plan.ts';
import { softmaxAt, type SoftmaxAt } from '../softmaxes.ts';
import { dataDependent } from '../walk.ts';

export const softmax: Pattern = {
  id: 'softmax',
  title: 'Attention written out around a Softmax',
  operators: [{
    operator: 'ai.onnx.Softmax',
    recognised: 'a product of two activations (MatMul, FusedMatMul, Einsum) through scale, softcap and masks, over the last axis, times a third activation; q, k, v before the scale and before heads are repeated; exp(log softmax) and exponentials over their sum as well, a column that is no key as a sink; products and softmaxes of 8-bit numbers (MatMulInteger, QLinearMatMul, QLinearSoftmax, QuantizeLinear and back) as the floats that they stand for',
    run: 'onnxruntime, CPU; bfloat16 is refused when it is run ("… computes in bfloat16, and onnxruntime 1.30 has no MatMul of that type for the CPU.")',
    compared: 'its own probabilities and output, and a float64 twin',
    refused: [{ form: 'probabilities with more than four axes', sentence: 'Its probabilities have 5 axes; attention of up to four (batch, head, query, key) can be read.' }],
  }],
  match(node, view) {
    const found = softmaxAt(view, node);
    if (!found) return undefined;
    const after = probabilityChain(view, found.probs), before = scoreChain(view, found.scores);
    if (before && isPooling(view, before)) return undefined;
    return (before && after && dense(found, node, view, before, after)) ?? onlySoftmax(node, view, before, after);
  },
};

/** One learned query that looks at everything: pooling, not attention between positions. */
function isPooling(view: GraphView, { product }: ScoreChain): boolean {
  const rows = view.dims(product.outputs[0])?.at(-2);
  return rows === 1 && !dataDependent(view).has(product.inputs[0]);
}

function dense(found: SoftmaxAt, node: Node, view: GraphView, before: ScoreChain, after: ProbabilityChain): SitePlan | undefined {
  const scores = scoreSides(view, before.product), mix = mixSides(view, after.product);
  const rank = view.dims(found.scores)?.length ?? scores?.rank;
  if (!scores || !mix || (rank !== 3 && rank !== 4)) return undefined;
  const k = trackOperand(view, scores.k.value, scores.k.axes), v = trackOperand(view, mix.v.value, mix.v.axes);
  // A product has one head axis: what k or v say of it (unless they are broadcast along it) is true of q too.
  const told = [k, v].find(operand => operand && !operand.repeated && operand.heads !== undefined && operand.heads > 1)?.heads;
  const added = new AddedGraph(view.model.opsets.get('') ?? 17);
  const q = before.perHead !== undefined ? tempered(added, view, scores.q, before.perHead) : trackOperand(view, scores.q.value, scores.q.axes, { heads: told ?? (scores.rank === 4 ? view.dims(before.product.outputs[0])?.[1] : undefined), dim: k?.dim });
  const layout = layoutOf(mix.out.axes);
  if (!q || !k || !v || !layout) return undefined;
  const single = scores.rank === 3 && q.heads === 1;
  const out = rounding(view, mix.out.value), probs = rounding(view, after.probs);
  if (out.error === undefined || probs.error === undefined) return undefined;
  const errors = { score: before.error, pattern: probs.error, mixed: after.error, out: out.error };
  const sink = found.sink && ('value' in found.sink ? found.sink.value : repeatedLogit(added, found.sink.constant, before.product.outputs[0], rank === 4, q.heads));
  if (found.sink && sink === undefined) return undefined;
  return planOf({
    node, capture: 'graph', tracked: { q, k, v }, ...(before.perHead === undefined ? {} : { origins: { q: scores.q.value, k: k.operand.value, v: v.operand.value } }), q: q.operand, k: k.operand, v: v.operand,
    out: { value: out.value, layout: single && layout === '(b h) s d' ? 'b s d' : layout, heads: q.heads ?? null },
    scale: [...before.scale, ...q.factors, ...k.factors], softcap: before.softcap, masks: before.masks,
    rule: { causal: false, offset: 'zero', window: null }, ...(sink === undefined ? {} : { sink }), ...withNodes(added.added(), addedFor(view, [q, k, v].map(each => each.operand.value).concat(before.perHead === undefined ? [] : scores.q.value, out.value, probs.value, found.scores, before.masks.map(mask => mask.value)))),
    ...(Object.values(errors).some(error => error > 0) ? { rounding: errors } : {}),
    softmax: { scores: found.scores, probs: probs.value, layout: rank === 4 ? 'b h q k' : single ? 'b q k' : '(b h) q k' },
    nodes: [...before.nodes, ...found.nodes, ...after.nodes, ...q.nodes, ...k.nodes, ...v.nodes],
  }, view);
}

/** Queries times the temperatures of their heads: what the scores are products of. */
function tempered(added: AddedGraph, view: GraphView, { value, axes }: Side, factors: string): Tracked | undefined {
  const dims = view.dims(value), layout = layoutOf(axes), heads = view.dims(factors)?.at(-3);
  if (layout !== 'b h s d' || heads === undefined) return undefined;
  return { operand: { value: added.node('Mul', [value, factors]), layout, heads }, factors: [], heads, dim: dims?.at(-1), nodes: [], repeated: false };
}

/** What both add, where they add anything. */
function withNodes(a: Added, b: Added | undefined): { readonly added?: Added } {
  const nodes = [...a.nodes, ...b?.nodes ?? []], initializers = [...a.initializers, ...b?.initializers ?? []];
  return nodes.length || initializers.length ? { added: { nodes, initializers, dims: new Map([...a.dims, ...b?.dims ?? []]) } } : {};
}

/** One logit for every head, as many as the product has. */
function repeatedLogit(added: AddedGraph, logit: number, product: string, four: boolean, heads: number | undefined): string | undefined {
  if (heads !== undefined) return added.floats(new Array<number>(heads).fill(logit));
  return four ? added.node('Expand', [added.floats([logit]), added.dim(product, 1)]) : undefined;
}

/** Probabilities over positions whose surroundings are not understood: they can still be read, or at least be named. */
function onlySoftmax(node: Node, view: GraphView, before: ScoreChain | undefined, after: ProbabilityChain | undefined): SitePlan | RefusedSite | undefined {
  if (node.op !== 'Softmax') return undefined;
  const dims = view.dims(node.inputs[0]), rank = dims?.length ?? 4;
  const used = after !== undefined || (rank === 4 && view.consumers(node.outputs[0]).length > 0);
  if (rank < 3 || !used || !looksLikeAttention(view, node.inputs[0])) return undefined;
  if (rank > 4) return { node: node.name, operator: 'Softmax', reason: `Its probabilities have ${rank} axes; attention of up to four (batch, head, query, key) can be read.` };
  return planOf({
    node, capture: 'softmax-only', q: undefined, k: undefined, v: undefined, out: undefined, scale: [], softcap: 0, masks: [],
    rule: { causal: false, offset: 'zero', window: null },
    softmax: { scores: node.inputs[0], probs: after?.probs ?? node.outputs[0], layout: rank === 4 ? 'b h q k' : '(b h) q k' },
    nodes: [node, ...(after?.nodes ?? [])], heads: rank === 4 ? dims?.[1] : undefined,
    why: !after ? 'Its probabilities are not multiplied by values.' : !before ? 'Its scores are no product of queries and keys with a scale and masks.' : 'The layout of its queries, keys or values is not known.',
  }, view);
}
