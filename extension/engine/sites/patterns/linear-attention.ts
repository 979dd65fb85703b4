/** LinearAttention of onnxruntime and of ai.onnx 27: a state that every token changes and reads; no probabilities, but weights that its output implies. */
import { AddedGraph } from '../../onnx/graph-builder.ts';
import { dataType } from '../../onnx/model.ts';
import { planOf } from '../draft.ts';
import { elementType } from '../element-type.ts';
import type { OperatorRow } from '../operator-row.ts';
import type { Tracked } from '../operands.ts';
import type { Pattern } from '../site-plan.ts';
import { attributeFloat, attributeInt } from '../walk.ts';

const refusals = {
  heads: 'It does not say how many heads its queries and keys have (q_num_heads, kv_num_heads); export the model again.',
  scale: 'Neither its scale nor the size of its heads is in the graph; export the model with the shapes of its inputs.',
} as const;

const row = (operator: string, run: string): OperatorRow => ({
  operator, run,
  recognised: 'as linear attention: q, k, v of three axes, grouped heads; update rules linear, gated, delta and gated_delta, with decay, beta and a past state. Its output is linear in v: the weights that it implies are what the operator itself gives for one-hot values, and are stored as hook_implied where the pattern is asked for',
  compared: 'its own output, and a float64 twin of each update rule',
  refused: [{ form: 'no number of heads', sentence: refusals.heads }, { form: 'neither a scale nor known sizes', sentence: refusals.scale }],
});

export const linearAttention: Pattern = {
  id: 'linear-attention',
  title: 'Linear attention (LinearAttention)',
  operators: [row('com.microsoft.LinearAttention', 'onnxruntime, CPU'), row('ai.onnx.LinearAttention', 'onnxruntime, CPU: opset 27 is under development, and the runner tells onnxruntime to take it')],
  match(node, view) {
    if (node.op !== 'LinearAttention' || node.domain !== '' && node.domain !== 'com.microsoft') return undefined;
    const operator = node.domain ? `${node.domain}.${node.op}` : node.op, refuse = (reason: string): { node: string; operator: string; reason: string } => ({ node: node.name, operator, reason });
    const [query = '', key = '', value = '', state = '', decay = '', beta = ''] = node.inputs, heads = attributeInt(node, 'q_num_heads', 0), kvHeads = attributeInt(node, 'kv_num_heads', 0);
    if (!(heads > 0) || !(kvHeads > 0)) return refuse(refusals.heads);
    const operand = (of: string, count: number): Tracked => { const width = view.dims(of)?.[2]; return { operand: { value: of, layout: 'b s (h d)', heads: count }, factors: [], heads: count, dim: width === undefined ? undefined : width / count, nodes: [], repeated: false }; };
    const q = operand(query, heads), k = operand(key, kvHeads), v = operand(value, kvHeads), given = attributeFloat(node, 'scale', 0), dim = k.dim ?? q.dim;
    if (given === 0 && dim === undefined) return refuse(refusals.scale);

    const graph = new AddedGraph(view.model.opsets.get('') ?? 17), attributes = Object.fromEntries([...node.attributes.values()].map(each => [each.name, each.s ?? each.i ?? (each.f === undefined ? each.ints ?? [] : { float: each.f })]));
    const again = (values: string, past: string): string => graph.several('LinearAttention', [query, key, values, past, decay, beta], 2, attributes, node.domain)[0];
    const positions = graph.dim(value, 1), batch = graph.dim(value, 0), steps = graph.range(positions), ofType = (hot: string): string => (elementType(view, value) === dataType.float16 ? graph.cast(hot, dataType.float16) : hot);
    // Row j of the values is one-hot at j, in every head: what comes out of query i is its weights of all keys.
    const hot = graph.cast(graph.node('Equal', [graph.unsqueeze(steps, [0]), graph.unsqueeze(steps, [1])]), dataType.float);
    const wide = graph.node('Expand', [graph.unsqueeze(hot, [0, 2]), graph.concat([batch, positions, graph.ints([kvHeads]), positions], 0)]);
    const weights = graph.transpose(graph.reshape(again(ofType(graph.reshape(wide, [0, 0, -1])), ''), graph.concat([batch, positions, graph.ints([heads]), positions], 0)), [0, 2, 1, 3]);
    return planOf({
      node, capture: 'recomputed', form: 'linear', tracked: { q, k, v }, q: q.operand, k: k.operand, v: v.operand, out: { value: node.outputs[0], layout: 'b s (h d)', heads },
      scale: [{ constant: given || 1 / Math.sqrt(dim!), power: 1 }], softcap: 0, masks: [], rule: { causal: true, offset: 'zero', window: null },
      implied: { weights, ...(state ? { before: again(graph.node('Mul', [value, ofType(graph.floats(0))]), state) } : {}) },
      nodes: [node], heads, headDim: dim, valueDim: v.dim, added: graph.added(),
    }, view);
  },
};
