/** Breaks an ONNX model by its own grammar: the file parses, and says something that no exporter says. */
import { below, breakBytes, pick, type Dice } from './mutate.ts';

/** A field of a protobuf message; `children` where its bytes are a message of the model's grammar. */
interface Field { readonly number: number; readonly type: number; value: bigint; bytes: Buffer; children?: Field[]; readonly kind?: string }

/** Messages inside messages, by kind and field number (onnx.proto). */
const inner: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: 'graph', 8: 'opset', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 11: 'value', 12: 'value', 13: 'value' },
  function: { 7: 'node' }, node: { 5: 'attribute' }, attribute: { 5: 'tensor', 6: 'graph' },
  value: { 2: 'type' }, type: { 1: 'tensorType' }, tensorType: { 2: 'shape' }, shape: { 1: 'dimension' }, tensor: { 13: 'entry' }, opset: {}, dimension: {}, entry: {},
};

function parse(bytes: Buffer, kind: string): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) { const byte = bytes[at++]; value |= BigInt(byte & 127) << shift; if (byte < 128) return value; }
  };
  while (at < bytes.length) {
    const key = Number(varint()), number = key >> 3, type = key & 7;
    if (type === 0) { fields.push({ number, type, value: varint(), bytes: Buffer.alloc(0) }); continue; }
    const length = type === 2 ? Number(varint()) : type === 5 ? 4 : 8, payload = bytes.subarray(at, at += length), child = type === 2 ? inner[kind]?.[number] : undefined;
    fields.push({ number, type, value: 0n, bytes: payload, ...(child ? { children: parse(payload, child), kind: child } : {}) });
  }
  return fields;
}

function varintOf(value: bigint): Buffer {
  const out: number[] = [];
  for (let left = BigInt.asUintN(64, value); ; left >>= 7n) { if (left < 128n) { out.push(Number(left)); return Buffer.from(out); } out.push(Number(left & 127n) | 128); }
}

function write(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(field => {
    const payload = field.children ? write(field.children) : field.bytes, key = varintOf(BigInt(field.number << 3 | field.type));
    return field.type === 0 ? [key, varintOf(field.value)] : field.type === 2 ? [key, varintOf(BigInt(payload.length)), payload] : [key, payload];
  }));
}

interface Broken { readonly model: Field[]; readonly graph: Field[]; readonly nodes: Field[]; readonly dice: Dice }
const ofKind = (fields: readonly Field[], kind: string): Field[] => fields.flatMap(field => [...(field.kind === kind ? [field] : []), ...(field.children ? ofKind(field.children, kind) : [])]);
const named = (fields: readonly Field[], number: number): Field[] => fields.filter(field => field.number === number && field.type === 2);
const strangeNumbers = [-1n, 0n, 1n, 2n ** 31n, 2n ** 40n, 2n ** 62n, -(2n ** 63n), 999n];

