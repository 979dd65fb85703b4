/** onnxruntime's GroupQueryAttention: packed or separate inputs, rotary embedding inside, past, window, softcap, bias, sinks. */
import type { AddedGraph } from '../../onnx/graph-builder.ts';
import { dataType } from '../../onnx/model.ts';
import { planOf } from '../draft.ts';
import { groupedOperands, lengthsOf, placesOfTokens, rotatedWidth, wrongHeads } from '../grouped-inputs.ts';
import type { MaskTerm, Pattern } from '../site-plan.ts';
import { attributeFloat, attributeInt, dataDependent } from '../walk.ts';

const operator = 'com.microsoft.GroupQueryAttention';
const refusals = {
  quantized: 'Its cache of keys and values is quantized, which cannot be read yet; export the model with a cache of float16 or float32.',
  sliding: 'Its cache keeps the keys of its window only (sliding_window_cache), which cannot be read yet; export the model with a cache of the whole text.',
  norms: 'It normalizes queries and keys inside, which onnxruntime cannot run on the CPU; export the model with these norms as nodes of their own.',
  present: 'It has a past, but does not hand its present keys and values on, so that they cannot be read.',
  cosines: 'The width of its cosines is not in the graph.',
} as const;

export const groupQueryAttention: Pattern = {
  id: 'group-query-attention',
  title: 'Grouped-query attention of onnxruntime (GroupQueryAttention)',
  operators: [{
    operator,
    recognised: 'packed or separate inputs; rotary embedding inside (halves or pairs), position ids; past, also in longer buffers; causal or not, window, softcap, bias, head sinks, smooth softmax; samples of different lengths',
    run: 'onnxruntime, CPU, float32 and float16',
    compared: 'its own output and its own probabilities (qk_output), and a float64 twin',
    refused: [{ form: 'a quantized cache', sentence: refusals.quantized }, { form: 'a cache of its window only', sentence: refusals.sliding }, { form: 'norms inside', sentence: refusals.norms }, { form: 'a past without present outputs', sentence: refusals.present }, { form: 'cosines of unknown width', sentence: refusals.cosines }],
  }],
  match(node, view) {
    if (node.op !== 'GroupQueryAttention' || node.domain !== 'com.microsoft') return undefined;
    const refuse = (reason: string): { node: string; operator: string; reason: string } => ({ node: node.name, operator, reason });
    const [query = '', key = '', value = '', pastKey = '', , lengths = '', total = '', cos = '', sin = '', positions = '', bias = '', sink = '', kScale = '', vScale = '', qNorm = '', kNorm = ''] = node.inputs;
    const heads = attributeInt(node, 'num_heads', 0), kvHeads = attributeInt(node, 'kv_num_heads', 0);
    const quantized = ['k_quant_type', 'v_quant_type'].some(name => (node.attributes.get(name)?.s ?? 'NONE') !== 'NONE') || kScale !== '' || vScale !== '';
    if (quantized) return refuse(refusals.quantized);
    if (attributeInt(node, 'sliding_window_cache', 0) === 1) return refuse(refusals.sliding);
    if (qNorm || kNorm) return refuse(refusals.norms);
    const wrong = wrongHeads(heads, kvHeads);
    if (wrong) return refuse(wrong);
    if (!query || !lengths || !total) return refuse('Its lengths (seqlens_k, total_sequence_length) are missing.');
    const rotary = attributeInt(node, 'do_rotary', 0) === 1;
    if (rotary && (!cos || !sin)) return refuse('It rotates queries and keys, but has no cosines and sines.');
    if (rotary && rotatedWidth(view, cos) === undefined) return refuse(refusals.cosines);
    const [, presentKey = '', presentValue = ''] = node.outputs;
    if (pastKey && (!presentKey || !presentValue)) return refuse(refusals.present);
    const { graph, total: end, q, k, v, headDim, scale } = groupedOperands(view, {
      node, heads, kvHeads, query, key, value, pastKey, cos, sin, presentKey, presentValue, total,
      positions: (added, count) => placesOfTokens(added, query, lengthsOf(added, lengths), count, positions),
    });

    const causal = attributeInt(node, 'causal', 1) !== 0, window = attributeInt(node, 'local_window_size', -1);
    const reach = reachOf(graph, { query, lengths, total: end, causal, window });
    const masks: MaskTerm[] = [
      ...(bias ? [{ value: bias, as: 'add' as const }] : []),
      { value: reach.visible, as: 'keep' },
    ];
    const smooth = attributeInt(node, 'smooth_softmax', -1) === 1;
    return planOf({
      node, capture: 'recomputed', tracked: { q, k, v }, q: q.operand, k: k.operand, v: v.operand, origins: { q: query, k: presentKey || key || query, v: presentValue || value || query },
      out: { value: node.outputs[0], layout: 'b s (h d)', heads }, scale, softcap: attributeFloat(node, 'softcap', 0), masks,
      rule: { causal, offset: 'past', window: window > 0 ? [window - 1, -1] : null, unless: reach.uneven },
      hides: { ...(window > 0 ? { window } : {}), ...(dataDependent(view).has(lengths) ? { padding: true } : {}) },
      ...(sink || smooth ? { sink: sink || graph.floats(new Array<number>(heads).fill(0)) } : {}),
      nodes: [node], heads, headDim, valueDim: headDim, added: graph.added(),
    }, view);
  },
};

