/** The type that most of a model's weights are stored in, by the names that people give it. */
import { dataType, type Graph, type Tensor } from './model.ts';
import { elementCount } from './tensors.ts';

const names: Readonly<Record<number, string>> = {
  [dataType.float]: 'fp32', [dataType.float16]: 'fp16', [dataType.bfloat16]: 'bf16', [dataType.double]: 'fp64', [dataType.int8]: 'int8', [dataType.uint8]: 'uint8',
  // TensorProto.DataType of IR version 10 and later: UINT4, INT4.
  21: 'q4', 22: 'q4',
};

/** `fp32`, `fp16`, `bf16`, `int8`, `uint8`, `q4`, `q2` …; undefined for a model without weights. Vectors (biases, scales, norms) do not count. */
export function weightType(graph: Graph): string | undefined {
  const counts = new Map<string, number>(), packed = new Map<string, number>();
  for (const node of graph.nodes) {
    const place = packedAt[node.op];
    if (place !== undefined && node.domain === 'com.microsoft') packed.set(node.inputs[place], node.attributes.get('bits')?.i ?? 4);
  }
  for (const tensor of graph.initializers.values()) {
    const name = nameOf(tensor, packed.get(tensor.name));
    if (name && tensor.dims.length > 1) counts.set(name[0], (counts.get(name[0]) ?? 0) + elementCount(tensor.dims) * name[1]);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** Operators that unpack several weights from a byte: which input holds them. */
const packedAt: Readonly<Record<string, number>> = { MatMulNBits: 1, GatherBlockQuantized: 0, MatMulBnb4: 1 };

/** Name, and how many weights an element holds. */
function nameOf(tensor: Tensor, bits: number | undefined): readonly [name: string, weights: number] | undefined {
  if (bits !== undefined && bits > 0 && bits < 8) return [`q${bits}`, 8 / bits];
  const name = names[tensor.type];
  return name === undefined ? undefined : [name, 1];
}
