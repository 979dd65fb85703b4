/** A graph with its lookups: who makes a value, who reads it, what its shape is as far as the file says, and the numbers of small constants. */
import { fold, mostFolded, type Folded, type FoldContext } from './fold.ts';
import { dataType, type Constant, type Graph, type GraphView, type Model, type Node, type Tensor } from './model.ts';
import { inferDims, type Dims } from './shapes.ts';
import { readTensor } from './tensors.ts';

/** Chains of constant nodes longer than this are left unfolded: deeper ones come from no exporter. */
const deepest = 200;

/**
 * Views one graph of `model` (the main graph unless another is given). Nodes must be in an order that can run for shapes to be inferred.
 * `given`: inputs whose values are known.
 */
export function viewGraph(model: Model, graph: Graph = model.graph, given: ReadonlyMap<string, Constant> = new Map()): GraphView {
  // One record a value: a graph of a hundred thousand nodes has as many, and each map over them costs as much as all that is asked of it.
  const values = new Map<string, Known>();
  const of = (value: string): Known => {
    let known = values.get(value);
    if (!known) values.set(value, known = { producer: undefined, consumers: undefined, dims: undefined, numbers: undefined, asked: false });
    return known;
  };
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output) of(output).producer = node;
    const { inputs } = node;
    for (let i = 0; i < inputs.length; i++) {
      const known = of(inputs[i]), { consumers } = known;
      if (!consumers) known.consumers = [node]; else if (consumers[consumers.length - 1] !== node) consumers.push(node);
    }
  }
  for (const [name, constant] of given) { const known = of(name); known.numbers = { ...constant, known: true }; known.asked = true; }
  const fromTensor = (tensor: Tensor): Folded | undefined => {
    const data = readTensor(model, tensor, mostFolded);
    return data && { dims: tensor.dims, data, int: isInteger(tensor.type), known: true };
  };
  let depth = 0;
  const folded = (value: string): Folded | undefined => {
    const known = values.get(value), tensor = known?.asked ? undefined : graph.initializers.get(value);
    if (known?.asked) return known.numbers;
    if (tensor) { const own = of(value); own.numbers = fromTensor(tensor); own.asked = true; return own.numbers; }
    const node = known?.producer;
    if (!known || !node || node.outputs[0] !== value || depth >= deepest) return undefined;
    depth++;
    const result = fold(node, context);
    depth--;
    known.numbers = result;
    known.asked = true;
    return result;
  };
  const context: FoldContext = {
    folded, dims: value => values.get(value)?.dims, opset: model.opsets.get('') ?? 1,
    tensor: attribute => attribute.tensor && fromTensor(attribute.tensor),
  };
  for (const [name, tensor] of graph.initializers) of(name).dims = tensor.dims;
  for (const list of [graph.values.values(), graph.outputs, graph.inputs]) for (const value of list) {
    if (value.dims) of(value.name).dims = value.dims.map(dim => (typeof dim === 'number' && dim >= 0 ? dim : undefined));
  }
  for (const node of graph.nodes) {
    const { outputs } = node;
    let complete = true;
    for (let i = 0; i < outputs.length && complete; i++) { const dims = values.get(outputs[i])?.dims; complete = dims !== undefined && !dims.includes(undefined); }
    if (complete) continue;
    const inferred = inferDims(node, context);
    for (let i = 0; i < outputs.length; i++) {
      const ours = inferred[i];
      if (!outputs[i] || !ours) continue;
      const known = of(outputs[i]), { dims } = known;
      if (!dims) known.dims = ours; else if (dims.length === ours.length) known.dims = dims.map((dim, axis) => dim ?? ours[axis]);
    }
  }
  return {
    model, graph,
    producer: value => values.get(value)?.producer,
    consumers: value => values.get(value)?.consumers ?? nobody,
    constant: (value): Constant | undefined => { const own = folded(value); return own?.known ? own : undefined; },
    dims: value => values.get(value)?.dims,
    integers: value => folded(value)?.data.map(number => (Number.isNaN(number) ? undefined : number)),
  };
}

/** What is known of a value. `numbers` are only meaningful once they were asked for. */
interface Known { producer: Node | undefined; consumers: Node[] | undefined; dims: Dims | undefined; numbers: Folded | undefined; asked: boolean }
const nobody: readonly Node[] = [];

function isInteger(type: number): boolean {
  return type !== dataType.float && type !== dataType.double && type !== dataType.float16 && type !== dataType.bfloat16;
}
