/** Models of several exporters: recognised, and where the recogniser believes them, run and traced. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { zooCases } from '../../zoo/cases.ts';
import { breakModel } from '../mutate-onnx.ts';
import type { Target } from '../target.ts';

export const models: Target = {
  name: 'models', share: 12,
  seeds: zooCases().filter(({ file }) => /(gpt2|llama|bert|vit)[\\/](eager-ts|sdpa-dynamo23|sdpa-ts)/.test(file)).map(({ file }) => ({ bytes: readFileSync(file), inputs: join(dirname(file), 'reference.safetensors') })),
  mutate: breakModel, file: 'model.onnx', prepare: () => undefined,
  use: async (engine, folder, { inputs }, running) => {
    const model = join(folder, 'model.onnx'), { sites } = await engine.sites(model);
    if (!sites.length) return;
    const out = join(folder, 'out.attntrace'), onProgress = ({ phase }: { readonly phase: string }): void => running(phase === 'session' || phase === 'run');
    const captured = await engine.capture({ model, prompt: { kind: 'tensors', file: inputs! }, out }, { onProgress }), analysis = await engine.analysis();
    running(false);
    try { await analysis.complete(captured); } finally { await analysis.discard({ out }); }
  },
};
