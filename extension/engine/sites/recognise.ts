/** Finds the attention of a model: every pattern is tried on every node, sites get their names, what cannot be read is refused by name. */
import type { RefusedSite, Site, SitesReport } from '../../contract/site.ts';
import { viewGraph } from '../onnx/graph-view.ts';
import { branchInputs, inlineModel } from '../onnx/inline.ts';
import type { GraphView, Model } from '../onnx/model.ts';
import { modelInfo } from '../onnx/open.ts';
import { openInputs, pictureInput } from '../onnx/picture-input.ts';
import { innerAttention } from './inner-attention.ts';
import { lowered } from './lowering/quantised.ts';
import { nameSites, type Unnamed } from './names.ts';
import { patterns } from './patterns/registry.ts';
import { projectionsOf, weightsOf } from './projections.ts';
import { blockOf } from './residual.ts';
import { repeated } from './shared-weights.ts';
import type { SitePlan } from './site-plan.ts';

export interface Recognised {
  readonly plans: readonly SitePlan[];
  readonly refused: readonly RefusedSite[];
  /** What was looked at, as a sentence; shown where there are no plans. */
  readonly looked: string;
}

/**
 * The attention sites of `model`, in graph order, of its main graph: `inlineModel` first puts functions and branches into it.
 * Nothing is run and no weight is read.
 */
export function recognise(model: Model): Recognised {
  const view = lowered(viewGraph(model)), { found, refused } = matches(view);
  refused.push(...innerAttention(view, inside => { const inner = matches(lowered(inside)); return [...inner.found, ...inner.refused]; }));
  const unnamed = found.map((plan): Unnamed => ({ module: plan.site.source.module, kind: plan.site.kind }));
  let named = nameSites(unnamed);
  // Two attentions in a block are told from one block that is used twice by their weights; they are only looked at where there is doubt.
  if (named.some(({ name }) => /\.\d+$/.test(name))) {
    const again = repeated(view, found);
    named = nameSites(unnamed.map((site, i) => ({ ...site, again: again[i] })));
  }
  const plans = found.map((plan, i): SitePlan => ({ ...plan, site: { ...plan.site, ...named[i], ...surroundings(view, plan) } }));
  return { plans: withoutMlp(plans), refused, looked: looked(model, refused) };
}

/** The weights of a site and the residual stream around it. */
function surroundings(view: GraphView, plan: SitePlan): Pick<Site, 'block' | 'weights'> {
  const projections = projectionsOf(view, plan);
  return { block: blockOf(view, projections) ?? null, weights: weightsOf(projections) };
}

/** Where what comes next on the stream is another attention (as cross attention behind self attention), there is no MLP in between. */
function withoutMlp(plans: readonly SitePlan[]): readonly SitePlan[] {
  const attends = new Set(plans.map(plan => plan.site.block?.attnOut));
  return plans.map(plan => {
    const { block } = plan.site;
    return block?.mlpOut && attends.has(block.mlpOut) ? { ...plan, site: { ...plan.site, block: { ...block, ln2: null, mlpOut: null, residPost: block.residMid } } } : plan;
  });
}

/** Tries every pattern on every node of one graph; the match that covers most wins. */
function matches(view: GraphView): { readonly found: SitePlan[]; readonly refused: RefusedSite[] } {
  const found: SitePlan[] = [], refused: RefusedSite[] = [];
  for (const node of view.graph.nodes) {
    let best: SitePlan | undefined;
    const reasons: RefusedSite[] = [];
    for (const pattern of patterns) {
      const match = pattern.match(node, view);
      if (!match) continue;
      if (!('site' in match)) reasons.push(match);
      else if (lacks(match)) reasons.push({ node: node.name, operator: node.op, reason: 'It has fewer inputs or outputs than attention takes; export the model again.' });
      else if (!best || match.nodes.length > best.nodes.length) best = match;
    }
    if (best) found.push(best); else refused.push(...reasons);
  }
  return { found, refused };
}

/** An operator of a broken file may lack an input that its name promises. */
function lacks({ q, k, v, out }: SitePlan): boolean { return [q, k, v, out].some(operand => operand !== undefined && !operand.value); }

/** The graph of a run that nobody described yet, and its sites. */
export interface Assumed extends Recognised {
  readonly model: Model;
  /** Values of the boolean inputs that decide between branches: all false, as without a past, unless attention lies in the other branches alone. */
  readonly assumed: Readonly<Record<string, boolean>>;
}

/** The sites of `model` with its functions and branches unfolded. Both branches of a merged decoder hold the same layers: they are listed once. */
export function recogniseInlined(model: Model): Assumed {
  const names = branchInputs(model), all = (value: boolean): Assumed => {
    const assumed = Object.fromEntries(names.map(name => [name, value])), inlined = inlineModel(model, assumed);
    return { ...recognise(inlined), model: inlined, assumed };
  };
  const without = all(false), other = names.length && !without.plans.length ? all(true) : undefined;
  return other?.plans.length ? other : without;
}

/** What `attnscope sites` prints. */
export function sitesReport(model: Model): SitesReport {
  const { model: inlined, plans, refused, looked: sentence, assumed } = recogniseInlined(model), picture = pictureInput(model)?.name;
  return {
    formatVersion: 1, model: modelInfo(inlined), ...(picture === undefined ? {} : { picture }), inputs: openInputs(model).map(input => input.name), sites: plans.map(plan => plan.site), refused,
    ...(Object.keys(assumed).length ? { assumed } : {}), ...(plans.length ? {} : { looked: sentence }),
  };
}

function looked(model: Model, refused: readonly RefusedSite[]): string {
  const { nodes } = model.graph, softmaxes = nodes.filter(node => node.op === 'Softmax').length, fused = nodes.filter(node => node.op !== 'Softmax' && node.op.endsWith('Attention')).length;
  const counted = (count: number, one: string, many: string): string => (count === 0 ? `no ${one}` : `${count} ${count === 1 ? one : many}`);
  const file = model.path.split(/[\\/]/).pop();
  const reasons = refused.length ? ` ${refused[0].operator} at ${refused[0].node || '(a node without a name)'}: ${refused[0].reason}` : '';
  return `There is no attention that can be read in ${file}: of ${counted(nodes.length, 'node', 'nodes')}, ${counted(softmaxes, 'Softmax', 'Softmax nodes')} and ${counted(fused, 'fused attention operator', 'fused attention operators')} were looked at; none takes a product of two activations and feeds a product with a third.${reasons}`;
}
