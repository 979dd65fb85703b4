/** A view of a graph together with nodes that a plan adds to it: what a fused operator hides can then be followed like everything else. */
import type { Added } from '../onnx/graph-builder.ts';
import type { Attribute, Constant, GraphView, NewAttribute, NewNode, Node } from '../onnx/model.ts';
import { dataType } from '../onnx/model.ts';
import { numbersOf } from '../onnx/tensors.ts';
import { alsoLive } from './walk.ts';

/** Values of `added` beside those of the graph; consumers stay the graph's own. */
export function withAdded(view: GraphView, added: Added): GraphView {
  const made = new Map<string, Node>(), constants = new Map<string, Constant>(), live = new Set<string>();
  for (const { name, type, dims, data } of added.initializers) constants.set(name, { dims, data: numbersOf(data, type), int: type !== dataType.float && type !== dataType.float16 });
  for (const node of added.nodes) {
    const own = nodeOf(node);
    for (const output of own.outputs) made.set(output, own);
  }
  const both: GraphView = {
    ...view, producer: value => made.get(value) ?? view.producer(value), constant: value => constants.get(value) ?? view.constant(value),
    dims: value => added.dims.get(value) ?? constants.get(value)?.dims ?? view.dims(value), integers: value => constants.get(value)?.data ?? view.integers(value),
  };
  const isLive = alsoLive(both, view, live);
  // In an order that can run, or not: what is added is little.
  for (let more = true; more;) {
    more = false;
    for (const { inputs, outputs } of made.values()) if (!live.has(outputs[0]) && inputs.some(isLive)) { for (const output of outputs) live.add(output); more = true; }
  }
  return both;
}

function nodeOf({ op, domain, name, inputs, outputs, attributes }: NewNode): Node {
  return { op, domain: domain ?? '', name, inputs, outputs, metadata: new Map(), attributes: new Map(Object.entries(attributes ?? {}).map(([key, value]) => [key, attributeOf(key, value)])) };
}

function attributeOf(name: string, value: NewAttribute): Attribute {
  if (typeof value === 'number') return { name, i: value };
  if (typeof value === 'string') return { name, s: value };
  if (Array.isArray(value)) return { name, ints: value as readonly number[] };
  if ('float' in value) return { name, f: value.float };
  return 'floats' in value ? { name, floats: value.floats } : { name };
}
