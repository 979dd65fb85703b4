/** Reads ModelProto from its bytes without reading the payload of big tensors. */
import { UserError } from '../../contract/errors.ts';
import { dataType, type Attribute, type Dim, type Field, type Graph, type LocalFunction, type Node, type Tensor, type ValueInfo } from './model.ts';
import { functionKey } from './raw-node.ts';
import { damaged, wire, type FileBytes } from './wire.ts';

const deepestGraph = 16;
const mostNodes = 2_000_000;
const mostDims = 64;
/** Inputs or outputs of one node. */
const mostPorts = 1 << 16;
const mostNumbers = 1 << 24;

/** Payloads up to this many bytes are read and stay inline in skeletons; integers (shapes, indices) may be larger. */
export function keepsInline(type: number, bytes: number): boolean {
  return bytes <= (type === dataType.int64 || type === dataType.int32 || type === dataType.bool ? 65536 : 1024);
}

export interface Parsed {
  readonly irVersion: number;
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: Graph;
  readonly functions: ReadonlyMap<string, LocalFunction>;
  /** Ascending [start, end) ranges: the bytes of initializers, which the graph's hash leaves out. */
  readonly weights: readonly (readonly [number, number])[];
  /** Every tensor whose bytes lie outside the file. */
  readonly external: readonly Tensor[];
}

interface Context { readonly from: FileBytes; readonly weights: [number, number][]; readonly external: Tensor[]; nodes: number }

/** Parses a model. Errors: `UserError` where the bytes are no ONNX model, end early, or nest too deeply. */
export function parseModel(from: FileBytes): Parsed {
  const context: Context = { from, weights: [], external: [], nodes: 0 };
  const opsets = new Map<string, number>(), metadata = new Map<string, string>(), functions = new Map<string, LocalFunction>();
  let irVersion = 0, producer = '', version = '';
  let graphField: Field | undefined, graph: Graph | undefined;
  const notOnnx = (): UserError => new UserError(`${from.file} is not an ONNX model.`, 'Choose a file that torch.onnx.export, optimum or another exporter wrote.');
  if (!from.size) throw new UserError(`${from.file} is empty.`, 'Export or download the model again.');
  if (from.size > 24 && from.text(0, 24).startsWith('version https://git-lfs')) {
    throw new UserError(`${from.file} is a Git LFS pointer, not the model itself.`, 'Fetch it with git lfs pull.');
  }
  try {
    from.scan(0, from.size, field => {
      if (field.number === 1 && field.wire === wire.varint) irVersion = field.value;
      else if (field.wire !== wire.bytes) return;
      else if (field.number === 2) producer = from.text(field.at, field.end);
      else if (field.number === 3) version = from.text(field.at, field.end);
      else if (field.number === 7) {
        if (graphField) throw damaged(from.file, 'it has more than one graph');
        if (irVersion < 1) throw notOnnx();
        graphField = field;
        graph = readGraph(context, field, 0);
      } else if (field.number === 25) readFunction(context, field, functions);
      else if (field.number === 8) readOpset(from, field, opsets);
      else if (field.number === 14) readEntry(from, field, metadata);
    });
  } catch (error) {
    if (irVersion < 1) throw notOnnx();
    throw error;
  }
  if (irVersion < 1 || irVersion > 10_000) throw notOnnx();
  if (!graph) throw new UserError(`${from.file} holds no graph.`, 'It may be cut off; export or download the model again.');
  return { irVersion, opsets, producer: `${producer} ${version}`.trim(), metadata, graph, functions, weights: context.weights, external: context.external };
}

function readGraph(context: Context, message: Field, depth: number): Graph {
  const { from } = context;
  if (depth > deepestGraph) throw damaged(from.file, `graphs are nested more than ${deepestGraph} deep`);
  const nodes: Node[] = [], inputs: ValueInfo[] = [], outputs: ValueInfo[] = [];
  const initializers = new Map<string, Tensor>(), values = new Map<string, ValueInfo>();
  let name = '';
  from.scan(message.at, message.end, field => {
    if (field.wire !== wire.bytes) return;
    if (field.number === 1) {
      if (++context.nodes > mostNodes) throw damaged(from.file, `it has more than ${mostNodes} nodes`);
      nodes.push(readNode(context, field, depth));
    } else if (field.number === 2) name = from.text(field.at, field.end);
    else if (field.number === 5) { const tensor = readTensorProto(context, field, true); initializers.set(tensor.name, tensor); }
    else if (field.number === 11) inputs.push(readValueInfo(from, field));
    else if (field.number === 12) outputs.push(readValueInfo(from, field));
    else if (field.number === 13) { const value = readValueInfo(from, field); values.set(value.name, value); }
  });
  return { name, nodes, inputs, outputs, initializers, values };
}