const breaks: Readonly<Record<string, (of: Broken) => void>> = {
  'an input from elsewhere, maybe from behind': ({ nodes, dice }) => {
    const to = pick(dice, named(pick(dice, nodes).children!, 1)), from = pick(dice, named(pick(dice, nodes).children!, 2));
    if (to && from) to.bytes = from.bytes;
  },
  'two values of one name': ({ nodes, dice }) => {
    const to = pick(dice, named(pick(dice, nodes).children!, 2)), from = pick(dice, named(pick(dice, nodes).children!, 2));
    if (to && from) to.bytes = from.bytes;
  },
  'another operator': ({ nodes, dice }) => {
    const op = named(pick(dice, nodes).children!, 4)[0];
    if (op) op.bytes = Buffer.from(pick(dice, ['Softmax', 'Attention', 'MatMul', 'Reshape', 'Loop', 'If', 'Einsum', 'Nonsense', 'GroupQueryAttention', 'Transpose', 'Split', 'ConstantOfShape', 'Range', 'Expand', 'Slice', 'Gather']));
  },
  'a node is gone': ({ graph, nodes, dice }) => { graph.splice(graph.indexOf(pick(dice, nodes)), 1); },
  'a node twice': ({ graph, nodes, dice }) => { graph.splice(below(dice, nodes.length), 0, pick(dice, nodes)); },
  'nodes in another order': ({ graph, nodes, dice }) => { const a = graph.indexOf(pick(dice, nodes)), b = graph.indexOf(pick(dice, nodes)); [graph[a], graph[b]] = [graph[b], graph[a]]; },
  'an attribute is another': ({ nodes, dice }) => {
    const node = pick(dice, nodes.filter(one => ofKind(one.children!, 'attribute').length)), attribute = node && pick(dice, ofKind(node.children!, 'attribute'));
    const field = attribute && pick(dice, attribute.children!);
    if (!field) return;
    if (field.type === 0) field.value = pick(dice, strangeNumbers);
    else if (dice() < 0.5) attribute.children!.splice(attribute.children!.indexOf(field), 1);
    else field.bytes = Buffer.from(pick(dice, ['', 'axis', 'perm', 'equation', 'ij,jk->', 'bhqd,bhkd->bhqk']));
  },
  'a size of a weight': ({ model, dice }) => {
    const field = pick(dice, ofKind(model, 'tensor').flatMap(tensor => tensor.children!.filter(one => one.number === 1 || one.number === 2)));
    if (!field) return;
    if (field.type === 0) field.value = pick(dice, strangeNumbers);
    else field.bytes = Buffer.concat(Array.from({ length: 1 + below(dice, 6) }, () => varintOf(pick(dice, strangeNumbers))));
  },
  'a place of a weight outside': ({ model, dice }) => {
    const tensor = pick(dice, ofKind(model, 'tensor'));
    if (!tensor) return;
    const entry = (key: string, value: string): Field => ({ number: 13, type: 2, value: 0n, bytes: Buffer.alloc(0), kind: 'entry', children: [{ number: 1, type: 2, value: 0n, bytes: Buffer.from(key) }, { number: 2, type: 2, value: 0n, bytes: Buffer.from(value) }] });
    tensor.children = [...tensor.children!.filter(field => field.number !== 9), entry('location', pick(dice, ['../../../../etc/passwd', '/dev/zero', '', '.', 'model.onnx'])), entry('offset', pick(dice, ['-1', '0', '99999999999999999999', 'x'])), { number: 14, type: 0, value: 1n, bytes: Buffer.alloc(0) }];
  },
  'a size of an input or output': ({ model, dice }) => {
    const dimension = pick(dice, ofKind(model, 'dimension'));
    if (dimension) dimension.children = [{ number: 1, type: 0, value: pick(dice, strangeNumbers), bytes: Buffer.alloc(0) }];
  },
  'a graph in itself, deep down': ({ graph, nodes, dice }) => {
    let body = write(graph.slice(0, 3));
    for (let depth = 1 + below(dice, 40); depth > 0; depth--) {
      const attribute: Field[] = [{ number: 1, type: 2, value: 0n, bytes: Buffer.from('then_branch') }, { number: 6, type: 2, value: 0n, bytes: body }, { number: 20, type: 0, value: 5n, bytes: Buffer.alloc(0) }];
      body = write([{ number: 1, type: 2, value: 0n, bytes: write([{ number: 1, type: 2, value: 0n, bytes: Buffer.from('c') }, { number: 4, type: 2, value: 0n, bytes: Buffer.from('If') }, { number: 5, type: 2, value: 0n, bytes: write(attribute) }]) }]);
    }
    graph.splice(below(dice, nodes.length), 0, ...parse(body, 'graph'));
  },
  'an operator set of another time': ({ model, dice }) => { for (const set of ofKind(model, 'opset')) for (const field of set.children!) if (field.number === 2) field.value = pick(dice, strangeNumbers); },
  'a field twice': ({ model, dice }) => {
    const kind = pick(dice, ['node', 'attribute', 'tensor', 'value', 'shape', 'type']), holder = pick(dice, ofKind(model, kind));
    if (holder?.children?.length) holder.children.push(pick(dice, holder.children));
  },
  'a name that is long': ({ nodes, dice }) => { const field = pick(dice, pick(dice, nodes).children!.filter(one => one.type === 2 && !one.children)); if (field) field.bytes = Buffer.alloc(100_000, '/x'); },
};

export function breakModel(bytes: Buffer, dice: Dice): { readonly how: string; readonly bytes: Buffer } {
  if (dice() < 0.3) return breakBytes(bytes, dice);
  const model = parse(bytes, 'model'), graph = model.find(field => field.kind === 'graph')!.children!, said: string[] = [];
  for (let n = 1 + below(dice, 2); n > 0; n--) {
    const nodes = graph.filter(field => field.kind === 'node'), how = pick(dice, Object.keys(breaks));
    if (nodes.length) breaks[how]({ model, graph, nodes, dice });
    said.push(how);
  }
  return { how: said.join(', '), bytes: write(model) };
}
