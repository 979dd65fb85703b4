/** Attention inside loops, scans and branches that only the run decides between: it is found, and refused with the reason. */
import type { RefusedSite } from '../../contract/site.ts';
import { viewGraph } from '../onnx/graph-view.ts';
import { functionRefusals, graphsOf } from '../onnx/inline.ts';
import type { Constant, Graph, GraphView, Node, Tensor, ValueInfo } from '../onnx/model.ts';
import { functionKey } from '../onnx/raw-node.ts';
import type { SitePlan } from './site-plan.ts';

type Match = (view: GraphView) => readonly (SitePlan | RefusedSite)[];

/** Every attention in the graphs inside the nodes of `view`, and in functions that stay calls. `match` finds the attention of one graph. */
export function innerAttention(view: GraphView, match: Match): readonly RefusedSite[] {
  const refused: RefusedSite[] = [], refusals = functionRefusals(view.model);
  const into = (around: GraphView): void => {
    for (const node of around.graph.nodes) {
      for (const graph of graphsOf(node)) {
        const inside = viewInside(around, graph), reason = reasonOf(node);
        for (const found of match(inside)) refused.push('site' in found ? { node: found.site.node, operator: found.site.operator, reason } : { node: found.node, operator: found.operator, reason });
        into(inside);
      }
      if (!refusals.size) continue;
      const key = functionKey(node.domain, node.op, node.overload), why = refusals.get(key);
      if (why && reachesAttention(view, key)) refused.push({ node: node.name, operator: `${node.domain}.${node.op}`, reason: `It calls a function of the model that holds attention and cannot be unfolded: ${why}. Export the model with its functions inlined.` });
    }
  };
  into(view);
  return refused;
}

function reasonOf(node: Node): string {
  const name = `the ${node.op}${node.name ? ` "${node.name}"` : ''}`;
  if (node.op === 'If') return `It lies in a branch of ${name}, whose condition ("${node.inputs[0]}") is computed while the model runs, so that nobody can say beforehand whether it runs; export the model without the condition.`;
  if (node.op === 'Loop' || node.op === 'Scan' || node.op === 'SequenceMap') return `It lies in the body of ${name}, which runs it again and again on other values; only attention that runs once can be read. Export the model with the loop unrolled.`;
  return `It lies in a graph inside ${name}, which is not known; export the model without it.`;
}

/** A graph inside a node, with what it reads of its surroundings: their constants and weights as such, the rest as its inputs. */
function viewInside(around: GraphView, graph: Graph): GraphView {
  const own = new Set([...graph.inputs.map(input => input.name), ...graph.initializers.keys(), ...graph.nodes.flatMap(node => node.outputs)]);
  const inputs: ValueInfo[] = [...graph.inputs], initializers = new Map<string, Tensor>(graph.initializers), given = new Map<string, Constant>();
  for (const name of readBy(graph)) {
    if (!name || own.has(name)) continue;
    const tensor = around.graph.initializers.get(name), constant = tensor ? undefined : around.constant(name), dims = around.dims(name);
    if (tensor) initializers.set(name, tensor);
    else if (constant) given.set(name, constant);
    else inputs.push({ name, ...(dims ? { dims } : {}) });
  }
  return viewGraph(around.model, { ...graph, inputs, initializers }, given);
}

function readBy(graph: Graph): Set<string> {
  const names = new Set<string>();
  const collect = (inner: Graph): void => { for (const node of inner.nodes) { for (const input of node.inputs) names.add(input); graphsOf(node).forEach(collect); } };
  collect(graph);
  return names;
}

/** Whether a function of the model holds attention by name, itself or through the functions that it calls. */
function reachesAttention({ model }: GraphView, key: string): boolean {
  const seen = new Set<string>(), stack = [key];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const local = model.functions.get(at);
    if (!local && /:(Softmax|\w*Attention)$/.test(at)) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    stack.push(...(local?.ops ?? []));
  }
  return false;
}
