/** Attention whose q, k and v are one projection inside the operator (com.microsoft Attention and QAttention). */
import { AddedGraph } from '../../onnx/graph-builder.ts';
import type { RefusedSite } from '../../../contract/site.ts';
import type { GraphView, Node } from '../../onnx/model.ts';
import type { Refusal } from '../operator-row.ts';
import { planOf } from '../draft.ts';
import { formOfInput } from '../form.ts';
import { fusedSource } from '../fused-source.ts';
import { maskShape } from '../masks.ts';
import type { Tracked } from '../operands.ts';
import type { MaskTerm, Operand, SitePlan } from '../site-plan.ts';
import { attributeFloat, attributeInt } from '../walk.ts';
import { keyMask } from './key-mask.ts';
import { cudaOnly, noRank, scaleOf, unfused } from './refusals.ts';

/** Inputs of the operator by what they are; empty where they are absent. */
export interface MergedInputs {
  /** [batch, query, width] */
  readonly input: string;
  /** [width, q + k + v] */
  readonly weights: string;
  /** [q + k + v] */
  readonly bias: string;
  readonly mask?: string;
  /** [2, batch, head, past, dim] */
  readonly past?: string;
  /** [batch or 1, head or 1, query, key] */
  readonly attentionBias?: string;
}

const sentences = {
  heads: `How its projections are cut into heads is not in the graph; ${unfused}`,
  present: 'It has a past and does not hand its present on, which onnxruntime refuses to run; export the model with its present as an output.',
} as const;
export const pastAndBias = `It has a past and a bias on its scores, which onnxruntime refuses to run together; ${unfused}`;
const rotary = 'a rotary embedding inside', shared = 'a past and a present that share a buffer', square = 'a mask of four axes';

/** The forms of `operator` that are refused. */
export function mergedRefusals(operator: string): Refusal[] {
  return [
    { form: 'weights of unknown size', sentence: sentences.heads }, { form: 'a past without a present', sentence: sentences.present }, { form: 'a mask of unknown rank', sentence: noRank },
    ...[rotary, shared, square].map(form => ({ form, sentence: cudaOnly(operator, form) })),
  ];
}

/** The site, with `project` writing [batch, query, q + k + v] out. */
export function mergedAttention(node: Node, view: GraphView, inputs: MergedInputs, project: (graph: AddedGraph) => string): SitePlan | RefusedSite {
  const operator = `${node.domain}.${node.op}`, refuse = (reason: string): RefusedSite => ({ node: node.name, operator, reason });
  const { input, mask, past, attentionBias } = inputs, heads = attributeInt(node, 'num_heads', 0), widths = widthsOf(node, view, inputs), present = node.outputs[1];
  if (!(heads > 0) || !widths || widths.some(width => width <= 0 || width % heads !== 0)) return refuse(sentences.heads);
  if (attributeInt(node, 'do_rotary', 0)) return refuse(cudaOnly(operator, rotary));
  if (attributeInt(node, 'past_present_share_buffer', 0)) return refuse(cudaOnly(operator, shared));
  if (past && !present) return refuse(sentences.present);
  if (past && attentionBias) return refuse(pastAndBias);
  const rank = mask ? view.dims(mask)?.length : undefined;
  if (mask && rank === undefined) return refuse(noRank);
  if (rank === 4) return refuse(cudaOnly(operator, square));
  const graph = new AddedGraph(view.model.opsets.get('') ?? view.model.opsets.get('ai.onnx') ?? 1), projected = project(graph), [qWidth, kWidth, vWidth] = widths;
  const part = (from: number, width: number): Operand => ({ value: projected, layout: 'b s (h d)', heads, slice: [from, from + width] });
  const ofPresent = (at: number): Operand => ({ value: graph.node('Gather', [present, graph.ints(at)], { axis: 0 }), layout: 'b h s d', heads });
  const q = part(0, qWidth), k = past ? ofPresent(0) : part(qWidth, kWidth), v = past ? ofPresent(1) : part(qWidth + kWidth, vWidth);
  const length = graph.dim(input, 1), keys = past ? graph.node('Add', [length, graph.dim(past, 3)]) : length, fill = attributeFloat(node, 'mask_filter_value', -10_000);
  // A mask [batch, 1] stands for none.
  const masked = mask && (rank === 1 || rank === 3 || view.dims(mask)?.[1] !== 1) ? keyMask(graph, { value: mask, fill, batch: graph.dim(input, 0), keys }, rank as 1 | 2 | 3) : undefined;
  const biased: MaskTerm[] = attentionBias ? [{ value: attentionBias, as: 'add' }] : [], causal = attributeInt(node, 'unidirectional', 0) === 1, rule = { causal, offset: causal ? 'past' : 'zero', window: null } as const;
  const tracked = (operand: Operand, width: number): Tracked => ({ operand, factors: [], heads, dim: width / heads, nodes: [], repeated: false });
  const shape = maskShape(view, [...(masked && mask ? [{ value: mask, as: 'keep' } as const] : []), ...biased], rule);
  return planOf({
    node, capture: 'recomputed', tracked: { q: tracked(q, qWidth), k: tracked(k, kWidth), v: tracked(v, vWidth) }, origins: { q: input, k: input, v: input }, source: fusedSource(view, node, [inputs.weights, inputs.bias]), form: formOfInput(view, input),
    q, k, v, out: { value: node.outputs[0], layout: 'b s (h d)', heads }, scale: [{ constant: scaleOf(node, qWidth / heads), power: 1 }], softcap: 0,
    masks: [...(masked ? [masked] : []), ...biased], hides: { ...shape, additive: shape.additive || masked?.as === 'add' }, rule, added: graph.added(), nodes: [node],
  }, view);
}

/** Columns of q, k and v. */
function widthsOf(node: Node, view: GraphView, { weights, bias }: MergedInputs): readonly [q: number, k: number, v: number] | undefined {
  const given = node.attributes.get('qkv_hidden_sizes')?.ints, whole = view.dims(weights)?.[1] ?? (bias ? view.dims(bias)?.[0] : undefined);
  if (given?.length === 3) return given as unknown as [number, number, number];
  return whole === undefined ? undefined : [whole / 3, whole / 3, whole / 3];
}
