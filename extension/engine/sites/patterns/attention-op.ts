/** The operator Attention of ai.onnx 23 and later: 3-D and 4-D inputs, grouped heads, masks, causal rule, past, lengths of a cache outside the graph. */
import { AddedGraph } from '../../onnx/graph-builder.ts';
import { dataType, type GraphView, type Node } from '../../onnx/model.ts';
import { planOf } from '../draft.ts';
import { axesOf, trackOperand, type Tracked } from '../operands.ts';
import type { MaskTerm, Operand, Pattern, ScaleFactor } from '../site-plan.ts';
import { attributeFloat, attributeInt, isBoolean } from '../walk.ts';

const refusals = {
  past: 'It has a past, but does not hand its present keys and values on, and onnxruntime 1.30 runs it only where it does; export the model with them as outputs of the operator.',
  both: 'It has both a past and lengths of a cache outside the graph (nonpad_kv_seqlen), which the operator does not allow; export the model with one of them.',
  layout: 'Its inputs have neither three axes and a number of heads nor four axes, so that its heads cannot be told apart; export the model again.',
} as const;

export const attentionOp: Pattern = {
  id: 'attention-op',
  title: 'Attention operator of ONNX (opset 23)',
  operators: [{
    operator: 'ai.onnx.Attention',
    recognised: 'opset 23 and later; q, k, v of three or four axes, grouped heads, values of another size; boolean and float masks of two to four axes; is_causal from the first key, from the past, or to the end of each sample\'s length (nonpad_kv_seqlen); softcap, scale, softmax_precision; with a past, the present keys and values; windows (left_window_size, right_window_size), which onnxruntime 1.30 does not run',
    run: 'onnxruntime, CPU, float32 and float16; refused when it is run: bfloat16 ("… computes in bfloat16, and onnxruntime 1.30 has no Expand of that type for the CPU.") and windows ("… gives Attention a window (left_window_size), which onnxruntime 1.30 does not know.")',
    compared: 'its own output, its own qk_matmul_output in modes 0 to 3, and a float64 twin',
    refused: [
      { form: 'a past without present outputs', sentence: refusals.past }, { form: 'a past and nonpad_kv_seqlen', sentence: refusals.both },
      { form: 'inputs of other than three or four axes, or three without head counts', sentence: refusals.layout },
    ],
  }],
  match(node, view) {
    if (node.op !== 'Attention' || node.domain !== '') return undefined;
    const refuse = (reason: string): { node: string; operator: string; reason: string } => ({ node: node.name, operator: 'Attention', reason });
    const [query, key, value, mask = '', pastKey = '', , lengths = ''] = node.inputs, [, presentKey = '', presentValue = ''] = node.outputs;
    if (pastKey && lengths) return refuse(refusals.both);
    if (pastKey && (!presentKey || !presentValue)) return refuse(refusals.past);
    const rank = view.dims(query)?.length ?? (node.attributes.has('q_num_heads') ? 3 : 4);
    const qHeads = rank === 3 ? attributeInt(node, 'q_num_heads', 0) : undefined, kvHeads = rank === 3 ? attributeInt(node, 'kv_num_heads', 0) : undefined;
    const graph = new AddedGraph(view.model.opsets.get('') ?? 23), position = rank === 4 ? 2 : 1;
    // What lies behind the longest sample of a cache is seen by nobody: it is left out.
    const longest = lengths && graph.reshape(graph.node('ReduceMax', [lengths], { keepdims: 0 }), [1]), long = (of: string): string => (longest ? graph.slice(of, position, 0, longest) : of);
    const q = operandOf(view, query, rank, qHeads);
    // With a past, what is attended to are the present keys and values: after concatenation, one axis for each of batch, head, position, dim.
    const k = pastKey ? present(view, node, 1, kvHeads) : longest ? cached(view, key, long(key), rank, kvHeads) : operandOf(view, key, rank, kvHeads);
    const v = pastKey ? present(view, node, 2, kvHeads) : longest ? cached(view, value, long(value), rank, kvHeads) : operandOf(view, value, rank, kvHeads);
    if (!q || !k || !v) return refuse(refusals.layout);

    const headDim = q.dim ?? k.dim, given = node.attributes.has('scale') ? attributeFloat(node, 'scale', 0) : undefined;
    const scale: ScaleFactor = given !== undefined ? { constant: given, power: 1 } : headDim !== undefined ? { constant: 1 / Math.sqrt(headDim), power: 1 }
      : { value: graph.node('Sqrt', [graph.cast(rank === 4 ? graph.dim(query, 3) : graph.node('Div', [graph.dim(query, 2), graph.ints([qHeads!])]), dataType.float)]), power: -1 };
    const causal = attributeInt(node, 'is_causal', 0) === 1, counted = pastKey !== '' || lengths !== '', queries = (): string => graph.dim(query, position);
    // The first query's own key stands behind the past, or so that the last query ends where its sample does; first of all otherwise.
    const reach = causal && pastKey ? causalReach(graph, { starts: graph.dim(pastKey, 2), queries: queries(), keys: graph.dim(presentKey, 2) })
      : causal && lengths ? causalReach(graph, { starts: graph.node('Sub', [graph.reshape(lengths, [-1]), queries()]), queries: queries(), keys: longest }) : undefined;
    const visible = reach?.visible ?? (lengths && graph.node('Less', [graph.unsqueeze(graph.range(longest), [0, 1, 2]), graph.unsqueeze(graph.reshape(lengths, [-1]), [1, 2, 3])]));
    const masks: MaskTerm[] = [...(mask ? [{ value: longest ? graph.slice(mask, -1, 0, longest) : mask, as: isBoolean(view, mask) ? 'keep' as const : 'add' as const }] : []), ...(visible ? [{ value: visible, as: 'keep' as const }] : [])];
    const left = attributeInt(node, 'left_window_size', -1), right = attributeInt(node, 'right_window_size', -1), windowed = left >= 0 || right >= 0;
    const out: Operand = { value: node.outputs[0], layout: rank === 3 ? 'b s (h d)' : 'b h s d', heads: q.heads ?? null };
    return planOf({
      node, capture: 'recomputed', tracked: { q, k, v }, q: q.operand, k: k.operand, v: v.operand, out, origins: { q: q.operand.value, k: longest ? key : k.operand.value, v: longest ? value : v.operand.value },
      scale: [scale, ...q.factors, ...k.factors], softcap: attributeFloat(node, 'softcap', 0), masks,
      rule: { causal, offset: counted ? 'past' : 'zero', window: windowed ? [left, right] : null, ...(reach ? { unless: reach.uneven } : {}) },
      hides: { ...(lengths ? { padding: true } : {}), ...(windowed ? { window: causal ? left + 1 : [left < 0 ? unbounded : left + 1, right < 0 ? unbounded : right] } : {}) },
      nodes: [node, ...q.nodes, ...k.nodes, ...v.nodes], headDim, valueDim: v.dim ?? (rank === 4 ? view.dims(node.outputs[0])?.[3] : undefined), added: graph.added(),
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

/** Keys or values of a cache outside the graph: `value`, cut to what is in it. */
function cached(view: GraphView, value: string, cut: string, rank: number, heads: number | undefined): Tracked | undefined {
  const dims = view.dims(value), three = rank === 3, own = three ? heads : dims?.[1], last = three ? dims?.[2] : dims?.[3];
  if (three && !heads || !three && rank !== 4) return undefined;
  return { operand: { value: cut, layout: three ? 'b s (h d)' : 'b h s d', heads: own ?? null }, factors: [], heads: own, dim: last === undefined ? undefined : three ? last / heads! : last, nodes: [], repeated: false };
}

function present(view: GraphView, node: Node, output: 1 | 2, heads: number | undefined): Tracked {
  const value = node.outputs[output], past = view.dims(node.inputs[output === 1 ? 4 : 5]), own = view.dims(value), dim = own?.[3] ?? past?.[3], count = heads ?? past?.[1] ?? view.dims(node.inputs[output])?.[1];
  return { operand: { value, layout: 'b h s d', heads: count ?? null }, factors: [], heads: count, dim, nodes: [], repeated: false };
}

/**
 * Key j is seen by query i of sample b where j ≤ i + starts[b]; `starts` int64 [1 or batch], `queries` and `keys` int64 [1]. `uneven`: 1 where that is not keys − queries
 * for every sample, so that the rule does not hold and `visible` [batch, 1, query, key] says all of it; where it is, `visible` is one row that hides nothing.
 */
function causalReach(graph: AddedGraph, { starts, queries, keys }: { readonly starts: string; readonly queries: string; readonly keys: string }): { readonly visible: string; readonly uneven: string } {
  const off = graph.node('Abs', [graph.node('Sub', [starts, graph.node('Sub', [keys, queries])])]), one = graph.ints([1]);
  const uneven = graph.cast(graph.node('Greater', [graph.reshape(graph.node('ReduceMax', [off], { keepdims: 0 }), [1]), graph.ints([0])]), dataType.int64);
  const rows = graph.node('Add', [graph.node('Mul', [uneven, graph.node('Sub', [queries, one])]), one]), row = graph.node('Add', [graph.range(rows), graph.node('Sub', [queries, rows])]);
  const edge = graph.node('Add', [graph.unsqueeze(row, [0, 1, 3]), graph.unsqueeze(starts, [1, 2, 3])]);
  return { visible: graph.node('LessOrEqual', [graph.unsqueeze(graph.range(keys), [0, 1, 2]), edge]), uneven };
}
