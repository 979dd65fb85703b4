/** Writes a graph anew with calls of the model's own functions, and branches that are known to be taken, put in their places. */
import { UserError } from '../../contract/errors.ts';
import { Pieces, encodeNode } from './encode.ts';
import type { Document, Field, Model } from './model.ts';
import { hasHole, placedTensor, tensorOfConstant, type Placing } from './placed-tensor.ts';
import { readFunctionBody, readRawNode, type FunctionBody, type RawNode } from './raw-node.ts';
import { wire } from './wire.ts';

/** What unfolding asks: which functions it may unfold, and what is known of a condition. */
export interface Unfolding {
  readonly unfolds: (key: string) => boolean;
  /** The value that a condition of the main graph has in the run to come. */
  readonly condition: (value: string) => boolean | undefined;
}

/** Exporters' functions unfold to a few nodes each; a file whose functions double at every level is not one of theirs. */
const mostNodes = 1 << 18;
const mostBytes = 256 << 20;
const deepest = 64;

/** Names of one graph or one function body as they are called in what is written. */
interface Scope {
  readonly names: Map<string, string>;
  readonly parent?: Scope;
  /** Names stay: the main graph, and graphs inside its nodes. */
  readonly keeps: boolean;
  /** Put before names, for function bodies. */
  readonly label: string;
  /** In a function body: what its attributes stand for, with the scope that they were written in. */
  readonly attributes?: ReadonlyMap<string, { readonly field: Field; readonly scope: Scope }>;
  /** `metadata_props` of the call, for nodes that have none of their own. */
  readonly metadata: readonly Field[];
}

/** A graph under construction. */
interface Target { readonly nodes: Pieces; readonly initializers: Pieces; readonly values: Pieces }

interface State extends Unfolding {
  readonly placing: Placing;
  readonly document: Document;
  readonly functions: ReadonlyMap<string, FunctionBody>;
  /** Nodes of functions that were called. */
  readonly bodies: Map<string, readonly RawNode[]>;
  readonly taken: Set<string>;
  /** Where numbering goes on for a name that was taken. */
  readonly counts: Map<string, number>;
  readonly declared: ReadonlySet<string>;
  changed: boolean;
  nodes: number;
  bytes: number;
}

/**
 * ModelProto bytes for `modelOf`-like reading, undefined where there is nothing to unfold. Tensors whose bytes lie in the file keep lying
 * there, as external data at `location`. `taken`: every name that stays in use. Errors: `UserError` where it grows without measure.
 */
export function unfoldModel(model: Model, unfolding: Unfolding, { location, taken }: { readonly location: string; readonly taken: Set<string> }): Uint8Array | undefined {
  const { document } = model, functions = new Map<string, FunctionBody>();
  document.scan(0, document.size, field => {
    if (field.number !== 25 || field.wire !== wire.bytes) return;
    const body = readFunctionBody(document, field);
    if (unfolding.unfolds(body.key)) functions.set(body.key, body);
  });
  const state: State = {
    ...unfolding, placing: { model, location, verbatim: true }, document, functions, bodies: new Map(), taken, counts: new Map(), changed: false, nodes: 0, bytes: 0,
    declared: new Set([...model.graph.outputs, ...model.graph.inputs, ...model.graph.values.values()].map(value => value.name)),
  };
  const out = new Pieces(), all = functions.size === model.functions.size;
  document.scan(0, document.size, field => {
    if (field.number === 7) out.message(7, graphOf(state, field, { names: new Map(), keeps: true, label: '', metadata: [] }, 0));
    else if (field.number !== 25) out.raw(document.bytes(field.start, field.end));
    else if (!all) {
      if (hasHole(document, field.at, field.end)) throw new UserError(`A function of ${model.path} that cannot be unfolded holds weights.`, 'Export the model with its functions inlined.');
      out.raw(document.bytes(field.start, field.end));
    }
  });
  if (!state.changed) return undefined;
  for (const [domain, version] of missingOpsets(model, functions)) out.message(8, new Pieces().text(1, domain).varint(2, version));
  return out.join();
}

/** Operator sets that only functions imported. */
function missingOpsets(model: Model, functions: ReadonlyMap<string, FunctionBody>): Map<string, number> {
  const missing = new Map<string, number>();
  for (const body of functions.values()) for (const [domain, version] of body.opsets) if (!model.opsets.has(domain)) missing.set(domain, Math.max(version, missing.get(domain) ?? 0));
  return missing;
}

