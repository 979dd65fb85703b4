/** Products and softmaxes of 8-bit numbers as the float products that they stand for: between DequantizeLinear and QuantizeLinear. */
import type { Added } from '../../onnx/graph-builder.ts';
import type { Attribute, GraphView, Node } from '../../onnx/model.ts';
import type { Dims } from '../../onnx/shapes.ts';

/** What an integer operator is read as, and the shapes of the values in between. */
interface Reading { readonly nodes: readonly Node[]; readonly dims: ReadonlyMap<string, Dims | undefined> }

const virtual = new WeakMap<GraphView, ReadonlyMap<string, Node>>();

/** `view` itself where nothing in it is an integer product; otherwise one whose nodes are floats where the graph's are integers. */
export function lowered(view: GraphView): GraphView {
  if (!view.graph.nodes.some(node => Object.hasOwn(readings, node.op) || node.op === 'MatMulInteger')) return view;
  const made = new Map<string, Node>(), dims = new Map<string, Dims | undefined>(), nodes: Node[] = [], readers = new Map<string, Node[]>();
  for (const node of view.graph.nodes) {
    const reading = node.op === 'Mul' ? integerProduct(view, node) : Object.hasOwn(readings, node.op) ? readings[node.op](view, node) : undefined;
    if (!reading) { nodes.push(node); continue; }
    for (const each of reading.nodes) {
      if (made.has(each.outputs[0])) continue;
      nodes.push(each);
      made.set(each.outputs[0], each);
      for (const input of new Set(each.inputs)) { const list = readers.get(input); if (list) list.push(each); else readers.set(input, [each]); }
    }
    for (const [name, shape] of reading.dims) dims.set(name, shape);
  }
  const lower: GraphView = {
    ...view, graph: { ...view.graph, nodes },
    producer: value => made.get(value) ?? view.producer(value),
    consumers: value => { const more = readers.get(value); return more ? [...more, ...view.consumers(value)] : view.consumers(value); },
    dims: value => dims.get(value) ?? view.dims(value),
  };
  virtual.set(lower, made);
  return lower;
}

/** The nodes that a plan must add so that these values are there; undefined where all of them are the graph's own. */
export function addedFor(view: GraphView, values: readonly string[]): Added | undefined {
  const made = virtual.get(view), nodes = new Map<string, Node>();
  const add = (value: string): void => {
    const node = made?.get(value);
    if (!node || nodes.has(value) || !value.startsWith(prefix)) return;
    node.inputs.forEach(add);
    nodes.set(value, node);
  };
  values.forEach(add);
  if (!nodes.size) return undefined;
  return { nodes: [...nodes.values()].map(({ name, op, inputs, outputs }) => ({ name, op, inputs, outputs })), initializers: [], dims: new Map([...nodes.keys()].flatMap(value => { const shape = view.dims(value); return shape ? [[value, shape] as const] : []; })) };
}

/** What the graph has of a result before it was rounded: the rounded one. Other values are themselves. */
export function rounding(view: GraphView, value: string): { readonly value: string; readonly error: number | undefined } {
  if (!value.startsWith(prefix) || !value.endsWith(exact)) return { value, error: 0 };
  const quantise = view.consumers(value).find(node => node.op === 'QuantizeLinear');
  return { value: value.slice(0, -exact.length), error: quantise && halfStep(view, quantise) };
}

/** Half of what one step of a QuantizeLinear is worth; undefined where only a run shows it. */
export function halfStep(view: GraphView, { inputs: [, scale] }: Node): number | undefined {
  const constant = view.constant(scale);
  return constant?.data.length === 1 ? Math.abs(constant.data[0]) / 2 : undefined;
}

const prefix = 'attnscope.float.', exact = '.exact';

function make(like: Node, op: string, inputs: readonly string[], output: string, attributes?: ReadonlyMap<string, Attribute>): Node {
  // Named as the operator that it is read from, where its place in the model is told by the name.
  return { name: op === 'DequantizeLinear' || op === 'QuantizeLinear' ? output : like.name, op, domain: '', inputs, outputs: [output], attributes: attributes ?? new Map(), metadata: like.metadata };
}