interface Reach { readonly query: string; readonly lengths: string; readonly total: string; readonly causal: boolean; readonly window: number }

/**
 * `visible`: bool [batch, 1, query or 1, key]; `uneven`: 1 where samples differ in length, so that the rule, which counts from the end of the
 * longest, does not hold, and `visible` says all of it; where they do not, it is one row. A prompt counts from its start, and rows behind its
 * end see nothing (the operator leaves there what was in its memory); what continues a past counts from each sample's own end.
 */
function reachOf(graph: AddedGraph, { query, lengths, total, causal, window }: Reach): { readonly visible: string; readonly uneven: string } {
  const tokens = graph.dim(query, 1), one = graph.ints([1]), last = graph.node('Sub', [total, one]), ends = lengthsOf(graph, lengths);
  const least = graph.node('ReduceMin', [ends], { keepdims: 1, ...(graph.opset >= 18 ? {} : { axes: [0] }) });
  const uneven = graph.cast(graph.node('Less', [least, last]), dataType.int64), keys = graph.unsqueeze(graph.range(total), [0, 1, 2]), end = graph.unsqueeze(ends, [1, 2, 3]);
  // Without an order every token sees what its sample has.
  if (!causal) return { visible: graph.node('Not', [graph.node('Greater', [keys, end])]), uneven };
  const rows = graph.node('Add', [graph.node('Mul', [uneven, graph.node('Sub', [tokens, one])]), one]), before = graph.node('Sub', [tokens, rows]);
  const row = graph.unsqueeze(graph.node('Add', [graph.range(rows), before]), [0, 1, 3]), prompt = graph.node('Equal', [tokens, total]);
  const started = graph.node('Where', [graph.node('Greater', [row, end]), graph.ints([-1]), row]), continued = graph.node('Add', [graph.node('Sub', [end, graph.node('Sub', [tokens, one])]), row]);
  const edge = graph.node('Where', [prompt, started, continued]), reached = graph.node('Not', [graph.node('Greater', [keys, edge])]);
  if (window <= 0) return { visible: reached, uneven };
  // In the one row of even samples everything stays visible: the rule has the window.
  const left = graph.node('Sub', [edge, graph.node('Add', [graph.node('Mul', [uneven, graph.ints([window])]), graph.node('Mul', [graph.node('Sub', [one, uneven]), graph.node('Add', [total, one])])])]);
  return { visible: graph.node('And', [reached, graph.node('Greater', [keys, left])]), uneven };
}
