/** Softmaxes over keys, as an operator or written out, with or without a column in the denominator that is no key. */
import type { GraphView, Node } from '../onnx/model.ts';
import { attributeInt, isScalar, passes, scalarConstant } from './walk.ts';

export interface SoftmaxAt {
  /** What goes in, [.., query, key], without columns that are no keys. */
  readonly scores: string;
  /** What comes out for the same keys. */
  readonly probs: string;
  /** A logit in the denominator only: a value with a number a head, or one number for all. */
  readonly sink?: { readonly value: string } | { readonly constant: number };
  readonly nodes: readonly Node[];
}

/** The softmax that ends at `node`; undefined where there is none. */
export function softmaxAt(view: GraphView, node: Node): SoftmaxAt | undefined {
  const plain = operator(view, node) ?? written(view, node);
  return plain && !plain.sink ? withoutColumn(view, plain) ?? plain : plain;
}

function operator(view: GraphView, node: Node): SoftmaxAt | undefined {
  if (node.domain !== '') return undefined;
  const [scores] = node.inputs, [probs] = node.outputs;
  if (node.op === 'Softmax') return overLastAxis(node, view) ? { scores, probs, nodes: [node] } : undefined;
  const log = node.op === 'Exp' ? view.producer(scores) : undefined;
  return log?.op === 'LogSoftmax' && overLastAxis(log, view) ? { scores: log.inputs[0], probs, nodes: [log, node] } : undefined;
}

/** Before opset 13 the default axis is 1, and everything behind it is one row. */
function overLastAxis(node: Node, view: GraphView): boolean {
  const axis = attributeInt(node, 'axis', (view.model.opsets.get('') ?? 13) >= 13 ? -1 : 1), rank = view.dims(node.inputs[0])?.length;
  return axis === -1 || (rank !== undefined && axis === rank - 1) || (rank === undefined && axis === 3);
}

/** e / Σ e, or e · 1 / Σ e, with e = exp(x − max x) or exp(x). */
function written(view: GraphView, node: Node): SoftmaxAt | undefined {
  if (node.domain !== '' || (node.op !== 'Div' && node.op !== 'Mul')) return undefined;
  for (const [weights, other] of node.op === 'Div' ? [node.inputs] : [node.inputs, [...node.inputs].reverse()]) {
    const inverse = node.op === 'Mul' ? view.producer(other) : undefined;
    const total = node.op === 'Div' ? other : inverse?.op === 'Reciprocal' ? inverse.inputs[0] : undefined, exp = view.producer(weights);
    if (total === undefined || exp?.op !== 'Exp') continue;
    const sum = totalOf(view, total, weights);
    if (!sum) continue;
    const shift = maximumTaken(view, exp.inputs[0]), sink = sinkOf(view, sum.more, shift?.most);
    if (sink === 'unknown') continue;
    return { scores: shift?.value ?? exp.inputs[0], probs: node.outputs[0], nodes: [...(shift ? [shift.node] : []), exp, ...sum.nodes, node], ...(sink ? { sink } : {}) };
  }
  return undefined;
}

/** Σ of `weights` over the last axis, and what is added to it. */
function totalOf(view: GraphView, value: string, weights: string): { readonly more: string | undefined; readonly nodes: readonly Node[] } | undefined {
  const node = view.producer(value);
  if (!node || node.domain !== '') return undefined;
  if (node.op === 'ReduceSum') return node.inputs[0] === weights && reducesLast(view, node) ? { more: undefined, nodes: [node] } : undefined;
  if (passes(node) || node.op === 'Clip') return totalOf(view, node.inputs[0], weights);
  if (node.op !== 'Add' && node.op !== 'Max') return undefined;
  const at = node.inputs.findIndex(input => totalOf(view, input, weights)), inner = at < 0 ? undefined : totalOf(view, node.inputs[at], weights);
  if (!inner || inner.more !== undefined) return undefined;
  const constant = scalarConstant(view, node.inputs[1 - at]);
  // A number that only keeps from dividing by zero.
  const guard = constant !== undefined && constant < 1e-4;
  return node.op === 'Max' && !guard ? undefined : { more: guard ? undefined : node.inputs[1 - at], nodes: [...inner.nodes, node] };
}

/** What is added to the denominator as a logit: e⁰ beside plain exponentials, e^(−max) or e^(z − max) beside shifted ones. */
function sinkOf(view: GraphView, more: string | undefined, most: string | undefined): SoftmaxAt['sink'] | 'unknown' {
  if (more === undefined) return undefined;
  const constant = scalarConstant(view, more);
  if (constant !== undefined) return most === undefined && constant > 0 ? { constant: Math.log(constant) } : 'unknown';
  const exp = view.producer(more), inside = exp?.op === 'Exp' ? view.producer(exp.inputs[0]) : undefined;
  if (!exp || exp.op !== 'Exp') return 'unknown';
  if (most === undefined) { const value = perHead(view, exp.inputs[0]); return value === undefined ? 'unknown' : { value }; }
  if (inside?.op === 'Neg' && inside.inputs[0] === most) return { constant: 0 };
  if (inside?.op !== 'Sub' || inside.inputs[1] !== most) return 'unknown';
  const logit = scalarConstant(view, inside.inputs[0]), value = perHead(view, inside.inputs[0]);
  return logit !== undefined ? { constant: logit } : value === undefined ? 'unknown' : { value };
}

