/** The operator Attention of ai.onnx 23 and later: 3-D and 4-D inputs, grouped heads, masks, causal rule, past. */
import type { GraphView, Node } from '../../onnx/model.ts';
import { planOf } from '../draft.ts';
import { axesOf, trackOperand, type Tracked } from '../operands.ts';
import type { MaskTerm, Operand, Pattern } from '../site-plan.ts';
import { attributeFloat, attributeInt, isBoolean } from '../walk.ts';

const refusals = {
  lengths: 'Lengths of a cache that lies outside the graph (nonpad_kv_seqlen) are not read yet.',
  past: 'It has a past, but does not hand its present keys and values on, so that they cannot be read.',
} as const;

export const attentionOp: Pattern = {
  id: 'attention-op',
  title: 'Attention operator of ONNX (opset 23)',
  operators: [{
    operator: 'ai.onnx.Attention',
    recognised: 'opset 23 and later, q, k, v of three or four axes, grouped heads; boolean and float masks, is_causal, softcap; with a past, the present keys and values',
    run: 'onnxruntime, CPU, float32 and float16',
    compared: 'its own output, and a float64 twin',
    refused: [{ form: 'nonpad_kv_seqlen', sentence: refusals.lengths }, { form: 'a past without present outputs', sentence: refusals.past }],
  }],
  match(node, view) {
    if (node.op !== 'Attention' || node.domain !== '') return undefined;
    const refuse = (reason: string): { node: string; operator: string; reason: string } => ({ node: node.name, operator: 'Attention', reason });
    const [query, key, value, mask, pastKey, , lengths] = node.inputs;
    if (lengths) return refuse(refusals.lengths);
    const rank = view.dims(query)?.length ?? (node.attributes.has('q_num_heads') ? 3 : 4);
    const qHeads = rank === 3 ? attributeInt(node, 'q_num_heads', 0) : undefined, kvHeads = rank === 3 ? attributeInt(node, 'kv_num_heads', 0) : undefined;
    const q = operandOf(view, query, rank, qHeads);
    // With a past, what is attended to are the present keys and values: after concatenation, one axis for each of batch, head, position, dim.
    const k = pastKey ? present(view, node, 1, kvHeads ?? view.dims(key)?.[1]) : operandOf(view, key, rank, kvHeads);
    const v = pastKey ? present(view, node, 2, kvHeads ?? view.dims(value)?.[1]) : operandOf(view, value, rank, kvHeads);
    if (!q || !k || !v) return refuse(pastKey ? refusals.past : 'The layout of its inputs is not known.');
    const headDim = q.dim ?? k.dim, given = node.attributes.has('scale') ? attributeFloat(node, 'scale', 0) : undefined;
    if (given === undefined && headDim === undefined) return refuse('Neither its scale nor the size of its heads is in the graph.');
    const left = attributeInt(node, 'left_window_size', -1), right = attributeInt(node, 'right_window_size', -1), causal = attributeInt(node, 'is_causal', 0) === 1;
    const masks: MaskTerm[] = mask ? [{ value: mask, as: isBoolean(view, mask) ? 'keep' : 'add' }] : [];
    const heads = q.heads, outDims = view.dims(node.outputs[0]);
    const out: Operand = { value: node.outputs[0], layout: rank === 3 ? 'b s (h d)' : 'b h s d', heads: heads ?? null };
    return planOf({
      node, capture: 'recomputed', tracked: { q, k, v }, q: q.operand, k: k.operand, v: v.operand, out,
      scale: [{ constant: given ?? 1 / Math.sqrt(headDim!), power: 1 }, ...q.factors, ...k.factors], softcap: attributeFloat(node, 'softcap', 0), masks,
      rule: { causal, offset: pastKey ? 'past' : 'zero', window: left < 0 && right < 0 ? null : [left < 0 ? unbounded : left + 1, right < 0 ? unbounded : right] },
      nodes: [node, ...q.nodes, ...k.nodes, ...v.nodes], headDim, valueDim: v.dim ?? (rank === 4 ? outDims?.[3] : undefined),
    }, view);
  },
};

/** A side of a window without an end: more keys than there can be. */
const unbounded = 2 ** 31 - 1;

/** An input of the operator, followed back through repeated heads. */
function operandOf(view: GraphView, value: string, rank: number, heads: number | undefined): Tracked | undefined {
  if (rank === 4) return trackOperand(view, value, axesOf.four);
  if (rank !== 3 || !heads) return undefined;
  const width = view.dims(value)?.[2];
  return { operand: { value, layout: 'b s (h d)', heads }, factors: [], heads, dim: width === undefined ? undefined : width / heads, nodes: [], repeated: false };
}

function present(view: GraphView, node: Node, output: 1 | 2, heads: number | undefined): Tracked | undefined {
  const value = node.outputs[output];
  if (!value) return undefined;
  const past = view.dims(node.inputs[output === 1 ? 4 : 5]), own = view.dims(value), dim = own?.[3] ?? past?.[3];
  return { operand: { value, layout: 'b h s d', heads: heads ?? past?.[1] ?? null }, factors: [], heads: heads ?? past?.[1], dim, nodes: [], repeated: false };
}
