/** Copies of the demo model with weights of one head changed where they lie in its file. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Prompt } from '../../../extension/contract/api.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { capture } from '../../../extension/engine/run/capture.ts';

export const demo = resolve(import.meta.dirname, '../../../media/demo/storyteller');
const headDim = 32;

/** Rows of head `head` in `layers.LAYER.attn.PROJECTION_proj.weight` [heads·32, 128], turned to −2 times what they were. Returns the copy's model file. */
export async function alteredDemo(folder: string, projection: 'q' | 'k' | 'v', layer: number, head: number): Promise<string> {
  const copy = join(folder, `altered-${projection}${layer}.${head}`), model = join(copy, 'model.onnx');
  cpSync(demo, copy, { recursive: true });
  const tensor = (await openModel(model)).graph.initializers.get(`layers.${layer}.attn.${projection}_proj.weight`)!, { place } = tensor;
  if (place.kind !== 'external') throw new Error('The demo keeps its weights beside it.');
  const file = join(copy, place.location), bytes = readFileSync(file), count = headDim * tensor.dims[1];
  for (let n = 0, at = place.offset + head * count * 4; n < count; n++, at += 4) bytes.writeFloatLE(bytes.readFloatLE(at) * -2, at);
  writeFileSync(file, bytes);
  return model;
}

/** Traces a model, on a text or whatever else it takes; returns the trace's path. */
export async function traced(model: string, prompt: string | Prompt, out: string, dtype: 'fp16' | 'fp32' = 'fp32'): Promise<string> {
  await capture({ model, prompt: typeof prompt === 'string' ? { kind: 'text', text: prompt } : prompt, out, dtype }, { progress: () => undefined });
  await completeCapture({ out });
  return out;
}
