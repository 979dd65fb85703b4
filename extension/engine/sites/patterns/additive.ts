/** Additive (Bahdanau) attention: v · tanh(W₁q + W₂k), a softmax over the keys, and the sum of values that it weighs. */
import type { GraphView, Node } from '../../onnx/model.ts';
import { planOf } from '../draft.ts';
import { isMaskOnly } from '../masks.ts';
import type { Pattern, SitePlan } from '../site-plan.ts';
import { activations, attributeInt, chainStart, passes } from '../walk.ts';

export const additive: Pattern = {
  id: 'additive',
  title: 'Additive (Bahdanau) attention',
  operators: [],
  match(node, view) {
    if (node.op !== 'Softmax' || node.domain !== '' || !weighs(view, node.outputs[0])) return undefined;
    const sum = tanhOf(view, node.inputs[0], 0), layout = sum && layoutOf(view, node);
    if (!sum || !layout) return undefined;
    const { site, ...plan } = planOf({
      node, capture: 'softmax-only', q: undefined, k: undefined, v: undefined, out: undefined, scale: [], softcap: 0, masks: [], rule: { causal: false, offset: 'zero', window: null },
      softmax: { scores: node.inputs[0], probs: node.outputs[0], layout }, nodes: [node, sum], heads: 1,
      why: 'Its scores are additive: a small network of the sum of query and key, no product of both.',
    }, view);
    const [a, b] = sum.inputs.map(input => chainStart(view, input));
    return { ...plan, site: { ...site, kind: a === b ? 'self' : 'cross' } };
  },
};

/** Nodes between the sum and the softmax. */
const farthest = 10;

/** The sum of two activations inside the tanh that the scores are a projection of. One alone, without a query, is pooling. */
function tanhOf(view: GraphView, value: string, steps: number): Node | undefined {
  const node = view.producer(value), live = activations(view);
  if (!node || node.domain !== '' || steps > farthest) return undefined;
  const on = (input: string): Node | undefined => tanhOf(view, input, steps + 1), [first, second] = node.inputs;
  if (node.op === 'Tanh') return sumOf(view, first);
  if (node.op === 'ReduceSum' || reshapes.has(node.op) || passes(node)) return on(first);
  // A projection to one number, its bias, its scale; a mask.
  if (node.op === 'MatMul' || node.op === 'Gemm' || node.op === 'Conv') return live.has(second) ? undefined : on(first);
  if (node.op === 'Where') return node.inputs.slice(1).map(on).find(found => found);
  if (node.op === 'Add' || node.op === 'Sub' || node.op === 'Mul' || node.op === 'Div') {
    const inputs = node.inputs.filter(input => live.has(input) && !isMaskOnly(view, input));
    return inputs.length === 1 ? on(inputs[0]) : undefined;
  }
  return undefined;
}

const reshapes = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Transpose', 'Flatten']);

function sumOf(view: GraphView, value: string): Node | undefined {
  const live = activations(view);
  let node = view.producer(value);
  for (let steps = 0; node && steps < 4; steps++) {
    const inputs = node.inputs.filter(input => live.has(input));
    if (node.op === 'Add' && inputs.length === 2 && inputs[0] !== inputs[1]) return node;
    if (inputs.length < 1 || (node.op !== 'Add' && !reshapes.has(node.op) && !passes(node))) return undefined;
    node = view.producer(inputs[0]);
  }
  return undefined;
}

/** Whether probabilities weigh values: in a product, or times the values and summed. */
function weighs(view: GraphView, probs: string, steps = 0): boolean {
  const live = activations(view);
  return steps < 6 && view.consumers(probs).some(node => {
    const other = node.inputs.find(input => input !== probs);
    if (node.op === 'MatMul' || node.op === 'Einsum') return other !== undefined && live.has(other);
    if (node.op === 'Mul') return other !== undefined && live.has(other) && view.consumers(node.outputs[0]).some(reader => reader.op === 'ReduceSum' || reader.op === 'ReduceMean');
    return (reshapes.has(node.op) || passes(node)) && weighs(view, node.outputs[0], steps + 1);
  });
}

/** Keys lie on the axis of the softmax; what is behind it is one. Where the shape is not known, scores of one number each are [batch, key, 1]. */
function layoutOf(view: GraphView, node: Node): NonNullable<SitePlan['softmax']>['layout'] | undefined {
  const dims = view.dims(node.inputs[0]), axis = attributeInt(node, 'axis', (view.model.opsets.get('') ?? 13) >= 13 ? -1 : 1), rank = dims?.length ?? (axis === 1 ? 3 : undefined);
  if (rank === 2 && (axis === 1 || axis === -1)) return 'b k';
  if (rank !== 3) return undefined;
  return axis === 1 && (dims?.[2] ?? 1) === 1 ? 'b k q' : axis === 2 || axis === -1 ? 'b q k' : undefined;
}
