/** Attention written out: a product of two activations, scaled, masked, through a softmax, times a third activation. */
import type { GraphView, Node } from '../../onnx/model.ts';
import { planOf } from '../draft.ts';
import { axesOf, layoutOf, trackOperand, type Axes } from '../operands.ts';
import { looksLikeAttention, probabilityChain, scoreChain, type ProbabilityChain, type ScoreChain } from '../scores.ts';
import type { Operand, Pattern, SitePlan } from '../site-plan.ts';
import { attributeInt, dataDependent } from '../walk.ts';

export const softmax: Pattern = {
  id: 'softmax',
  title: 'Attention written out around a Softmax',
  match(node, view) {
    if (node.op !== 'Softmax' || node.domain !== '' || !overLastAxis(node, view)) return undefined;
    const [scores] = node.inputs, [probs] = node.outputs;
    const after = probabilityChain(view, probs), before = scoreChain(view, scores);
    if (!after) return undefined;
    if (before && isPooling(view, before)) return undefined;
    return (before && dense(node, view, before, after)) ?? onlySoftmax(node, view, after);
  },
};

/** Before opset 13 the default axis is 1, and everything behind it is one row. */
function overLastAxis(node: Node, view: GraphView): boolean {
  const axis = attributeInt(node, 'axis', (view.model.opsets.get('') ?? 13) >= 13 ? -1 : 1), rank = view.dims(node.inputs[0])?.length;
  return axis === -1 || (rank !== undefined && axis === rank - 1) || (rank === undefined && axis === 3);
}

/** One learned query that looks at everything: pooling, not attention between positions. */
function isPooling(view: GraphView, { product }: ScoreChain): boolean {
  const rows = view.dims(product.outputs[0])?.at(-2);
  return rows === 1 && !dataDependent(view).has(product.inputs[0]);
}

function dense(node: Node, view: GraphView, before: ScoreChain, after: ProbabilityChain): SitePlan | undefined {
  const rank = rankOf(view, before.product), outRank = rankOf(view, after.product), softmaxRank = view.dims(node.inputs[0])?.length ?? rank;
  if (!isRank(rank) || !isRank(outRank) || !isRank(softmaxRank)) return undefined;
  const transB = before.product.op === 'FusedMatMul' && attributeInt(before.product, 'transB', 0) === 1;
  const k = trackOperand(view, before.product.inputs[1], transB ? plain(rank) : rank === 4 ? axesOf.fourTransposed : axesOf.threeTransposed);
  const v = trackOperand(view, after.product.inputs[1], plain(outRank));
  // A product has one head axis: what k or v say of it (unless they are broadcast along it) is true of q too.
  const told = [k, v].find(operand => operand && !operand.repeated && operand.heads !== undefined && operand.heads > 1)?.heads;
  const q = trackOperand(view, before.product.inputs[0], plain(rank), { heads: told ?? (rank === 4 ? view.dims(before.product.outputs[0])?.[1] : undefined), dim: k?.dim });
  if (!q || !k || !v) return undefined;
  const out: Operand = { value: after.product.outputs[0], layout: q.operand.layout.startsWith('b s d') || outRank === 4 ? layoutOf(plain(outRank))! : layoutOf(plain(3))!, heads: q.heads ?? null };
  const single = rank === 3 && q.operand.layout === 'b s d';
  return planOf({
    node, capture: 'graph', tracked: { q, k, v },
    q: q.operand, k: k.operand, v: v.operand, out: single && outRank === 3 ? { ...out, layout: 'b s d', heads: 1 } : out,
    scale: [...before.scale, ...q.factors, ...k.factors], softcap: before.softcap, masks: before.masks,
    rule: { causal: false, offset: 'zero', window: null },
    softmax: { scores: node.inputs[0], probs: after.probs, layout: softmaxRank === 4 ? 'b h q k' : single ? 'b q k' : '(b h) q k' },
    nodes: [...before.nodes, node, ...after.nodes, ...q.nodes, ...k.nodes, ...v.nodes],
  }, view);
}

const isRank = (rank: number | undefined): rank is 3 | 4 => rank === 3 || rank === 4;
const plain = (rank: 3 | 4): Axes => (rank === 4 ? axesOf.four : axesOf.three);

/** Rank of a product, from whichever of its values is known. */
function rankOf(view: GraphView, product: Node): number | undefined {
  const ranks = [product.outputs[0], ...product.inputs.slice(0, 2)].map(value => view.dims(value)?.length).filter(rank => rank !== undefined);
  return ranks.length ? Math.max(...ranks) : undefined;
}

/** Probabilities over positions whose scores come about in a way that is not understood: they can still be read. */
function onlySoftmax(node: Node, view: GraphView, after: ProbabilityChain): SitePlan | undefined {
  const rank = view.dims(node.inputs[0])?.length ?? rankOf(view, after.product);
  if (!isRank(rank) || !looksLikeAttention(view, node.inputs[0])) return undefined;
  return planOf({
    node, capture: 'softmax-only', q: undefined, k: undefined, v: undefined, out: undefined, scale: [], softcap: 0, masks: [],
    rule: { causal: false, offset: 'zero', window: null },
    softmax: { scores: node.inputs[0], probs: after.probs, layout: rank === 4 ? 'b h q k' : '(b h) q k' },
    nodes: [node, ...after.nodes], heads: rank === 4 ? view.dims(node.inputs[0])?.[1] : undefined,
  }, view);
}
