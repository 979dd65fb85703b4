/** The parts of a site that every pattern fills the same way; names are given when all sites are known. */
import type { CaptureWay, MaskShape, Site, SiteForm, SiteSource } from '../../contract/site.ts';
import { dataType, type GraphView, type Node } from '../onnx/model.ts';
import { elementType } from './element-type.ts';
import { formOf } from './form.ts';
import { kindOf, projections } from './kind.ts';
import { maskShape } from './masks.ts';
import { sourceOf } from './names.ts';
import type { Tracked } from './operands.ts';
import type { SitePlan } from './site-plan.ts';

export interface Draft extends Omit<SitePlan, 'site'> {
  /** The softmax, or the operator. */
  readonly node: Node;
  readonly capture: CaptureWay;
  readonly tracked?: { readonly q: Tracked; readonly k: Tracked; readonly v: Tracked };
  /** Values of the graph itself that stand for q, k and v where the operands are made by `added` nodes: for people, for self or cross, for where the source is. */
  readonly origins?: { readonly q: string; readonly k: string; readonly v: string };
  /** What a mask does that `added` nodes make, beyond what is seen in `masks` and `rule`. */
  readonly hides?: Partial<MaskShape>;
  /** Where the operator's own name and neighbours say nothing of it. */
  readonly source?: SiteSource;
  /** Where the operator makes q and k of one input. */
  readonly form?: SiteForm;
  /** These go before what tracking found. */
  readonly heads?: number;
  readonly headDim?: number;
  readonly valueDim?: number;
  /** Why only the softmax could be read. */
  readonly why?: string;
}

/** A plan whose site still lacks its name. */
export function planOf(draft: Draft, view: GraphView): SitePlan {
  const { node, capture, tracked, origins, hides, source: told, form, heads, headDim, valueDim, why, ...plan } = draft;
  const q = origins?.q ?? plan.q?.value, k = origins?.k ?? plan.k?.value, v = origins?.v ?? plan.v?.value;
  const scale = capture === 'softmax-only' ? undefined : plan.scale.reduce<number | undefined>((product, factor) => (product === undefined || !('constant' in factor) ? undefined : product * factor.constant ** factor.power), 1);
  const of = { q: origins?.q ?? tracked?.q.operand.value ?? '', k: origins?.k ?? tracked?.k.operand.value ?? '' }, kind = tracked ? kindOf(view, of.q, of.k) : 'self';
  const site: Site = {
    name: '', stack: 'main', layer: 0, kind, form: form ?? (tracked && kind === 'self' ? formOf(view, of.q, of.k) : 'dense'),
    heads: heads ?? tracked?.q.heads ?? null, kvHeads: tracked?.k.heads ?? tracked?.v.heads ?? null,
    headDim: headDim ?? tracked?.q.dim ?? tracked?.k.dim ?? null, valueDim: valueDim ?? tracked?.v.dim ?? null,
    mask: { ...maskShape(view, plan.masks, plan.rule), ...hides }, scale: scale === undefined ? null : Number(scale.toPrecision(7)), softcap: plan.softcap || null, sinkLogit: plan.sink !== undefined,
    operator: node.domain ? `${node.domain}.${node.op}` : node.op, node: node.name, capture, ...(why ? { why } : {}),
    taps: { q: q ?? null, k: k ?? null, v: v ?? null, probs: plan.softmax?.probs ?? null, out: plan.out?.value ?? null },
    source: told ?? sourceOf(node, plan.nodes, [q, k].flatMap(value => (value === undefined ? [] : [...projections(view, value)].map(each => each.inputs[1])))),
  };
  const half = [q, node.outputs[0], plan.out?.value].some(value => value !== undefined && elementType(view, value) === dataType.float16);
  return { ...plan, ...(half ? { half } : {}), site };
}