function graphOf(state: State, message: Field, scope: Scope, depth: number): Pieces {
  const { document } = state, target = newTarget(), out = new Pieces(), infos: Field[] = [];
  document.scan(message.at, message.end, field => {
    if (scope.keeps || field.wire !== wire.bytes) return;
    if (field.number === 11 || field.number === 5) declare(state, scope, nameIn(document, field));
  });
  document.scan(message.at, message.end, field => {
    if (field.number === 1) emit(state, readRawNode(document, field), scope, target, depth);
    else if (field.number === 5) { const name = nameIn(document, field); out.message(5, placedTensor(state.placing, field, scope.keeps ? undefined : resolve(scope, name))); }
    else if (field.number === 11 || field.number === 12 || field.number === 13) infos.push(field);
    else out.raw(document.bytes(field.start, field.end));
  });
  for (const info of infos) out.message(info.number, scope.keeps ? new Pieces().raw(document.bytes(info.at, info.end)) : renamedInfo(document, info, resolve(scope, nameIn(document, info))));
  return out.raw(target.nodes.join()).raw(target.initializers.join()).raw(target.values.join());
}

function emit(state: State, node: RawNode, scope: Scope, target: Target, depth: number): void {
  if (++state.nodes > mostNodes || state.bytes > mostBytes) throw new UserError(`The functions of ${state.placing.model.path} unfold to more than ${state.nodes > mostNodes ? `${mostNodes} nodes` : `${mostBytes >> 20} MB`}.`, 'Export the model again.');
  if (depth > deepest) throw new UserError(`The graph of ${state.placing.model.path} nests more than ${deepest} deep.`, 'Export the model again.');
  const body = state.functions.get(node.key);
  if (body) { call(state, node, body, { scope, target, depth }); return; }
  const branch = branchTaken(state, node, scope);
  if (branch) { putBranch(state, node, branch, { scope, target, depth }); return; }
  const holes = hasHole(state.document, node.field.at, node.field.end);
  // A big Constant becomes an initializer, the only thing whose bytes may lie in a file.
  if (holes && node.key === ':Constant' && node.outputs.length === 1) {
    target.initializers.message(5, placedTensor(state.placing, tensorOfConstant(state.document, node.field), nameOfOutput(state, scope, node.outputs[0])));
    return;
  }
  const written = scope.keeps && !node.nests && !holes ? new Pieces().raw(state.document.bytes(node.field.at, node.field.end)) : copied(state, node, scope, depth);
  state.bytes += written.length;
  target.nodes.message(1, written);
}

interface Place { readonly scope: Scope; readonly target: Target; readonly depth: number }

/** The body of a function in the place of its call. */
function call(state: State, node: RawNode, body: FunctionBody, { scope, target, depth }: Place): void {
  const names = new Map<string, string>(), label = scopedName(scope, node.name || node.outputs.find(Boolean) || body.name);
  body.inputs.forEach((input, i) => { names.set(input, resolve(scope, node.inputs[i] ?? '')); });
  const attributes = new Map<string, { readonly field: Field; readonly scope: Scope }>();
  for (const [name, field] of body.defaults) attributes.set(name, { field, scope });
  for (const [name, field] of node.attributes) attributes.set(name, { field, scope });
  const inner: Scope = { names, keeps: false, label, attributes, metadata: node.metadata.length ? node.metadata : scope.metadata };
  put(state, nodesOf(state, body), { from: body.outputs, to: node.outputs }, { inner, scope, target, depth });
}

function nodesOf(state: State, body: FunctionBody): readonly RawNode[] {
  const known = state.bodies.get(body.key) ?? body.nodes.map(field => readRawNode(state.document, field));
  state.bodies.set(body.key, known);
  return known;
}

/** The graph of the branch that the run takes; undefined where that is not known, or where it holds what cannot be moved. */
function branchTaken(state: State, node: RawNode, scope: Scope): Field | undefined {
  if (node.key !== ':If') return undefined;
  const taken = state.condition(resolve(scope, node.inputs[0] ?? ''));
  const attribute = taken === undefined ? undefined : node.attributes.get(taken ? 'then_branch' : 'else_branch');
  let graph: Field | undefined, moves = true;
  if (attribute) state.document.scan(attribute.at, attribute.end, field => { if (field.number === 6 && field.wire === wire.bytes) graph = field; });
  if (graph) state.document.scan(graph.at, graph.end, field => { if (field.number === 15 || field.number === 11) moves = false; });
  return moves ? graph : undefined;
}

function putBranch(state: State, node: RawNode, graph: Field, { scope, target, depth }: Place): void {
  const { document } = state, nodes: RawNode[] = [], outputs: Field[] = [], values: Field[] = [];
  const inner: Scope = { names: new Map(), parent: scope, keeps: false, label: scope.label, metadata: scope.metadata, ...(scope.attributes ? { attributes: scope.attributes } : {}) };
  document.scan(graph.at, graph.end, field => {
    if (field.number === 1) nodes.push(readRawNode(document, field));
    else if (field.number === 5) target.initializers.message(5, placedTensor(state.placing, field, declare(state, inner, nameIn(document, field))));
    else if (field.number === 12) outputs.push(field);
    else if (field.number === 13) values.push(field);
  });
  put(state, nodes, { from: outputs.map(output => nameIn(document, output)), to: node.outputs }, { inner, scope, target, depth });
  if (depth > 0) return;
  const seen = new Set(state.declared);
  for (const info of [...outputs, ...values]) {
    const name = inner.names.get(nameIn(document, info));
    if (name === undefined || seen.has(name)) continue;
    seen.add(name);
    target.values.message(13, renamedInfo(document, info, name));
  }
}

