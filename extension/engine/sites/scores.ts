/** From what a softmax reads back to the product of two activations, and from what it writes forward to the product with a third. */
import type { GraphView, Node } from '../onnx/model.ts';
import { halfStep } from './lowering/quantised.ts';
import { isIndicator, isMaskOnly } from './masks.ts';
import { scaling } from './operands.ts';
import { isProduct } from './products.ts';
import type { MaskTerm, ScaleFactor } from './site-plan.ts';
import { maximumTaken } from './softmaxes.ts';
import { activations, attributeFloat, isBoolean, passes, scalarConstant } from './walk.ts';

/** How scores come about: scale · q·kᵀ → softcap → masks. */
export interface ScoreChain {
  readonly product: Node;
  readonly scale: readonly ScaleFactor[];
  readonly softcap: number;
  /** A value [head, 1, 1] that multiplies the products before all else: a learned temperature of each head. */
  readonly perHead?: string;
  readonly masks: readonly MaskTerm[];
  /** Largest error of a score that is rounded to 8 bits on the way. */
  readonly error: number;
  readonly nodes: readonly Node[];
}

/** A score at or below this is as good as hidden (contract: additive masks ≤ −1e4). */
const hidden = -1e4;

/** Operators between a product and its softmax are a dozen; sums may fork, so what is tried is bounded as a whole. */
const mostSteps = 300;

/** Walks back from `value`; undefined where an operator on the way is not understood. */
export function scoreChain(view: GraphView, value: string, budget = { steps: 0 }): ScoreChain | undefined {
  const node = view.producer(value);
  if (!node || ++budget.steps > mostSteps || node.outputs[0] !== value) return undefined;
  if (isProduct(view, node)) {
    const alpha = node.op === 'FusedMatMul' ? attributeFloat(node, 'alpha', 1) : 1;
    return { product: node, scale: alpha === 1 ? [] : [{ constant: alpha, power: 1 }], softcap: 0, masks: [], error: 0, nodes: [node] };
  }
  if (node.domain !== '') return undefined;
  const on = (from: string): ScoreChain | undefined => {
    const rest = scoreChain(view, from, budget);
    return rest && { ...rest, nodes: [...rest.nodes, node] };
  };
  if (passes(node) || node.op === 'Reshape' || node.op === 'Unsqueeze' || node.op === 'Squeeze') return on(node.inputs[0]);
  switch (node.op) {
    case 'DequantizeLinear': return roundedScores(view, node, on);
    case 'Add': return added(view, node, on);
    case 'Sub': return subtracted(view, node, on);
    case 'Where': return chosen(view, node, on);
    case 'Clip': return hidesBelow(view, node) ? on(node.inputs[0]) : undefined;
    // A floor under the scores: torch.max(scores, finfo.min) of older decoders.
    case 'Max': {
      const floor = node.inputs.findIndex(input => (scalarConstant(view, input) ?? 0) <= hidden);
      return floor < 0 || node.inputs.length !== 2 ? undefined : on(node.inputs[1 - floor]);
    }
    case 'Mul': case 'Div': {
      const capped = softcap(view, node, on);
      if (capped) return capped;
      // s · keep − 10⁴ · (1 − keep), as GPT has it: the sum hides, the product only clears what is hidden.
      const cleared = node.op === 'Mul' ? node.inputs.findIndex(input => isIndicator(view, input, { steps: 0 })) : -1;
      if (cleared >= 0) return on(node.inputs[1 - cleared]);
      const temperature = node.op === 'Mul' ? perHead(view, node, on) : undefined;
      if (temperature) return temperature;
      const scaled = scaling(view, node, value);
      const rest = scaled && on(scaled.value);
      if (!scaled || !rest || rest.softcap) return undefined;
      // What was added before the scale is scaled as well; what only hides, hides all the same.
      const masks = rest.masks.map(mask => (mask.as !== 'add' || isMaskOnly(view, mask.value) ? mask : { ...mask, times: [...mask.times ?? [], scaled.factor] }));
      if (rest.error && !('constant' in scaled.factor)) return undefined;
      return { ...rest, masks, scale: [...rest.scale, scaled.factor], error: 'constant' in scaled.factor ? rest.error * Math.abs(scaled.factor.constant ** scaled.factor.power) : 0 };
    }
    default: return undefined;
  }
}

