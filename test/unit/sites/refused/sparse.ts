/** Forms of onnxruntime's SparseAttention that are refused. */
import type { NewModel } from '../../../../extension/engine/onnx/build.ts';
import { dataType } from '../../../../extension/engine/onnx/model.ts';
import { oneNode, type RefusedModel } from './refused-model.ts';

const operator = 'com.microsoft.SparseAttention', q = [1, 2, 32], kv = [1, 2, 16], past = [1, 2, 32, 8], int = dataType.int32, types = [1, 1, 1, 1, 1, int, int, int, int, 1, 1], attributes = { num_heads: 4, kv_num_heads: 2, sparse_block_size: 16 };
const plain = oneNode(operator, [q, kv, kv, past, past, [1, 3], [1, 3], [1], [1]], attributes, 3, types);
/** The present is no output of the model. */
const inside: NewModel = { ...plain, outputs: plain.outputs.slice(0, 1) };

export const refused: readonly RefusedModel[] = [
  { operator, form: 'a cache that is no input of the model', model: inside },
  { operator, form: 'cosines of unknown width', model: oneNode(operator, [q, kv, kv, past, past, [1, 3], [1, 3], [1], [1], ['M', 'W'], ['M', 'W']], { ...attributes, do_rotary: 1 }, 3, types) },
];
