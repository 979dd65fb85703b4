/** What `sites` says of gpt2 and llama, in every export: names, heads, scale, masks, sources. */
import { expect, test } from 'vitest';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { sitesReport } from '../../../extension/engine/sites/recognise.ts';
import { zooCases } from '../../zoo/cases.ts';

/** How the zoo's models were configured (its README): hidden size 32, 2 layers, 4 heads of 8, 2 key/value heads in llama; padding and causal masks. */
const configured = {
  gpt2: { kvHeads: 4, module: (layer: number) => `m.transformer.h.${layer}.attn`, class: 'GPT2Attention', file: /\/models\/gpt2\/modeling_gpt2\.py$/, line: 211 },
  llama: { kvHeads: 2, module: (layer: number) => `m.model.layers.${layer}.self_attn`, class: 'LlamaAttention', file: /\/models\/llama\/modeling_llama\.py$/, line: 268 },
} as const;

for (const zoo of zooCases().filter(each => each.architecture in configured)) {
  const wanted = configured[zoo.architecture as keyof typeof configured];
  test(`${zoo.architecture}/${zoo.export}`, async () => {
    const { sites, refused, looked, model } = sitesReport(await openModel(zoo.file));
    expect([refused, looked]).toEqual([[], undefined]);
    expect(model.opsets).toEqual({ '': zoo.export.endsWith('ts') ? 17 : zoo.export.endsWith('23') ? 23 : 18 });
    expect(model.producer).toMatch(/^pytorch 2\.11\.0/);
    expect(sites.map(site => site.name)).toEqual(['blocks.0.attn', 'blocks.1.attn']);
    sites.forEach((site, layer) => {
      const operator = zoo.export.endsWith('23') ? 'Attention' : 'Softmax', traced = zoo.export.includes('dynamo');
      expect(site).toMatchObject({
        stack: 'main', layer, kind: 'self', form: 'dense', heads: 4, kvHeads: wanted.kvHeads, headDim: 8, valueDim: 8, softcap: null, sinkLogit: false,
        mask: { causal: true, window: null, padding: true, additive: false }, operator, capture: operator === 'Softmax' ? 'graph' : 'recomputed',
        source: { module: wanted.module(layer), level: traced ? 'stack-trace' : 'node-path', class: traced ? wanted.class : null, line: traced ? wanted.line : null },
      });
      expect(site.scale).toBeCloseTo(1 / Math.sqrt(8), 6);
      if (traced) expect(site.source.file).toMatch(wanted.file);
      expect(site.taps.probs === null).toBe(operator === 'Attention');
    });
  });
}