/** The product times a number for each head, as cosine attention has it. */
function perHead(view: GraphView, node: Node, on: (from: string) => ScoreChain | undefined): ScoreChain | undefined {
  const live = activations(view), at = node.inputs.findIndex(input => {
    const dims = view.dims(input), heads = dims?.at(-3);
    return !live.has(input) && dims !== undefined && heads !== undefined && heads > 1 && dims.every((dim, i) => dim === 1 || i === dims.length - 3);
  });
  const rest = at < 0 ? undefined : on(node.inputs[1 - at]);
  return rest && !rest.perHead && !rest.softcap && !rest.masks.length && !rest.error ? { ...rest, perHead: node.inputs[at] } : undefined;
}

/** Scores that are rounded and go on as floats. */
function roundedScores(view: GraphView, node: Node, on: (from: string) => ScoreChain | undefined): ScoreChain | undefined {
  const quantise = view.producer(node.inputs[0]), error = quantise?.op === 'QuantizeLinear' ? halfStep(view, quantise) : undefined, rest = error === undefined ? undefined : on(quantise!.inputs[0]);
  return rest && { ...rest, error: rest.error + error!, nodes: [...rest.nodes, quantise!] };
}

/** Nodes that are looked at for a product behind scores of unknown form. */
const farthest = 64;

/** Whether scores of a form that is not understood come from a product of two activations, or at least are as wide as they are high. */
export function looksLikeAttention(view: GraphView, scores: string): boolean {
  const dims = view.dims(scores), [rows, columns] = dims?.slice(-2) ?? [];
  if (dims && dims.length >= 3 && rows === columns && rows !== 1) return true;
  const seen = new Set<string>(), stack = [scores], live = activations(view);
  for (let name = stack.pop(); name !== undefined && seen.size < farthest; name = stack.pop()) {
    const node = seen.has(name) ? undefined : view.producer(name);
    seen.add(name);
    if (!node || node.op === 'Shape') continue;
    if (isProduct(view, node)) return rows !== 1;
    if (node.op !== 'MatMul' && node.op !== 'Gemm' && node.op !== 'Conv' && node.op !== 'MatMulNBits') stack.push(...node.inputs.filter(input => live.has(input)));
  }
  return false;
}

/** Scores plus a mask or a bias: the branch that leads to the product is the scores; where both do, the shorter way. */
function added(view: GraphView, node: Node, on: (from: string) => ScoreChain | undefined): ScoreChain | undefined {
  const [a, b] = node.inputs.map(input => (isMaskOnly(view, input) ? undefined : on(input)));
  if (!a && !b) return undefined;
  const first = a && (!b || a.nodes.length <= b.nodes.length) ? a : b!;
  return { ...first, masks: [...first.masks, term(view, node.inputs[first === a ? 1 : 0], 'add', rankBeside(view, node, first === a ? 0 : 1))] };
}

/** Scores less their maximum, which changes nothing; less a bias, or less a large number where a key is hidden. */
function subtracted(view: GraphView, node: Node, on: (from: string) => ScoreChain | undefined): ScoreChain | undefined {
  const [scores, less] = node.inputs;
  if (maximumTaken(view, node.outputs[0])) return on(scores);
  const rest = on(scores);
  return rest && { ...rest, masks: [...rest.masks, { ...term(view, less, 'add', rankBeside(view, node, 0)), times: [{ constant: -1, power: 1 }] }] };
}

/** A floor so low that it hides, and no ceiling that is not as far. */
function hidesBelow(view: GraphView, node: Node): boolean {
  const bound = (input: number, name: string): number | undefined => (node.inputs[input] ? scalarConstant(view, node.inputs[input]) : node.attributes.get(name)?.f);
  return (bound(1, 'min') ?? -Infinity) <= hidden && (bound(2, 'max') ?? Infinity) >= -hidden;
}

/** Where(keep, scores, −big) or Where(drop, −big, scores). */
function chosen(view: GraphView, node: Node, on: (from: string) => ScoreChain | undefined): ScoreChain | undefined {
  const [condition, yes, no] = node.inputs;
  for (const [scores, fill, as] of [[yes, no, 'keep'], [no, yes, 'drop']] as const) {
    const number = scalarConstant(view, fill) ?? view.constant(fill)?.data.reduce((a, b) => Math.max(a, b), -Infinity);
    if (number === undefined || number > hidden) continue;
    const rest = on(scores);
    return rest && { ...rest, masks: [...rest.masks, term(view, condition, as, rankBeside(view, node, as === 'keep' ? 1 : 2))] };
  }
  return undefined;
}

/** A mask of five axes beside scores that were taken apart into windows, [batch, window, head, query, key]; a mask of three axes beside scores of [(b h), q, k] merges batch and heads, unless its first axis is one. */
function term(view: GraphView, value: string, as: MaskTerm['as'], rank: number | undefined): MaskTerm {
  const own = view.dims(value);
  if (rank === 5 && own?.length === 5) return { value, as, windows: true };
  return rank === 3 && (!own || (own.length === 3 && own[0] !== 1)) ? { value, as, merged: true } : { value, as };
}

