/** Skeletons: a model's graph in memory, with edits, whose big tensors stay in the original files as external data. */
import { UserError } from '../../contract/errors.ts';
import { Pieces, encodeNode, encodeTensor, encodeValueInfo } from './encode.ts';
import type { Attribute, Edits, Field, Graph, Model, Node } from './model.ts';
import { hasHole, ownLocation, placedTensor, tensorOfConstant, type Placing } from './placed-tensor.ts';

/**
 * ModelProto bytes of `model` with `edits` applied, to be loaded with external data taken from `model.dataFolder`. Nothing is copied from
 * tensors beyond a few kilobytes, unknown fields are kept byte for byte, and without edits the nodes keep their order.
 * An output that the graph already has is not added twice. Errors: `UserError` when the graph has a cycle.
 */
export function writeSkeleton(model: Model, edits: Edits = {}): Uint8Array {
  const skeleton: Skeleton = {
    model, location: ownLocation(model), rewire: new Map((edits.rewire ?? []).map(({ from, to }) => [from, to])), touched: new Map(),
  };
  const out = new Pieces(), { document } = model;
  document.scan(0, document.size, field => {
    if (field.number === 7) out.message(7, graphWith(skeleton, field, model.graph, edits));
    else out.raw(document.bytes(field.start, field.end));
  });
  return out.join();
}

interface Skeleton extends Placing {
  readonly rewire: ReadonlyMap<string, string>;
  /** Whether a node reads a rewired value, itself or in a branch. */
  readonly touched: Map<Node, boolean>;
}

/** GraphProto; `edits` for the main graph only. */
function graphWith(skeleton: Skeleton, message: Field, graph: Graph, edits: Edits = {}): Pieces {
  const { model: { document } } = skeleton;
  const nodes: { readonly written?: Pieces }[] = [], weights = new Pieces();
  let index = 0;
  document.scan(message.at, message.end, field => {
    if (field.number !== 1) return;
    const node = graph.nodes[index++];
    // A big Constant becomes an initializer, the only thing whose bytes may lie in a file.
    const value = node.op === 'Constant' && node.domain === '' ? node.attributes.get('value')?.tensor : undefined;
    if (value?.place.kind === 'raw' && hasHole(document, field.at, field.end)) {
      weights.message(5, placedTensor(skeleton, tensorOfConstant(document, field), node.outputs[0]));
      nodes.push({});
    } else nodes.push({ written: nodeWith(skeleton, field, node) });
  });
  const added = edits.nodes ?? [];
  const order = added.length || edits.rewire?.length ? sorted(skeleton, graph, edits) : nodes.map((_, i) => i);
  const out = new Pieces();
  let nodesWritten = false;
  const writeNodes = (): void => {
    if (nodesWritten) return;
    nodesWritten = true;
    for (const i of order) {
      const written = i < nodes.length ? nodes[i].written : encodeNode(added[i - nodes.length]);
      if (written) out.message(1, written);
    }
  };
  document.scan(message.at, message.end, field => {
    if (field.number === 1) writeNodes();
    else if (field.number === 5) out.message(5, placedTensor(skeleton, field));
    else out.raw(document.bytes(field.start, field.end));
  });
  writeNodes();
  out.raw(weights.join());
  for (const tensor of edits.initializers ?? []) out.message(5, encodeTensor(tensor));
  for (const input of edits.inputs ?? []) out.message(11, encodeValueInfo(input));
  const present = new Set(graph.outputs.map(output => output.name));
  for (const output of edits.outputs ?? []) {
    if (!present.has(output.name)) out.message(12, encodeValueInfo(output));
    present.add(output.name);
  }
  return out;
}

/** NodeProto with rewired inputs, and with branches whose tensors lie outside. */
function nodeWith(skeleton: Skeleton, message: Field, node: Node): Pieces {
  const { document } = skeleton.model;
  if (!readsRewired(skeleton, node) && !hasHole(document, message.at, message.end)) return new Pieces().raw(document.bytes(message.at, message.end));
  const out = new Pieces();
  let input = 0, attribute = 0;
  const attributes = [...node.attributes.values()];
  document.scan(message.at, message.end, field => {
    if (field.number === 1) { const name = node.inputs[input++]; out.text(1, skeleton.rewire.get(name) ?? name); }
    else if (field.number === 5) out.message(5, attributeWith(skeleton, field, attributes[attribute++]));
    else out.raw(document.bytes(field.start, field.end));
  });
  return out;
}

function attributeWith(skeleton: Skeleton, message: Field, attribute: Attribute): Pieces {
  const { document } = skeleton.model, out = new Pieces();
  let graph = 0;
  document.scan(message.at, message.end, field => {
    if (field.number === 5) out.message(5, placedTensor(skeleton, field));
    else if (field.number === 6 && attribute.graph) out.message(6, graphWith(skeleton, field, attribute.graph));
    else if (field.number === 11 && attribute.graphs) out.message(11, graphWith(skeleton, field, attribute.graphs[graph++]));
    else out.raw(document.bytes(field.start, field.end));
  });
  return out;
}

function readsRewired(skeleton: Skeleton, node: Node): boolean {
  if (!skeleton.rewire.size) return false;
  let touched = skeleton.touched.get(node);
  if (touched === undefined) {
    touched = node.inputs.some(input => skeleton.rewire.has(input)) || branches(node).some(graph => graph.nodes.some(inner => readsRewired(skeleton, inner)));
    skeleton.touched.set(node, touched);
  }
  return touched;
}

function branches(node: Node): Graph[] {
  return [...node.attributes.values()].flatMap(a => [...(a.graph ? [a.graph] : []), ...(a.graphs ?? [])]);
}

/** Every value that a node reads, in its branches too. */
function reads(node: Node): string[] { return [...node.inputs, ...branches(node).flatMap(graph => graph.nodes.flatMap(reads))]; }

/** Indices of the old nodes and then the new ones, in an order that can run: old nodes keep theirs, new ones come as early as they can. */
function sorted(skeleton: Skeleton, graph: Graph, edits: Edits): number[] {
  const old = graph.nodes.length, added = edits.nodes ?? [], count = old + added.length;
  const producer = new Map<string, number>();
  graph.nodes.forEach((node, i) => { for (const output of node.outputs) if (output) producer.set(output, i); });
  added.forEach((node, i) => { for (const output of node.outputs) producer.set(output, old + i); });
  const waits = new Int32Array(count), readers: number[][] = Array.from({ length: count }, () => []);
  for (let i = 0; i < count; i++) {
    const names = i < old ? reads(graph.nodes[i]).map(name => skeleton.rewire.get(name) ?? name) : added[i - old].inputs;
    for (const from of new Set(names.map(name => producer.get(name)))) {
      if (from === undefined || from === i) continue;
      readers[from].push(i);
      waits[i]++;
    }
  }
  const order: number[] = [];
  let reached = -1;
  const place = (first: number): void => {
    for (const stack = [first]; stack.length;) {
      const i = stack.pop()!;
      order.push(i);
      for (const reader of readers[i]) if (--waits[reader] === 0 && (reader >= old || reader <= reached)) stack.push(reader);
    }
  };
  const free = Array.from({ length: added.length }, (_, i) => old + i).filter(i => waits[i] === 0);
  for (const i of free) place(i);
  for (let i = 0; i < old; i++) {
    reached = i;
    if (waits[i] === 0) place(i);
  }
  if (order.length < count) throw new UserError(`The graph of ${skeleton.model.path} has a cycle.`, 'Export the model again.');
  return order;
}