/** Nodes whose results `from` take the names that the node in whose place they stand gave its own. */
function put(state: State, nodes: readonly RawNode[], { from, to }: { readonly from: readonly string[]; readonly to: readonly string[] }, { inner, scope, target, depth }: Place & { readonly inner: Scope }): void {
  state.changed = true;
  const made = new Set(nodes.flatMap(node => node.outputs)), late: (readonly [from: string, to: string])[] = [];
  from.forEach((result, i) => {
    if (!to[i]) return;
    const name = nameOfOutput(state, scope, to[i]);
    if (made.has(result) && !inner.names.has(result)) inner.names.set(result, name); else late.push([result, name]);
  });
  for (const node of nodes) emit(state, node, inner, target, depth + 1);
  for (const [result, name] of late) target.nodes.message(1, encodeNode({ op: 'Identity', name: fresh(state, `${name}/Identity`), inputs: [resolve(inner, result)], outputs: [name] }));
}

/** A node under the names of its new surroundings. */
function copied(state: State, node: RawNode, scope: Scope, depth: number): Pieces {
  const { document } = state, out = new Pieces();
  for (const input of node.inputs) out.text(1, resolve(scope, input));
  for (const output of node.outputs) out.text(2, output && nameOfOutput(state, scope, output));
  if (node.name) out.text(3, scope.keeps ? node.name : fresh(state, scopedName(scope, node.name)));
  document.scan(node.field.at, node.field.end, field => {
    if (field.number <= 3) return;
    if (field.number !== 5) { out.raw(document.bytes(field.start, field.end)); return; }
    const attribute = attributeOf(state, field, scope, depth);
    if (attribute) out.message(5, attribute);
  });
  if (!node.metadata.length) for (const entry of scope.metadata) out.raw(document.bytes(entry.start, entry.end));
  return out;
}

/** AttributeProto; undefined where it stands for an attribute of the function that the call did not give. */
function attributeOf(state: State, message: Field, scope: Scope, depth: number, name?: string): Pieces | undefined {
  const { document } = state, out = new Pieces();
  let reference = '', own = '';
  document.scan(message.at, message.end, field => {
    if (field.number === 21 && field.wire === wire.bytes) reference = textOf(document, field);
    else if (field.number === 1 && field.wire === wire.bytes) own = textOf(document, field);
  });
  if (reference) {
    const given = scope.attributes?.get(reference);
    return given && attributeOf(state, given.field, given.scope, depth, name ?? own);
  }
  document.scan(message.at, message.end, field => {
    if (field.number === 1) out.text(1, name ?? own);
    else if (field.number === 5 && field.wire === wire.bytes) out.message(5, placedTensor(state.placing, field));
    else if ((field.number === 6 || field.number === 11) && field.wire === wire.bytes) out.message(field.number, graphOf(state, field, { ...scope, names: new Map(), parent: scope }, depth + 1));
    else out.raw(document.bytes(field.start, field.end));
  });
  return out;
}

function newTarget(): Target { return { nodes: new Pieces(), initializers: new Pieces(), values: new Pieces() }; }

function resolve(scope: Scope, name: string): string {
  for (let at: Scope | undefined = scope; at && name; at = at.parent) {
    const known = at.names.get(name);
    if (known !== undefined) return known;
  }
  return name;
}

function declare(state: State, scope: Scope, name: string): string {
  const given = scope.keeps || !name ? name : fresh(state, scopedName(scope, name));
  scope.names.set(name, given);
  return given;
}

function nameOfOutput(state: State, scope: Scope, name: string): string { return scope.names.get(name) ?? declare(state, scope, name); }

/** Names with a path of their own say more than the call that they lie in. */
function scopedName(scope: Scope, name: string): string { return scope.label && !name.startsWith('/') ? `${scope.label}/${name}` : name; }

function fresh(state: State, name: string): string {
  let free = name;
  for (let n = state.counts.get(name) ?? 1; state.taken.has(free); n++) { free = `${name}_${n}`; state.counts.set(name, n + 1); }
  state.taken.add(free);
  return free;
}

function renamedInfo(document: Document, message: Field, name: string): Pieces {
  const out = new Pieces().text(1, name);
  document.scan(message.at, message.end, field => { if (field.number !== 1) out.raw(document.bytes(field.start, field.end)); });
  return out;
}

/** Of a TensorProto (field 8) or a ValueInfoProto (field 1). */
function nameIn(document: Document, message: Field): string {
  const at = message.number === 5 ? 8 : 1;
  let name = '';
  document.scan(message.at, message.end, field => { if (field.number === at && field.wire === wire.bytes) name = textOf(document, field); });
  return name;
}

const decoder = new TextDecoder();
function textOf(document: Document, field: Field): string { return decoder.decode(document.bytes(field.at, field.end)); }
