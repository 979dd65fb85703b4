/** Which type a value's elements have: declared, or carried along from where it is. */
import { dataType, type GraphView } from '../onnx/model.ts';

const known = new WeakMap<GraphView, Map<string, number | undefined>>();
/** Longer chains without a declared type, a cast or a weight come from no exporter. */
const farthest = 200;

/** TensorProto.DataType; undefined where the graph does not say. */
export function elementType(view: GraphView, value: string): number | undefined {
  let types = known.get(view);
  if (!types) known.set(view, types = new Map([...view.graph.inputs, ...view.graph.outputs].flatMap(({ name, type }) => (type === undefined ? [] : [[name, type] as const]))));
  const way: string[] = [];
  let at = value, found: number | undefined;
  for (let steps = 0; steps < farthest && at; steps++) {
    found = types.get(at);
    if (types.has(at)) break;
    way.push(at);
    const node = view.producer(at);
    found = view.graph.initializers.get(at)?.type ?? view.graph.values.get(at)?.type
      ?? (node?.op === 'Cast' ? node.attributes.get('to')?.i : node?.op === 'Constant' || node?.op === 'ConstantOfShape' ? node.attributes.get('value')?.tensor?.type ?? dataType.float : ofItsOwn.get(node?.op ?? ''));
    if (found !== undefined || !node) break;
    at = node.inputs[asInput.get(node.op) ?? 0];
  }
  for (const each of way) types.set(each, found);
  return found;
}

/** Operators whose output has the type of another input than the first. */
const asInput = new Map([['CastLike', 1], ['Where', 1], ['DequantizeLinear', 1]]);
/** Operators with an output type of their own. */
const ofItsOwn = new Map<string, number>([['Shape', dataType.int64], ['Size', dataType.int64], ['MatMulInteger', dataType.int32], ['ConvInteger', dataType.int32], ['ArgMax', dataType.int64]]);
