/** Exports of the zoo wrapped as people meet them: two decoders in the branches of an `If`, a whole model inside a function. */
import { readFileSync } from 'node:fs';
import { Pieces, encodeNode, encodeValueInfo, tensorOf } from '../../extension/engine/onnx/encode.ts';
import { dataType, type Field, type NewNode } from '../../extension/engine/onnx/model.ts';
import { FileBytes } from '../../extension/engine/onnx/wire.ts';

/** Messages of a model file, payloads and all; `names` in the same order. Of a node its name. */
export interface Parts { readonly nodes: Pieces[]; readonly initializers: Pieces[]; readonly inputs: Pieces[]; readonly outputs: Pieces[]; readonly opsets: Pieces[]; readonly names: { readonly nodes: string[]; readonly inputs: string[]; readonly outputs: string[]; readonly initializers: string[] } }

export function partsOf(file: string): Parts {
  const bytes = FileBytes.of(readFileSync(file), file), parts: Parts = { nodes: [], initializers: [], inputs: [], outputs: [], opsets: [], names: { nodes: [], inputs: [], outputs: [], initializers: [] } };
  const raw = (field: Field): Pieces => new Pieces().raw(bytes.bytes(field.at, field.end));
  const name = (message: Field, number: number): string => { let found = ''; bytes.scan(message.at, message.end, field => { if (field.number === number) found = bytes.text(field.at, field.end); }); return found; };
  bytes.scan(0, bytes.size, field => {
    if (field.number === 8) parts.opsets.push(raw(field));
    if (field.number === 7) bytes.scan(field.at, field.end, part => {
      if (part.number === 1) { parts.nodes.push(raw(part)); parts.names.nodes.push(name(part, 3)); }
      if (part.number === 5) { parts.initializers.push(raw(part)); parts.names.initializers.push(name(part, 8)); }
      if (part.number === 11) { parts.inputs.push(raw(part)); parts.names.inputs.push(name(part, 1)); }
      if (part.number === 12) { parts.outputs.push(raw(part)); parts.names.outputs.push(name(part, 1)); }
    });
  });
  return parts;
}

export function modelOf(graph: Pieces, opsets: readonly Pieces[], functions: readonly Pieces[] = []): Uint8Array {
  const out = new Pieces().varint(1, 9).text(2, 'test').message(7, graph.text(2, 'main'));
  for (const opset of opsets) out.message(8, opset);
  for (const one of functions) out.message(25, one);
  return out.join();
}

/** AttributeProto with a graph. */
export function graphAttribute(name: string, graph: Pieces): Pieces { return new Pieces().text(1, name).message(6, graph).varint(20, 5); }

/**
 * `If(use_cache_branch)` over two exports with the same inputs and outputs, as optimum's `decoder_model_merged`. `weights`: in each branch,
 * or those of `otherwise` in the main graph (`then` must then be the same file). The outputs of `then` are negated where `negated` says so.
 */
export function mergedModel({ then, otherwise, weights, negated }: { readonly then: string; readonly otherwise: string; readonly weights: 'inside' | 'outside'; readonly negated?: boolean }): Uint8Array {
  const branch = (parts: Parts, negate: boolean): Pieces => {
    const graph = new Pieces(), { outputs } = parts.names;
    for (const node of parts.nodes) graph.message(1, node);
    if (negate) for (const output of outputs) graph.message(1, encodeNode({ op: 'Neg', name: `negate ${output}`, inputs: [output], outputs: [`${output}_negated`] }));
    graph.text(2, 'branch');
    if (weights === 'inside') for (const tensor of parts.initializers) graph.message(5, tensor);
    if (negate) for (const output of outputs) graph.message(12, encodeValueInfo({ name: `${output}_negated`, type: dataType.float }));
    else for (const output of parts.outputs) graph.message(12, output);
    return graph;
  };
  const [a, b] = [partsOf(then), partsOf(otherwise)];
  const choose = encodeNode({ op: 'If', name: 'optimum::if', inputs: ['use_cache_branch'], outputs: b.names.outputs })
    .message(5, graphAttribute('then_branch', branch(a, negated === true))).message(5, graphAttribute('else_branch', branch(b, false)));
  const graph = new Pieces().message(1, choose);
  if (weights === 'outside') for (const tensor of b.initializers) graph.message(5, tensor);
  for (const input of b.inputs) graph.message(11, input);
  graph.message(11, encodeValueInfo({ name: 'use_cache_branch', type: dataType.bool, dims: [1] }));
  for (const output of b.outputs) graph.message(12, output);
  return modelOf(graph, b.opsets);
}

/** The whole export as one function that the main graph calls, its weights handed in. */
export function functionModel(file: string): Uint8Array {
  const parts = partsOf(file), inputs = [...parts.names.inputs, ...parts.names.initializers.filter(name => !parts.names.inputs.includes(name))];
  const body = new Pieces().text(1, 'whole');
  for (const input of inputs) body.text(4, input);
  for (const output of parts.names.outputs) body.text(5, output);
  for (const node of parts.nodes) body.message(7, node);
  for (const opset of parts.opsets) body.message(9, opset);
  body.text(10, 'local');
  const graph = new Pieces().message(1, encodeNode({ op: 'whole', domain: 'local', name: 'call', inputs, outputs: parts.names.outputs }));
  for (const tensor of parts.initializers) graph.message(5, tensor);
  for (const input of parts.inputs) graph.message(11, input);
  for (const output of parts.outputs) graph.message(12, output);
  return modelOf(graph, [...parts.opsets, new Pieces().text(1, 'local').varint(2, 1)], [body]);
}

