/** Small questions that every pattern asks of a graph. */
import { dataType, type GraphView, type Node } from '../onnx/model.ts';

interface Live { readonly any: ReadonlySet<string>; readonly values: ReadonlySet<string> }
const views = new WeakMap<GraphView, Live>();

function liveOf(view: GraphView): Live {
  const known = views.get(view);
  if (known) return known;
  const any = new Set<string>(), values = new Set<string>();
  for (const input of view.graph.inputs) if (!view.graph.initializers.has(input.name)) { any.add(input.name); values.add(input.name); }
  for (const node of view.graph.nodes) {
    if (node.inputs.some(input => any.has(input))) for (const output of node.outputs) if (output) any.add(output);
    if (node.op !== 'Shape' && node.op !== 'Size' && node.inputs.some(input => values.has(input))) for (const output of node.outputs) if (output) values.add(output);
  }
  const live = { any, values };
  views.set(view, live);
  return live;
}

/** Values that depend on what the model is given, so: activations, not weights (nor what is made of weights alone). */
export function activations(view: GraphView): ReadonlySet<string> { return liveOf(view).any; }

/** Tells that `view` has the activations of `base` and those of `more`, which may grow; gives the question itself. */
export function alsoLive(view: GraphView, base: GraphView, more: ReadonlySet<string>): (value: string) => boolean {
  const { any, values } = liveOf(base);
  class Joined extends Set<string> { override has(value: string): boolean { return more.has(value) || any.has(value); } }
  const joined = new Joined();
  views.set(view, { any: joined, values });
  return value => joined.has(value);
}

/** Values that depend on more of the inputs than their sizes: not a learned query that is only repeated for every sample. */
export function dataDependent(view: GraphView): ReadonlySet<string> { return liveOf(view).values; }

/** The value that a chain of operators with one activation (besides sizes) started from: before layout, convolution, pooling, normalisation that is one operator. */
export function chainStart(view: GraphView, value: string): string {
  const { values } = liveOf(view);
  let at = value;
  for (let steps = 0; steps < 64; steps++) {
    const inputs = new Set(view.producer(at)?.inputs.filter(input => values.has(input)));
    if (inputs.size !== 1) break;
    [at] = inputs;
  }
  return at;
}

/** The one number of a value whose shape is all ones. */
export function scalarConstant(view: GraphView, value: string): number | undefined {
  const constant = view.constant(value);
  return constant?.data.length === 1 ? constant.data[0] : undefined;
}

/** Whether a value holds a single number, known or not. */
export function isScalar(view: GraphView, value: string): boolean {
  return view.dims(value)?.every(dim => dim === 1) ?? false;
}

/** Operators that hand their first input on unchanged in shape and, but for precision, in value. */
export function passes(node: Node): boolean {
  return node.domain === '' && (node.op === 'Identity' || node.op === 'Cast' || node.op === 'CastLike' || node.op === 'Dropout');
}

export function attributeInt(node: Node, name: string, otherwise: number): number { return node.attributes.get(name)?.i ?? otherwise; }
export function attributeFloat(node: Node, name: string, otherwise: number): number { return node.attributes.get(name)?.f ?? otherwise; }

const booleans = new Set(['And', 'Or', 'Not', 'Xor', 'Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual', 'IsNaN', 'IsInf']);
const keepsType = new Set(['Identity', 'Reshape', 'Unsqueeze', 'Squeeze', 'Expand', 'Tile', 'Slice', 'Transpose', 'Gather', 'GatherND', 'GatherElements', 'ScatterND', 'Concat', 'Flatten', 'Trilu', 'Pad', 'Split']);

/** Whether a value holds booleans: from declared types, or the operators that made it. */
export function isBoolean(view: GraphView, value: string): boolean {
  const declared = view.graph.values.get(value) ?? view.graph.inputs.find(input => input.name === value);
  if (declared?.type !== undefined) return declared.type === dataType.bool;
  const tensor = view.graph.initializers.get(value);
  if (tensor) return tensor.type === dataType.bool;
  let at = value;
  for (let steps = 0; steps < 64; steps++) {
    const node = view.producer(at);
    if (!node) return view.graph.inputs.find(input => input.name === at)?.type === dataType.bool || view.graph.initializers.get(at)?.type === dataType.bool;
    if (booleans.has(node.op)) return true;
    if (node.op === 'Cast') return attributeInt(node, 'to', 0) === dataType.bool;
    if (node.op === 'ConstantOfShape' || node.op === 'Constant') return node.attributes.get('value')?.tensor?.type === dataType.bool;
    if (node.op === 'Where') at = node.inputs[1];
    else if (keepsType.has(node.op)) at = node.inputs[0];
    else return false;
  }
  return false;
}
