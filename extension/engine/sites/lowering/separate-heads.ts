/** Attention whose q, k and v are inputs, with biases, masks and a past inside (com.microsoft MultiHeadAttention and DecoderMaskedMultiHeadAttention). */
import { AddedGraph } from '../../onnx/graph-builder.ts';
import { dataType, type GraphView, type Node } from '../../onnx/model.ts';
import type { RefusedSite } from '../../../contract/site.ts';
import { planOf } from '../draft.ts';
import { fusedSource } from '../fused-source.ts';
import { maskShape } from '../masks.ts';
import { axesOf, trackOperand, type Axes, type Tracked } from '../operands.ts';
import type { MaskTerm, Operand, SitePlan } from '../site-plan.ts';
import { attributeFloat, attributeInt } from '../walk.ts';
import { keyMask } from './key-mask.ts';
import { noRank, scaleOf, unfused } from './refusals.ts';

/** Inputs of the operator by what they are; empty where they are absent. */
export interface SeparateInputs {
  /** [batch, query, head · dim] */
  readonly query: string;
  /** [batch, key, head · dim], or [batch, head, key, dim]: the keys of an encoder, as they are. */
  readonly key: string; readonly value: string;
  /** [q + k + v] */
  readonly bias?: string;
  readonly mask?: string;
  readonly attentionBias?: string;
  /** [batch, head, past, dim], of which `length` (int32, one number) are real where it shares its buffer with the present. */
  readonly pastKey?: string;
  readonly length?: string;
  /** int32 [batch / beams, beams, most]: which beam's past each position of each beam has. */
  readonly indirection?: string;
  readonly causal: boolean;
}

export const noHeads = `How its queries are cut into heads is not in the graph; ${unfused}`;

const merged: Axes = [['b'], ['s'], ['h', 'd']];

