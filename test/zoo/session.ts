/** Runs a model or a skeleton in onnxruntime on a reference's inputs. */
import * as ort from 'onnxruntime-node';
import { dataType, type Model } from '../../extension/engine/onnx/model.ts';
import { writeSkeleton } from '../../extension/engine/onnx/writer.ts';
import type { Edits } from '../../extension/engine/onnx/model.ts';
import type { ZooTensor } from './cases.ts';

export type Level = 'disabled' | 'basic' | 'all';

/** Outputs by name, of the file itself (`edits` undefined) or of its skeleton. */
export async function runModel(model: Model, reference: ReadonlyMap<string, ZooTensor>, edits?: Edits, level: Level = 'basic'): Promise<Record<string, ort.Tensor>> {
  const options: ort.InferenceSession.SessionOptions = { graphOptimizationLevel: level, logSeverityLevel: 3, intraOpNumThreads: 1 };
  const session = edits
    ? await ort.InferenceSession.create(writeSkeleton(model, edits), { ...options, extra: { session: { model_external_initializers_file_folder_path: model.dataFolder } } })
    : await ort.InferenceSession.create(model.path, options);
  try { return await session.run(feedsOf(model, reference)); } finally { await session.release(); }
}

/** The reference's inputs in the types that the graph declares. */
function feedsOf(model: Model, reference: ReadonlyMap<string, ZooTensor>): Record<string, ort.Tensor> {
  const feeds: Record<string, ort.Tensor> = {};
  for (const input of model.graph.inputs) {
    if (model.graph.initializers.has(input.name)) continue;
    const given = reference.get(`in.${input.name}`);
    if (!given) throw new Error(`the reference has no in.${input.name}`);
    const dims = [...given.shape];
    feeds[input.name] = input.type === dataType.int64 ? new ort.Tensor('int64', BigInt64Array.from(given.data, BigInt), dims)
      : input.type === dataType.int32 ? new ort.Tensor('int32', Int32Array.from(given.data), dims)
      : input.type === dataType.bool ? new ort.Tensor('bool', Uint8Array.from(given.data), dims)
      : new ort.Tensor('float32', Float32Array.from(given.data), dims);
  }
  return feeds;
}
