/** Finds the attention of a model: every pattern is tried on every node, sites get their names, what cannot be read is refused by name. */
import type { RefusedSite, SitesReport } from '../../contract/site.ts';
import type { Graph, Model, Node } from '../onnx/model.ts';
import { viewGraph } from '../onnx/graph-view.ts';
import { modelInfo } from '../onnx/open.ts';
import { openInputs, pictureInput } from '../onnx/picture-input.ts';
import { lowered } from './lowering/quantised.ts';
import { nameSites, type Unnamed } from './names.ts';
import { patterns } from './patterns/registry.ts';
import { repeated } from './shared-weights.ts';
import type { SitePlan } from './site-plan.ts';

export interface Recognised {
  readonly plans: readonly SitePlan[];
  readonly refused: readonly RefusedSite[];
  /** What was looked at, as a sentence; shown where there are no plans. */
  readonly looked: string;
}

/** The attention sites of `model`, in graph order. Nothing is run and no weight is read. */
export function recognise(model: Model): Recognised {
  const view = lowered(viewGraph(model)), refused: RefusedSite[] = [], claimed = new Set<Node>();
  const found: { readonly plan: SitePlan; readonly order: number }[] = [];
  view.graph.nodes.forEach((node, order) => {
    if (claimed.has(node)) return;
    const matches = patterns.map(pattern => pattern.match(node, view)).filter(match => match !== undefined);
    const plans = matches.filter(match => 'site' in match).sort((a, b) => b.nodes.length - a.nodes.length);
    if (plans.length) { found.push({ plan: plans[0], order }); claimed.add(node); }
    else for (const match of matches) if (!('site' in match)) refused.push(match);
  });
  const inner = innerNodes(model.graph).filter(node => node.op === 'Softmax' || node.op === 'Attention' || node.op.endsWith('Attention'));
  for (const node of inner) refused.push({ node: node.name, operator: node.domain ? `${node.domain}.${node.op}` : node.op, reason: 'It lies inside a branch or a loop, where it cannot be read yet; export the model without it.' });
  for (const node of model.graph.nodes) {
    if (reachesAttention(model, `${node.domain}:${node.op}`)) refused.push({ node: node.name, operator: `${node.domain}.${node.op}`, reason: 'Its softmax lies inside a function of the model, where it cannot be read yet; export the model with its functions inlined.' });
  }
  const unnamed = found.map(({ plan }): Unnamed => ({ module: plan.site.source.module, kind: plan.site.kind }));
  let named = nameSites(unnamed);
  // Two attentions in a block are told from one block that is used twice by their weights; they are only looked at where there is doubt.
  if (named.some(({ name }) => /\.\d+$/.test(name))) {
    const again = repeated(view, found.map(({ plan }) => plan));
    named = nameSites(unnamed.map((site, i) => ({ ...site, again: again[i] })));
  }
  const plans = found.map(({ plan }, i): SitePlan => ({ ...plan, site: { ...plan.site, ...named[i] } }));
  return { plans, refused, looked: looked(model, refused) };
}

/** What `attnscope sites` prints. */
export function sitesReport(model: Model): SitesReport {
  const { plans, refused, looked: sentence } = recognise(model);
  const picture = pictureInput(model)?.name;
  return { formatVersion: 1, model: modelInfo(model), ...(picture === undefined ? {} : { picture }), inputs: openInputs(model).map(input => input.name), sites: plans.map(plan => plan.site), refused, ...(plans.length ? {} : { looked: sentence }) };
}

/** Whether a function of the model holds attention, itself or through the functions that it calls. */
function reachesAttention(model: Model, name: string): boolean {
  const seen = new Set<string>(), stack = model.functions.has(name) ? [name] : [];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (/:(Softmax|\w*Attention)$/.test(at) && !model.functions.has(at)) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    for (const op of model.functions.get(at) ?? []) stack.push(op);
  }
  return false;
}

function innerNodes(graph: Graph): Node[] {
  const inner = graph.nodes.flatMap(node => [...node.attributes.values()].flatMap(a => [...(a.graph ? [a.graph] : []), ...(a.graphs ?? [])]));
  return inner.flatMap(branch => [...branch.nodes, ...innerNodes(branch)]);
}

function looked(model: Model, refused: readonly RefusedSite[]): string {
  const { nodes } = model.graph, softmaxes = nodes.filter(node => node.op === 'Softmax').length, fused = nodes.filter(node => node.op !== 'Softmax' && node.op.endsWith('Attention')).length;
  const counted = (count: number, one: string, many: string): string => (count === 0 ? `no ${one}` : `${count} ${count === 1 ? one : many}`);
  const file = model.path.split(/[\\/]/).pop();
  const reasons = refused.length ? ` ${refused[0].operator} at ${refused[0].node || '(a node without a name)'}: ${refused[0].reason}` : '';
  return `There is no attention that can be read in ${file}: of ${counted(nodes.length, 'node', 'nodes')}, ${counted(softmaxes, 'Softmax', 'Softmax nodes')} and ${counted(fused, 'fused attention operator', 'fused attention operators')} were looked at; none takes a product of two activations and feeds a product with a third.${reasons}`;
}