/** Rank of the scores that a mask meets. */
function rankBeside(view: GraphView, node: Node, scores: number): number | undefined {
  return view.dims(node.inputs[scores])?.length ?? view.dims(node.outputs[0])?.length;
}

/** cap · tanh(x / cap); where the two caps differ, their ratio is a scale. */
function softcap(view: GraphView, node: Node, on: (from: string) => ScoreChain | undefined): ScoreChain | undefined {
  if (node.op !== 'Mul') return undefined;
  const at = node.inputs.findIndex(input => view.producer(input)?.op === 'Tanh'), cap = scalarConstant(view, node.inputs[1 - at] ?? '');
  if (at < 0 || cap === undefined) return undefined;
  const tanh = view.producer(node.inputs[at])!, inner = view.producer(tanh.inputs[0]);
  // An optimiser may have moved the division into the product: then nothing lies between, and the cap itself is the scale.
  const divided = inner && scaling(view, inner, tanh.inputs[0]);
  if (divided && !('constant' in divided.factor)) return undefined;
  const shrink = divided && 'constant' in divided.factor ? divided.factor.constant ** divided.factor.power : 1, ratio = shrink * cap;
  const rest = on(divided?.value ?? tanh.inputs[0]);
  if (!rest || rest.softcap || rest.masks.length) return undefined;
  const scale = Math.abs(ratio - 1) < 1e-6 ? rest.scale : [...rest.scale, { constant: ratio, power: 1 as const }];
  return { ...rest, scale, softcap: cap, nodes: [...rest.nodes, tanh, ...(divided && inner ? [inner] : [])] };
}

/** Puts zeros where a row sees nothing, or where a key is hidden: Where(isnan, 0, p), Where(drop, 0, p), Where(keep, p, 0), p · keep. */
function isGuard(view: GraphView, node: Node, value: string): boolean {
  if (node.domain !== '') return false;
  const other = node.inputs[node.inputs.lastIndexOf(value) === 2 ? 1 : 2];
  if (node.op === 'Where') return node.inputs[0] !== value && isBoolean(view, node.inputs[0]) && scalarConstant(view, other) === 0;
  return node.op === 'Mul' && isIndicator(view, node.inputs[node.inputs[0] === value ? 1 : 0], { steps: 0 });
}

/** What lies between the softmax and its use. */
export interface ProbabilityChain { readonly product: Node; /** Probabilities behind the guard for rows of NaN. */ readonly probs: string; /** Largest error of a probability that is rounded before the product. */ readonly error: number; readonly nodes: readonly Node[] }

/** Walks forward from the probabilities to their product with the values. */
export function probabilityChain(view: GraphView, value: string, probs = value, depth = 0): ProbabilityChain | undefined {
  if (depth > 12) return undefined;
  for (const node of view.consumers(value)) {
    if (isProduct(view, node) && (node.inputs[0] === value || node.op === 'Einsum')) return { product: node, probs, error: 0, nodes: [node] };
    const guarded = isGuard(view, node, value);
    const next = guarded ? probabilityChain(view, node.outputs[0], node.outputs[0], depth + 1)
      : (passes(node) || (node.domain === '' && (node.op === 'Reshape' || node.op === 'Unsqueeze' || node.op === 'Squeeze') && node.inputs[0] === value))
        ? probabilityChain(view, node.outputs[0], probs, depth + 1) : undefined;
    if (next) return { ...next, nodes: [node, ...next.nodes] };
    const rounded = roundedProbabilities(view, node, value, probs, depth);
    if (rounded) return rounded;
  }
  return undefined;
}

/** Through QuantizeLinear or DynamicQuantizeLinear, whose steps of numbers up to 1 are 1 / 255 at most, and back. */
function roundedProbabilities(view: GraphView, node: Node, value: string, probs: string, depth: number): ProbabilityChain | undefined {
  if (node.inputs[0] !== value || (node.op !== 'QuantizeLinear' && node.op !== 'DynamicQuantizeLinear')) return undefined;
  const error = node.op === 'QuantizeLinear' ? halfStep(view, node) : 1 / 510, back = view.consumers(node.outputs[0]).find(each => each.op === 'DequantizeLinear');
  const next = back && error !== undefined ? probabilityChain(view, back.outputs[0], probs, depth + 1) : undefined;
  return next && { ...next, error: next.error + error!, nodes: [node, back!, ...next.nodes] };
}
