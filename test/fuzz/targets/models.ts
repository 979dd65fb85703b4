/** Models of several exporters: recognised, and where the recogniser believes them, run and traced. */
import { join } from 'node:path';
import { zooCases } from '../../zoo/cases.ts';
import { breakModel } from '../mutate-onnx.ts';
import type { Target } from '../target.ts';

export const models: Target = {
  name: 'models', share: 12,
  seeds: zooCases().filter(({ file }) => /(gpt2|llama|bert|vit)[\\/](eager-ts|sdpa-dynamo23|sdpa-ts)/.test(file)).map(({ file }) => file),
  mutate: breakModel, file: 'model.onnx', prepare: () => undefined,
  use: async (engine, folder, running) => {
    const model = join(folder, 'model.onnx'), { sites } = await engine.sites(model);
    if (!sites.length) return;
    running(true);
    const out = join(folder, 'out.attntrace'), captured = await engine.capture({ model, prompt: { kind: 'ids', ids: [3, 1, 4, 1, 5] }, out }), analysis = await engine.analysis();
    running(false);
    try { await analysis.complete(captured); } finally { await analysis.discard({ out }); }
  },
};