function readNode(context: Context, message: Field, depth: number): Node {
  const { from } = context;
  const inputs: string[] = [], outputs: string[] = [], attributes = new Map<string, Attribute>(), metadata = new Map<string, string>();
  let name = '', op = '', domain = '', overload = '';
  from.scan(message.at, message.end, field => {
    if (field.wire !== wire.bytes) return;
    switch (field.number) {
      case 1: inputs.push(from.text(field.at, field.end)); break;
      case 2: outputs.push(from.text(field.at, field.end)); break;
      case 3: name = from.text(field.at, field.end); break;
      case 4: op = from.text(field.at, field.end); break;
      case 5: {
        const attribute = readAttribute(context, field, depth);
        if (attributes.has(attribute.name)) throw damaged(from.file, `the node ${name || op} has the attribute ${attribute.name} twice`);
        attributes.set(attribute.name, attribute);
        break;
      }
      case 7: domain = from.text(field.at, field.end); break;
      case 8: overload = from.text(field.at, field.end); break;
      case 9: readEntry(from, field, metadata); break;
      default: break;
    }
  });
  if (Math.max(inputs.length, outputs.length) > mostPorts) throw damaged(from.file, `the node ${name || op} has more than ${mostPorts} inputs or outputs`);
  return { name, op, domain: domain === 'ai.onnx' ? '' : domain, ...(overload ? { overload } : {}), inputs, outputs, attributes, metadata };
}

function readAttribute(context: Context, message: Field, depth: number): Attribute {
  const { from } = context;
  const a: { -readonly [K in keyof Attribute]: Attribute[K] } = { name: '' };
  const ints: number[] = [], floats: number[] = [], strings: string[] = [], graphs: Graph[] = [];
  from.scan(message.at, message.end, field => {
    switch (field.number) {
      case 1: a.name = from.text(field.at, field.end); break;
      case 2: if (field.wire === wire.fixed32) a.f = from.float(field.at); break;
      case 3: if (field.wire === wire.varint) a.i = field.value; break;
      case 4: a.s = from.text(field.at, field.end); break;
      case 5: if (field.wire === wire.bytes) a.tensor = readTensorProto(context, field, false); break;
      case 6: if (field.wire === wire.bytes) a.graph = readGraph(context, field, depth + 1); break;
      case 7:
        if (field.wire === wire.fixed32) floats.push(from.float(field.at));
        else for (let at = field.at; at + 4 <= field.end && floats.length < mostNumbers; at += 4) floats.push(from.float(at));
        break;
      case 8: from.varints(field, ints, mostNumbers); break;
      case 9: strings.push(from.text(field.at, field.end)); break;
      case 11: if (field.wire === wire.bytes) graphs.push(readGraph(context, field, depth + 1)); break;
      default: break;
    }
  });
  if (ints.length) a.ints = ints;
  if (floats.length) a.floats = floats;
  if (strings.length) a.strings = strings;
  if (graphs.length) a.graphs = graphs;
  return a;
}

function readTensorProto(context: Context, message: Field, weight: boolean): Tensor {
  const { from } = context;
  const dims: number[] = [], entries = new Map<string, string>();
  let name = '', type = 0, outside = false, raw: Field | undefined;
  const typed: Field[] = [];
  from.scan(message.at, message.end, field => {
    switch (field.number) {
      case 1: from.varints(field, dims, mostDims); break;
      case 2: if (field.wire === wire.varint) type = field.value; break;
      case 4: case 5: case 7: case 10: case 11: typed.push(field); break;
      case 8: name = from.text(field.at, field.end); break;
      case 9: if (field.wire === wire.bytes) raw = field; break;
      case 13: if (field.wire === wire.bytes) readEntry(from, field, entries); break;
      case 14: outside = field.value === 1; break;
      default: break;
    }
  });
  for (const dim of dims) if (!(dim >= 0)) throw damaged(from.file, `the tensor ${name} has the size ${dims.join('×')}`);
  if (outside) {
    const [offset, length] = [entries.get('offset') ?? '0', entries.get('length') ?? '-1'].map(Number);
    if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length)) throw damaged(from.file, `the place of ${name ? `the tensor ${name}` : 'a tensor without a name'} is not a number of bytes`);
    const tensor: Tensor = { name, type, dims, place: { kind: 'external', location: entries.get('location') ?? '', offset, length } };
    context.external.push(tensor);
    return tensor;
  }
  // Packed floats lie in the file exactly as raw bytes would: as good as raw_data where they are the only field.
  if (!raw && typed.length === 1 && typed[0].wire === wire.bytes && ((typed[0].number === 4 && type === dataType.float) || (typed[0].number === 10 && type === dataType.double))) raw = typed[0];
  for (const field of typed) if (weight && field !== raw) context.weights.push([field.at, field.end]);
  if (!raw) return { name, type, dims, place: { kind: 'typed', offset: message.at, length: message.end - message.at } };
  const big = !keepsInline(type, raw.end - raw.at);
  if (big) from.skip(raw.at, raw.end);
  if (weight || big) context.weights.push([raw.at, raw.end]);
  return { name, type, dims, place: { kind: 'raw', offset: raw.at, length: raw.end - raw.at } };
}

