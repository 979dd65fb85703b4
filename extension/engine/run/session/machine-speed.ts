/** How fast this machine multiplies and how fast it walks over cells, timed in onnxruntime itself: what estimates of time rest on. */
import * as ort from 'onnxruntime-node';
import type { Speed } from '../../../contract/estimate.ts';
import { buildModel } from '../../onnx/build.ts';
import { dataType, type NewNode, type NewTensor } from '../../onnx/model.ts';

/** Sizes of a small layer: long enough to be timed (some ms), short enough not to be waited for. */
const rows = 256, inner = 768, columns = 3072, heads = 8, side = 256, rounds = 3;

let known: Promise<Speed | undefined> | undefined;

/** Timed once a process, in about 100 ms; undefined where onnxruntime cannot be asked. */
export function machineSpeed(): Promise<Speed | undefined> { return known ??= measure().catch(() => undefined); }

async function measure(): Promise<Speed> {
  const product = await time([{ op: 'MatMul', name: 'product', inputs: ['x', 'weight'], outputs: ['y'] }], [rows, inner], [filled('weight', [inner, columns], 0.01)]);
  const cells = await time([
    { op: 'Mul', name: 'scale', inputs: ['x', 'factor'], outputs: ['scaled'] },
    { op: 'Add', name: 'mask', inputs: ['scaled', 'bias'], outputs: ['masked'] },
    { op: 'Softmax', name: 'softmax', inputs: ['masked'], outputs: ['y'], attributes: { axis: -1 } },
  ], [1, heads, side, side], [filled('factor', [], 0.125), filled('bias', [side, side], 0)]);
  return { productsPerMs: rows * inner * columns / product, cellsPerMs: heads * side * side / cells };
}

function filled(name: string, dims: readonly number[], value: number): NewTensor {
  return { name, type: dataType.float, dims, data: new Uint8Array(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value).buffer) };
}

/** Milliseconds of the fastest of a few runs after the first. */
async function time(nodes: readonly NewNode[], dims: readonly number[], initializers: readonly NewTensor[]): Promise<number> {
  const session = await ort.InferenceSession.create(buildModel({
    nodes, initializers, inputs: [{ name: 'x', type: dataType.float, dims }], outputs: [{ name: 'y', type: dataType.float, dims: dims.map(() => undefined) }],
  }), { graphOptimizationLevel: 'basic', logSeverityLevel: 4 });
  try {
    const feeds = { x: new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5), dims) };
    let least = Infinity;
    for (let round = 0; round <= rounds; round++) {
      const start = performance.now();
      await session.run(feeds);
      if (round > 0) least = Math.min(least, performance.now() - start);
    }
    return Math.max(least, 0.001);
  } finally { await session.release(); }
}