/** A FunctionProto of `local`; attributes that nodes take from the call are `references`: node name → attribute → the function's. */
export function localFunction({ name, inputs, outputs, nodes, attributes = [], references = {}, defaults = [], opset = 18 }: {
  readonly name: string; readonly inputs: readonly string[]; readonly outputs: readonly string[]; readonly nodes: readonly NewNode[]; readonly attributes?: readonly string[];
  readonly references?: Readonly<Record<string, Readonly<Record<string, string>>>>; readonly defaults?: readonly Pieces[]; readonly opset?: number;
}): Pieces {
  const body = new Pieces().text(1, name);
  for (const input of inputs) body.text(4, input);
  for (const output of outputs) body.text(5, output);
  for (const attribute of attributes) body.text(6, attribute);
  for (const node of nodes) {
    const written = encodeNode(node);
    for (const [own, from] of Object.entries(references[node.name] ?? {})) written.message(5, new Pieces().text(1, own).varint(20, 1).text(21, from));
    body.message(7, written);
  }
  body.message(9, new Pieces().varint(2, opset)).text(10, 'local');
  for (const attribute of defaults) body.message(11, attribute);
  return body.message(9, new Pieces().text(1, 'local').varint(2, 1));
}

/** Two layers of attention of four heads of four over `x` [1, tokens, 16], each a call of `layer`, which calls `attend`, which takes the scale as an attribute. */
export function layeredModel(): Uint8Array {
  const attend = localFunction({
    name: 'attend', inputs: ['q', 'k', 'v'], outputs: ['o'], attributes: ['scale'], references: { factor: { value_float: 'scale' } },
    nodes: [
      { op: 'Constant', name: 'factor', inputs: [], outputs: ['f'] }, { op: 'Transpose', name: 'turn', inputs: ['k'], outputs: ['kt'], attributes: { perm: [0, 1, 3, 2] } },
      { op: 'MatMul', name: 'product', inputs: ['q', 'kt'], outputs: ['s'] }, { op: 'Mul', name: 'scaled', inputs: ['s', 'f'], outputs: ['t'] },
      { op: 'Softmax', name: 'probabilities', inputs: ['t'], outputs: ['p'], attributes: { axis: -1 } }, { op: 'MatMul', name: 'mix', inputs: ['p', 'v'], outputs: ['o'] },
    ],
  });
  const side = (to: string): NewNode[] => [
    { op: 'MatMul', name: `${to}_proj`, inputs: ['x', `w${to}`], outputs: [`${to}0`] }, { op: 'Reshape', name: `${to}_split`, inputs: [`${to}0`, 'heads'], outputs: [`${to}1`] },
    { op: 'Transpose', name: `${to}_turn`, inputs: [`${to}1`], outputs: [to], attributes: { perm: [0, 2, 1, 3] } },
  ];
  const layer = localFunction({
    name: 'layer', inputs: ['x', 'wq', 'wk', 'wv', 'wo'], outputs: ['y'], attributes: [], references: { attend: { scale: 'softer' } },
    defaults: [new Pieces().text(1, 'softer').float(2, 0.5).varint(20, 1)],
    nodes: [
      { op: 'Constant', name: 'heads', inputs: [], outputs: ['heads'], attributes: { value_ints: [0, 0, 4, 4] } }, { op: 'Constant', name: 'merged', inputs: [], outputs: ['merged'], attributes: { value_ints: [0, 0, 16] } },
      ...side('q'), ...side('k'), ...side('v'),
      { op: 'attend', domain: 'local', name: 'attend', inputs: ['q', 'k', 'v'], outputs: ['z'] },
      { op: 'Transpose', name: 'back', inputs: ['z'], outputs: ['z1'], attributes: { perm: [0, 2, 1, 3] } }, { op: 'Reshape', name: 'flat', inputs: ['z1', 'merged'], outputs: ['z2'] },
      { op: 'MatMul', name: 'o_proj', inputs: ['z2', 'wo'], outputs: ['o'] }, { op: 'Add', name: 'add', inputs: ['x', 'o'], outputs: ['y'] },
    ],
  });
  const graph = new Pieces(), weight = (name: string, seed: number) => tensorOf(name, [16, 16], Array.from({ length: 256 }, (_, i) => Math.sin(i * 1.7 + seed) / 3));
  const names = [0, 1].flatMap(l => ['q', 'k', 'v', 'o'].map(part => `layers.${l}.w${part}`));
  const callOf = (l: number, from: string, to: string): NewNode => ({ op: 'layer', domain: 'local', name: `/layers.${l}/attn`, inputs: [from, ...names.slice(l * 4, l * 4 + 4)], outputs: [to], ...(l ? { attributes: { softer: { float: 0.25 } } } : {}) });
  graph.message(1, encodeNode(callOf(0, 'x', 'h'))).message(1, encodeNode(callOf(1, 'h', 'y')));
  const tensors = names.map((name, i) => weight(name, i));
  for (const { name, dims, type, data } of tensors) graph.message(5, new Pieces().packed(1, dims).varint(2, type).text(8, name).bytes(9, data));
  graph.message(11, encodeValueInfo({ name: 'x', type: dataType.float, dims: [1, 'tokens', 16] })).message(12, encodeValueInfo({ name: 'y', type: dataType.float, dims: [1, 'tokens', 16] }));
  return modelOf(graph, [new Pieces().varint(2, 18), new Pieces().text(1, 'local').varint(2, 1)], [attend, layer]);
}