function readValueInfo(from: FileBytes, message: Field): ValueInfo {
  let name = '', type: number | undefined, dims: Dim[] | undefined;
  const readShape = (shape: Field): void => {
    const list: Dim[] = dims = [];
    from.scan(shape.at, shape.end, dim => {
      if (dim.number !== 1 || dim.wire !== wire.bytes) return;
      if (list.length >= mostDims) throw damaged(from.file, `the value ${name} has more than ${mostDims} dimensions`);
      let size: Dim;
      from.scan(dim.at, dim.end, part => {
        if (part.number === 1 && part.wire === wire.varint) size = part.value;
        else if (part.number === 2 && part.end > part.at) size = from.text(part.at, part.end);
      });
      list.push(size);
    });
  };
  from.scan(message.at, message.end, field => {
    if (field.wire !== wire.bytes) return;
    if (field.number === 1) name = from.text(field.at, field.end);
    if (field.number === 2) from.scan(field.at, field.end, kind => {
      if (kind.number !== 1 || kind.wire !== wire.bytes) return;
      from.scan(kind.at, kind.end, part => {
        if (part.number === 1 && part.wire === wire.varint) type = part.value;
        else if (part.number === 2 && part.wire === wire.bytes) readShape(part);
      });
    });
  });
  return { name, ...(type === undefined ? {} : { type }), ...(dims ? { dims } : {}) };
}

function readEntry(from: FileBytes, message: Field, into: Map<string, string>): void {
  let key = '', value = '';
  from.scan(message.at, message.end, field => {
    if (field.wire !== wire.bytes) return;
    if (field.number === 1) key = from.text(field.at, field.end);
    else if (field.number === 2) value = from.text(field.at, field.end);
  });
  into.set(key, value);
}

function readFunction(context: Context, message: Field, into: Map<string, LocalFunction>): void {
  const { from } = context, ops = new Set<string>(), opsets = new Map<string, number>();
  let name = '', domain = '', overload = '';
  const collect = (node: Node): void => {
    ops.add(functionKey(node.domain, node.op, node.overload));
    for (const { graph, graphs } of node.attributes.values()) for (const inner of [...(graph ? [graph] : []), ...(graphs ?? [])]) inner.nodes.forEach(collect);
  };
  from.scan(message.at, message.end, field => {
    if (field.wire !== wire.bytes) return;
    if (field.number === 1) name = from.text(field.at, field.end);
    else if (field.number === 9) readOpset(from, field, opsets);
    else if (field.number === 10) domain = from.text(field.at, field.end);
    else if (field.number === 13) overload = from.text(field.at, field.end);
    else if (field.number === 7) {
      if (++context.nodes > mostNodes) throw damaged(from.file, `it has more than ${mostNodes} nodes`);
      collect(readNode(context, field, 0));
    }
  });
  into.set(functionKey(domain, name, overload), { ops: [...ops], opset: opsets.get('') });
}

function readOpset(from: FileBytes, message: Field, into: Map<string, number>): void {
  let domain = '', version = 0;
  from.scan(message.at, message.end, field => {
    if (field.number === 1 && field.wire === wire.bytes) domain = from.text(field.at, field.end);
    else if (field.number === 2 && field.wire === wire.varint) version = field.value;
  });
  into.set(domain === 'ai.onnx' ? '' : domain, version);
}