/** x of x − max x over the last axis, which no softmax sees. */
export function maximumTaken(view: GraphView, value: string): { readonly value: string; readonly most: string; readonly node: Node } | undefined {
  const node = view.producer(value);
  if (node?.op !== 'Sub' || node.domain !== '') return undefined;
  let most = view.producer(node.inputs[1]);
  while (most && passes(most)) most = view.producer(most.inputs[0]);
  // A maximum that is at least 0 keeps e^(−max) from growing; it shifts all the same.
  if (most && (most.op === 'Relu' || most.op === 'Max' || most.op === 'Clip')) most = view.producer(most.inputs[0]);
  return most?.op === 'ReduceMax' && most.inputs[0] === node.inputs[0] && reducesLast(view, most) ? { value: node.inputs[0], most: node.inputs[1], node } : undefined;
}

function reducesLast(view: GraphView, node: Node): boolean {
  const axes = node.attributes.get('axes')?.ints ?? view.integers(node.inputs[1] ?? ''), rank = view.dims(node.inputs[0])?.length;
  return attributeInt(node, 'keepdims', 1) === 1 && axes?.length === 1 && (axes[0] === -1 || (rank !== undefined && axes[0] === rank - 1));
}

/** Scores with a column that is no key, joined before and cut off behind the softmax. */
function withoutColumn(view: GraphView, { scores, probs, nodes }: SoftmaxAt): SoftmaxAt | undefined {
  const shift = maximumTaken(view, scores);
  let joined = view.producer(shift?.value ?? scores);
  while (joined && passes(joined)) joined = view.producer(joined.inputs[0]);
  const column = joined && (joinedColumn(view, joined) ?? paddedColumn(view, joined)), cut = column && cutOff(view, probs, column.first);
  if (!joined || !column || !cut) return undefined;
  return { scores: column.scores, probs: cut.outputs[0], sink: column.sink, nodes: [joined, ...(shift ? [shift.node] : []), ...nodes, cut] };
}

interface Column { readonly scores: string; readonly sink: NonNullable<SoftmaxAt['sink']>; /** The column comes before the keys. */ readonly first: boolean }

function joinedColumn(view: GraphView, node: Node): Column | undefined {
  if (node.op !== 'Concat' || node.inputs.length !== 2) return undefined;
  const rank = node.inputs.map(input => view.dims(input)?.length).find(length => length !== undefined), axis = attributeInt(node, 'axis', 0);
  if (axis !== -1 && axis !== (rank ?? NaN) - 1) return undefined;
  for (const at of [1, 0]) {
    const number = scalarConstant(view, node.inputs[at]), value = number === undefined && view.dims(node.inputs[at])?.at(-1) === 1 ? perHead(view, node.inputs[at]) : undefined;
    if (number !== undefined || value !== undefined) return { scores: node.inputs[1 - at], sink: value === undefined ? { constant: number! } : { value }, first: at === 0 };
  }
  return undefined;
}

/** One zero beside the scores. */
function paddedColumn(view: GraphView, node: Node): Column | undefined {
  const pads = node.op === 'Pad' ? node.attributes.get('pads')?.ints ?? view.integers(node.inputs[1] ?? '') : undefined, rank = (pads?.length ?? 0) / 2;
  if (!pads || pads.reduce<number>((sum, pad) => sum + Math.abs(pad ?? NaN), 0) !== 1 || (node.attributes.get('mode')?.s ?? 'constant') !== 'constant') return undefined;
  const fill = node.inputs[2] ? scalarConstant(view, node.inputs[2]) : node.attributes.get('value')?.f ?? 0, first = pads[rank - 1] === 1;
  return fill === undefined || !(first || pads[2 * rank - 1] === 1) ? undefined : { scores: node.inputs[0], sink: { constant: fill }, first };
}

/** The Slice that leaves the column away. */
function cutOff(view: GraphView, probs: string, first: boolean): Node | undefined {
  let at = probs;
  for (let steps = 0; steps < 6; steps++) {
    const readers = view.consumers(at), slice = readers.find(node => node.op === 'Slice' && node.inputs[0] === at && cuts(view, node, first));
    if (slice) return slice;
    const next = readers.find(passes);
    if (!next) return undefined;
    at = next.outputs[0];
  }
  return undefined;
}

function cuts(view: GraphView, node: Node, first: boolean): boolean {
  const ints = (input: number, name: string): readonly (number | undefined)[] | undefined => node.attributes.get(name)?.ints ?? view.integers(node.inputs[input] ?? '');
  const rank = view.dims(node.inputs[0])?.length, axes = ints(3, 'axes'), start = ints(1, 'starts'), end = ints(2, 'ends');
  const last = axes?.length === 1 && (axes[0] === -1 || axes[0] === (rank ?? 4) - 1);
  if (!last || start?.length !== 1) return false;
  return first ? start[0] === 1 : start[0] === 0 && (end?.[0] === undefined || end[0] === -1 || end[0] === (view.dims(node.inputs[0])?.at(-1) ?? NaN) - 1);
}

/** A parameter with one number a head before it was repeated for samples and queries. */
function perHead(view: GraphView, value: string): string | undefined {
  let at = value;
  for (let steps = 0; steps < 12; steps++) {
    if (view.graph.initializers.has(at) || (view.constant(at) && !view.producer(at))) return at;
    const node = view.producer(at);
    if (!node) return undefined;
    if (node.op === 'Constant') return at;
    if (node.op !== 'Expand' && node.op !== 'Reshape' && node.op !== 'Unsqueeze' && node.op !== 'Tile' && !passes(node) && !(node.op === 'Slice' && isScalar(view, at))) return undefined;
    at = node.inputs[0];
  }
  return undefined;
}
