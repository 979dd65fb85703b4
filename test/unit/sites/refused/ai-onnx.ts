/** Forms of ai.onnx operators that are refused. */
import { dataType } from '../../../../extension/engine/onnx/model.ts';
import { oneNode, type RefusedModel } from './refused-model.ts';

const q = [1, 2, 'S', 4], past = [1, 2, 'P', 4], float = (name: string, ...dims: (number | string)[]) => ({ name, type: dataType.float, dims });

export const refused: readonly RefusedModel[] = [
  { operator: 'ai.onnx.Attention', form: 'a past and nonpad_kv_seqlen', model: oneNode('ai.onnx.Attention', [q, q, q, undefined, past, past, [1]], {}, 3, [1, 1, 1, 1, 1, 1, dataType.int64]) },
  { operator: 'ai.onnx.Attention', form: 'inputs of other than three or four axes, or three without head counts', model: oneNode('ai.onnx.Attention', [[1, 4, 8], [1, 4, 8], [1, 4, 8]]) },
  { operator: 'ai.onnx.Attention', form: 'inputs of other than three or four axes, or three without head counts', model: oneNode('ai.onnx.Attention', [[4, 8], [4, 8], [4, 8]]) },
  { operator: 'ai.onnx.Attention', form: 'a past without present outputs', model: oneNode('ai.onnx.Attention', [q, q, q, undefined, past, past]) },
  ...['ai.onnx.LinearAttention', 'com.microsoft.LinearAttention'].flatMap(operator => [
    { operator, form: 'no number of heads', model: oneNode(operator, [[1, 4, 8], [1, 4, 8], [1, 4, 8]], { update_rule: 'linear' }) },
    { operator, form: 'neither a scale nor known sizes', model: oneNode(operator, [['b', 's', 'q'], ['b', 's', 'k'], ['b', 's', 'v']], { update_rule: 'linear', q_num_heads: 2, kv_num_heads: 2 }) },
  ]),
  {
    operator: 'ai.onnx.Softmax', form: 'probabilities with more than four axes',
    model: {
      nodes: [
        { op: 'MatMul', name: 'n0', inputs: ['q', 'k'], outputs: ['s'] }, { op: 'Softmax', name: 'n1', inputs: ['s'], outputs: ['p'], attributes: { axis: -1 } },
        { op: 'MatMul', name: 'n2', inputs: ['p', 'v'], outputs: ['o'] },
      ],
      inputs: [float('q', 1, 2, 3, 5, 4), float('k', 1, 2, 3, 4, 5), float('v', 1, 2, 3, 5, 4)], outputs: [float('o', 1, 2, 3, 5, 4)],
    },
  },
];
