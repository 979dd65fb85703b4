/** onnxruntime's SparseAttention (Phi-3-small): grouped causal attention whose heads follow layouts of blocks, in one buffer for past and present. */
import { planOf } from '../draft.ts';
import { groupedOperands, lengthsOf, placesOfTokens, rotatedWidth, wrongHeads } from '../grouped-inputs.ts';
import type { Pattern } from '../site-plan.ts';
import { attributeInt } from '../walk.ts';

const operator = 'com.microsoft.SparseAttention';
const refusals = {
  buffers: 'Its past and its present must be one buffer, and they are no input and output of the model; export the model with its cache as inputs and outputs.',
  cosines: 'The width of its cosines is not in the graph.',
} as const;

export const sparseAttention: Pattern = {
  id: 'sparse-attention',
  title: 'Block-sparse attention of onnxruntime (SparseAttention)',
  operators: [{
    operator,
    recognised: 'packed or separate inputs; rotary embedding inside; a past in the buffer of the present; any layouts of blocks, which the trace keeps',
    run: 'onnxruntime, CPU, float32; of samples shorter than the longest its kernel (1.30) mixes probabilities up, which parity shows',
    compared: 'its own output, and a float64 twin',
    refused: [{ form: 'a cache that is no input of the model', sentence: refusals.buffers }, { form: 'cosines of unknown width', sentence: refusals.cosines }],
  }],
  match(node, view) {
    if (node.op !== 'SparseAttention' || node.domain !== 'com.microsoft') return undefined;
    const refuse = (reason: string): { node: string; operator: string; reason: string } => ({ node: node.name, operator, reason });
    const [query = '', key = '', value = '', pastKey = '', pastValue = '', rows = '', columns = '', total = '', lengths = '', cos = '', sin = ''] = node.inputs, [, presentKey = '', presentValue = ''] = node.outputs;
    const heads = attributeInt(node, 'num_heads', 0), kvHeads = attributeInt(node, 'kv_num_heads', 0), size = attributeInt(node, 'sparse_block_size', 0), { inputs, outputs, initializers } = view.graph;
    const wrong = wrongHeads(heads, kvHeads);
    if (wrong) return refuse(wrong);
    if (!query || !rows || !columns || !total || !lengths || !(size > 0)) return refuse('Its layout of blocks or its lengths are missing.');
    const shared = [{ input: pastKey, output: presentKey }, { input: pastValue, output: presentValue }];
    if (shared.some(({ input, output }) => !inputs.some(one => one.name === input) || initializers.has(input) || !outputs.some(one => one.name === output))) return refuse(refusals.buffers);
    if (attributeInt(node, 'do_rotary', 0) === 1 && rotatedWidth(view, cos) === undefined) return refuse(refusals.cosines);
    const { graph, q, k, v, headDim, scale } = groupedOperands(view, {
      node, heads, kvHeads, query, key, value, pastKey, cos, sin, presentKey, presentValue, total,
      positions: (added, count) => placesOfTokens(added, query, added.node('Sub', [lengthsOf(added, lengths), added.ints([1])]), count),
    });
    return planOf({
      node, capture: 'recomputed', tracked: { q, k, v }, q: q.operand, k: k.operand, v: v.operand, origins: { q: query, k: presentKey, v: presentValue }, out: { value: node.outputs[0], layout: 'b s (h d)', heads },
      scale, softcap: 0, masks: [], rule: { causal: true, offset: 'past', window: null }, blocks: { rows, columns, size }, shared,
      nodes: [node], heads, headDim, valueDim: headDim, added: graph.added(),
    }, view);
  },
};
