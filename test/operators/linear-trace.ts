/** A fixture of LinearAttention traced to a file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { buildModel } from '../../extension/engine/onnx/build.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import type { LinearFixture } from './linear-attention.ts';
import { safetensors } from './trace-fixture.ts';

/** `implied`: with the weights that it implies. Returns the trace's path. */
export async function linearTrace(folder: string, fixture: Pick<LinearFixture, 'model' | 'inputs'>, name: string, implied: boolean): Promise<string> {
  const model = join(folder, `${name}.onnx`), file = join(folder, `${name}.safetensors`), out = join(folder, `${name}.attntrace`);
  writeFileSync(model, buildModel(fixture.model));
  writeFileSync(file, safetensors(fixture.inputs));
  await capture({ model, prompt: { kind: 'tensors', file }, out, dtype: 'fp32', keep: { pattern: implied } }, { progress: () => undefined });
  await completeCapture({ out });
  return out;
}