/** The float that an integer value stands for. */
function dequantised(like: Node, value: string, scale: string, zero: string): Node {
  return make(like, 'DequantizeLinear', [value, scale, ...(zero ? [zero] : [])], `${prefix}${value}`);
}

/** MatMulInteger → Cast → times the product of both scales: a float product of what DynamicQuantizeLinear rounded. */
function integerProduct(view: GraphView, node: Node): Reading | undefined {
  for (const [cast, scales] of [node.inputs, [...node.inputs].reverse()]) {
    const casting = view.producer(cast), product = casting?.op === 'Cast' ? view.producer(casting.inputs[0]) : undefined, times = view.producer(scales);
    if (product?.op !== 'MatMulInteger' || times?.op !== 'Mul') continue;
    const [a, b, aZero = '', bZero = ''] = product.inputs, scaleOf = (value: string): string | undefined => { const made = view.producer(value); return made?.op === 'DynamicQuantizeLinear' ? made.outputs[1] : undefined; };
    const aScale = scaleOf(a), bScale = scaleOf(b);
    if (!aScale || !bScale || !times.inputs.includes(aScale) || !times.inputs.includes(bScale)) continue;
    const left = dequantised(node, a, aScale, aZero), right = dequantised(node, b, bScale, bZero), shape = view.dims(node.outputs[0]) ?? view.dims(product.outputs[0]);
    return { nodes: [left, right, make(product, 'MatMul', [left.outputs[0], right.outputs[0]], node.outputs[0])], dims: new Map([[left.outputs[0], view.dims(a)], [right.outputs[0], view.dims(b)], [node.outputs[0], shape]]) };
  }
  return undefined;
}

/** A float operator on operands (value, scale, zero point) whose result is rounded again. */
function rounded(view: GraphView, node: Node, op: string, operands: readonly number[], scaleAt: number, attributes?: ReadonlyMap<string, Attribute>): Reading | undefined {
  const inputs = operands.map(at => dequantised(node, node.inputs[at], node.inputs[at + 1], node.inputs[at + 2] ?? '')), [output] = node.outputs;
  const result = make(node, op, inputs.map(each => each.outputs[0]), `${prefix}${output}${exact}`, attributes), zero = node.inputs[scaleAt + 1];
  const shape = op === 'MatMul' ? product(view.dims(node.inputs[operands[0]]), view.dims(node.inputs[operands[1]])) : view.dims(node.inputs[operands[0]]);
  const dims = new Map([...inputs.map((each, i) => [each.outputs[0], view.dims(node.inputs[operands[i]])] as const), [result.outputs[0], shape] as const, [output, view.dims(output) ?? shape] as const]);
  const back = dequantised(node, output, node.inputs[scaleAt], zero ?? '');
  dims.set(back.outputs[0], shape);
  return { nodes: [...inputs, result, make(node, 'QuantizeLinear', [result.outputs[0], node.inputs[scaleAt], ...(zero ? [zero] : [])], output), back], dims };
}

function product(a: Dims | undefined, b: Dims | undefined): Dims | undefined { return a && b && a.length > 1 && b.length > 1 ? [...(a.length >= b.length ? a : b).slice(0, -2), a.at(-2), b.at(-1)] : undefined; }

/** Operators whose operands and result are integers with a scale and a zero point. */
const readings: Readonly<Record<string, (view: GraphView, node: Node) => Reading | undefined>> = {
  QLinearMatMul: (view, node) => rounded(view, node, 'MatMul', [0, 3], 6),
  QLinearAdd: (view, node) => rounded(view, node, 'Add', [0, 3], 6),
  QLinearMul: (view, node) => rounded(view, node, 'Mul', [0, 3], 6),
  QLinearSoftmax: (view, node) => rounded(view, node, 'Softmax', [0], 3, node.attributes),
};