export function separateAttention(node: Node, view: GraphView, inputs: SeparateInputs): SitePlan | RefusedSite {
  const { query, key, value, bias, mask, attentionBias, pastKey, length, indirection, causal } = inputs, heads = attributeInt(node, 'num_heads', 0), [, presentKey, presentValue] = node.outputs;
  const cached = view.dims(key)?.length === 4, width = view.dims(query)?.[2], dim = width !== undefined ? width / heads : view.dims(cached ? key : pastKey ?? '')?.[3] ?? evenly(view.dims(bias ?? '')?.[0], 3 * heads);
  const refuse = (reason: string): RefusedSite => ({ node: node.name, operator: `${node.domain}.${node.op}`, reason }), rank = mask ? view.dims(mask)?.length as 1 | 2 | 3 | undefined : undefined;
  if (!(heads > 0) || dim === undefined || !Number.isInteger(dim)) return refuse(noHeads);
  if (mask && rank === undefined) return refuse(noRank);
  const graph = new AddedGraph(view.model.opsets.get('') ?? view.model.opsets.get('ai.onnx') ?? 1), valueWidth = view.dims(value), valueDim = cached ? valueWidth?.[3] : valueWidth?.[2] === undefined ? undefined : valueWidth[2] / heads;
  const split = (name: string): Operand => ({ value: name, layout: 'b s (h d)', heads }), whole = (name: string): Operand => ({ value: name, layout: 'b h s d', heads });
  const plain = (operand: Operand, size: number | undefined): Tracked => ({ operand, factors: [], heads, dim: size, nodes: [], repeated: false });
  // onnxruntime's kernels are for float32, also where the model is float16.
  const wide = (name: string): string => graph.cast(name, dataType.float), biased = (name: string, from: number, to: number | undefined): string => (bias ? graph.node('Add', [wide(name), wide(graph.slice(bias, 0, from, to ?? 2 ** 31 - 1))]) : name);
  const past = pastKey ? (length ? graph.reshape(graph.cast(length, dataType.int64), [1]) : graph.dim(pastKey, 2)) : undefined;
  const keys = cached ? graph.dim(key, 2) : past ? graph.node('Add', [graph.dim(key, 1), past]) : graph.dim(key, 1);
  const ofPresent = (name: string): Operand => {
    const real = length ? graph.slice(name, 2, 0, keys) : name;
    return whole(indirection ? ofBeams(graph, real, indirection, past!, keys) : real);
  };
  const q = plain(split(biased(query, 0, heads * dim)), dim);
  let k: Tracked, v: Tracked;
  if (pastKey) [k, v] = [plain(ofPresent(presentKey), dim), plain(ofPresent(presentValue), valueDim)];
  else if (cached) [k, v] = repeated(view, key, value, axesOf.four, heads) ?? [plain(whole(key), dim), plain(whole(value), valueDim)];
  else if (bias) [k, v] = [plain(split(biased(key, heads * dim, 2 * heads * dim)), dim), plain(split(biased(value, 2 * heads * dim, undefined)), valueDim)];
  else [k, v] = repeated(view, key, value, merged, heads, dim) ?? [plain(split(key), dim), plain(split(value), valueDim)];
  const fill = attributeFloat(node, 'mask_filter_value', -10_000);
  const masked = mask && rank ? keyMask(graph, { value: mask, fill, batch: graph.dim(query, 0), keys }, rank) : undefined;
  const added: MaskTerm[] = attentionBias ? [{ value: attentionBias, as: 'add' }] : [], rule = { causal, offset: causal ? 'past' : 'zero', window: null } as const;
  const shape = maskShape(view, [...(mask ? [{ value: mask, as: 'keep' } as const] : []), ...added], rule);
  return planOf({
    node, capture: 'recomputed', tracked: { q, k, v }, origins: { q: query, k: k.repeated ? k.operand.value : key, v: v.repeated ? v.operand.value : value }, source: fusedSource(view, node, bias ? [bias] : []),
    q: q.operand, k: k.operand, v: v.operand, out: { value: node.outputs[0], layout: 'b s (h d)', heads }, scale: [{ constant: scaleOf(node, dim), power: 1 }, ...k.factors], softcap: 0,
    masks: [...(masked ? [masked] : []), ...added], hides: { ...shape, additive: shape.additive || masked?.as === 'add' }, rule, added: graph.added(), nodes: [node, ...k.nodes, ...v.nodes],
  }, view);
}

/** A part of a width, where it is one. */
function evenly(width: number | undefined, parts: number): number | undefined { return width !== undefined && Number.isInteger(width / parts) ? width / parts : undefined; }

/** Keys and values of fewer heads that were repeated before the operator, which knows nothing of them. */
function repeated(view: GraphView, key: string, value: string, axes: Axes, heads: number, dim?: number): [Tracked, Tracked] | undefined {
  const k = trackOperand(view, key, axes, { heads, dim }), v = trackOperand(view, value, axes, { heads });
  return k?.repeated && v?.repeated && k.heads === v.heads && k.heads !== undefined && !v.factors.length ? [k, v] : undefined;
}

/** [batch, head, key, dim] with every position of the past taken from the beam that it was made by; what is new is the sample's own. */
function ofBeams(graph: AddedGraph, present: string, indirection: string, past: string, keys: string): string {
  const beams = graph.slice(graph.cast(indirection, dataType.int64), 2, 0, keys), first = graph.node('Mul', [graph.range(graph.dim(beams, 0)), graph.dim(beams, 1)]);
  const from = graph.reshape(graph.node('Add', [beams, graph.unsqueeze(first, [1, 2])]), graph.concat([graph.ints([-1]), keys], 0));
  const isPast = graph.node('Less', [graph.unsqueeze(graph.range(keys), [0]), past]), own = graph.unsqueeze(graph.range(graph.dim(present, 0)), [1]);
  const index = graph.unsqueeze(graph.node('Where', [isPast, from, own]), [1, 3]);
  return graph.node('GatherElements', [present, graph.node('Expand', [index, graph.shape(present)])], { axis: 0 });
}
