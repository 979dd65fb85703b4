/** The graph that a run goes through: functions of the model's own unfolded, and of every `If` that can be decided beforehand the branch that is taken. */
import { viewGraph } from './graph-view.ts';
import { dataType, type Constant, type Graph, type Model, type Node } from './model.ts';
import { ownLocation } from './placed-tensor.ts';
import { parseModel } from './reader.ts';
import { unfoldModel } from './unfold.ts';
import { FileBytes } from './wire.ts';

/** Branches in branches, and functions in them. */
const mostPasses = 16;

/**
 * `model` without calls of its own functions, and without those `If`s whose condition is a constant or follows from the graph's boolean
 * inputs as `inputs` says (`{ use_cache_branch: true }`; those that are not named count as false). The model itself where nothing changes.
 * Everything else of it stays: inputs, outputs and their order, the path, the hash, where weights lie. New values have names that nothing
 * else has; `writeSkeleton` and a run of the result give what the user's file gives for these inputs.
 * Errors: `UserError` where functions unfold without measure.
 */
export function inlineModel(model: Model, inputs: Readonly<Record<string, boolean>> = {}): Model {
  let at = model;
  for (let pass = 0; pass < mostPasses && (at.functions.size || hasIf(at.graph)); pass++) {
    const conditions = conditionsOf(at, inputs), refusals = functionRefusals(at);
    const bytes = unfoldModel(at, { unfolds: key => refusals.has(key) && refusals.get(key) === undefined, condition: conditions }, { location: ownLocation(at), taken: namesThatStay(at.graph, conditions) });
    if (!bytes) return at;
    const document = FileBytes.of(bytes, model.path), parsed = parseModel(document), own = at.ownData ?? ownLocation(at);
    at = { ...at, document, graph: parsed.graph, functions: parsed.functions, opsets: parsed.opsets, ...(own ? { ownData: own } : {}) };
  }
  return at;
}

/** The boolean inputs that decide between branches of `model`, as `use_cache_branch`; each is given by whoever runs it. */
export function branchInputs(model: Model): readonly string[] {
  if (!hasIf(model.graph) && !model.functions.size) return [];
  return model.graph.inputs.filter(input => input.type === dataType.bool && !model.graph.initializers.has(input.name)).map(input => input.name);
}

/** Why a function's calls stay calls, as the end of a sentence; undefined for those that are unfolded. */
export function functionRefusals(model: Model): ReadonlyMap<string, string | undefined> {
  const refusals = new Map<string, string | undefined>(), state = new Map<string, 'open' | 'done'>();
  const version = model.opsets.get('');
  for (const first of model.functions.keys()) {
    // Depth first, without recursion: a chain of functions may be as long as a file.
    const stack: (readonly [key: string, leave: boolean])[] = [[first, false]];
    while (stack.length) {
      const [key, leave] = stack.pop()!;
      if (leave) { state.set(key, 'done'); continue; }
      if (state.has(key)) continue;
      const { ops, opset } = model.functions.get(key)!, domain = key.slice(0, key.indexOf(':'));
      state.set(key, 'open');
      stack.push([key, true]);
      refusals.set(key, domain === '' || domain === 'com.microsoft' ? 'it is named like an operator of onnxruntime'
        : opset !== undefined && version !== undefined && opset !== version ? `it is written for operator set ${opset}, and the model for ${version}` : undefined);
      for (const op of ops) {
        if (!model.functions.has(op)) continue;
        if (state.get(op) === 'open') refusals.set(op, 'it calls itself'); else stack.push([op, false]);
      }
    }
  }
  return refusals;
}

/** What is known of a condition: given inputs, and everything that follows from constants and them. */
function conditionsOf(model: Model, inputs: Readonly<Record<string, boolean>>): (value: string) => boolean | undefined {
  const known = new Map<string, Constant>();
  for (const name of branchInputs(model)) known.set(name, { dims: [], data: [inputs[name] ? 1 : 0], int: true });
  let view: ReturnType<typeof viewGraph> | undefined;
  return value => {
    view ??= viewGraph(model, model.graph, known);
    const constant = view.constant(value);
    return constant?.data.length === 1 ? constant.data[0] !== 0 : undefined;
  };
}

function hasIf(graph: Graph): boolean { return graph.nodes.some(node => (node.op === 'If' && node.domain === '') || graphsOf(node).some(hasIf)); }

/** The graphs inside a node. */
export function graphsOf(node: Node): readonly Graph[] {
  let found: Graph[] | undefined;
  for (const { graph, graphs } of node.attributes.values()) { if (graph) (found ??= []).push(graph); if (graphs) (found ??= []).push(...graphs); }
  return found ?? none;
}
const none: readonly Graph[] = [];

/** Every name of the main graph, and of the graphs inside its nodes that stay there. */
function namesThatStay(graph: Graph, condition: (value: string) => boolean | undefined): Set<string> {
  const names = new Set<string>();
  const collect = ({ inputs, initializers, nodes }: Graph): void => {
    for (const { name } of inputs) names.add(name);
    for (const name of initializers.keys()) names.add(name);
    for (const node of nodes) {
      if (node.name) names.add(node.name);
      for (const output of node.outputs) if (output) names.add(output);
      if (node.op === 'If' && node.domain === '' && condition(node.inputs[0]) !== undefined) continue;
      graphsOf(node).forEach(collect);
    }
  };
  collect(graph);
  return names;
}
