/** A graph with its lookups: who makes a value, who reads it, what its shape is as far as the file says, and the numbers of small constants. */
import { fold, mostFolded, type Folded, type FoldContext } from './fold.ts';
import { dataType, type Constant, type Graph, type GraphView, type Model, type Node, type Tensor } from './model.ts';
import { inferDims, type Dims } from './shapes.ts';
import { readTensor } from './tensors.ts';

/** Chains of constant nodes longer than this are left unfolded: deeper ones come from no exporter. */
const deepest = 200;

/** Views one graph of `model` (the main graph unless another is given). Nodes must be in an order that can run for shapes to be inferred. */
export function viewGraph(model: Model, graph: Graph = model.graph): GraphView {
  const producers = new Map<string, Node>(), consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output) producers.set(output, node);
    for (const input of new Set(node.inputs)) {
      const list = consumers.get(input);
      if (list) list.push(node); else consumers.set(input, [node]);
    }
  }
  const shapes = new Map<string, Dims>(), numbers = new Map<string, Folded | undefined>();
  const fromTensor = (tensor: Tensor): Folded | undefined => {
    const data = readTensor(model, tensor, mostFolded);
    return data && { dims: tensor.dims, data, int: isInteger(tensor.type), known: true };
  };
  let depth = 0;
  const folded = (value: string): Folded | undefined => {
    if (numbers.has(value)) return numbers.get(value);
    const tensor = graph.initializers.get(value);
    if (tensor) { const own = fromTensor(tensor); numbers.set(value, own); return own; }
    const node = producers.get(value);
    if (!node || node.outputs[0] !== value || depth >= deepest) return undefined;
    depth++;
    const result = fold(node, context);
    depth--;
    numbers.set(value, result);
    return result;
  };
  const context: FoldContext = {
    folded, dims: value => shapes.get(value), opset: model.opsets.get('') ?? 1,
    tensor: attribute => attribute.tensor && fromTensor(attribute.tensor),
  };
  for (const [name, tensor] of graph.initializers) shapes.set(name, tensor.dims);
  for (const value of [...graph.values.values(), ...graph.outputs, ...graph.inputs]) {
    if (value.dims) shapes.set(value.name, value.dims.map(dim => (typeof dim === 'number' && dim >= 0 ? dim : undefined)));
  }
  for (const node of graph.nodes) {
    if (node.outputs.every(output => shapes.get(output)?.every(dim => dim !== undefined))) continue;
    const inferred = inferDims(node, context);
    node.outputs.forEach((output, i) => {
      const known = shapes.get(output), ours = inferred[i];
      if (output && ours && (!known || known.length === ours.length)) shapes.set(output, known ? known.map((dim, axis) => dim ?? ours[axis]) : ours);
    });
  }
  return {
    model, graph,
    producer: value => producers.get(value),
    consumers: value => consumers.get(value) ?? [],
    constant: (value): Constant | undefined => { const own = folded(value); return own?.known ? own : undefined; },
    dims: value => shapes.get(value),
    integers: value => folded(value)?.data.map(number => (Number.isNaN(number) ? undefined : number)),
  };
}

function isInteger(type: number): boolean {
  return type !== dataType.float && type !== dataType.double && type !== dataType.float16 && type !== dataType.bfloat16;
}
