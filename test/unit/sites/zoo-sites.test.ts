/** What `sites` says of every model of the zoo, in every export: names, heads, scale, masks, softcap, sources. */
import { expect, test } from 'vitest';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { sitesReport } from '../../../extension/engine/sites/recognise.ts';
import { zooCases } from '../../zoo/cases.ts';

interface Configured { readonly kvHeads: number; readonly module: (layer: number) => string; readonly class: string; readonly line: number; /** Keys seen to the left, by layer. */ readonly window?: readonly (number | null)[]; readonly scale?: number; readonly softcap?: number; readonly mask?: { readonly causal: boolean; readonly padding: boolean } }

/**
 * How the zoo's models were configured (its README): hidden size 32, 2 layers, 4 heads of 8, 2 key/value heads where the family has them; padding and causal
 * masks in decoders, padding in encoders, none in vision. Sliding windows of 5; gemma2 slides in every other layer, scales by 1/16 and caps at 50.
 */
const configured: Readonly<Record<string, Configured>> = {
  gpt2: { kvHeads: 4, module: layer => `m.transformer.h.${layer}.attn`, class: 'GPT2Attention', line: 211 },
  llama: { kvHeads: 2, module: layer => `m.model.layers.${layer}.self_attn`, class: 'LlamaAttention', line: 268 },
  mistral_sw: { kvHeads: 2, module: layer => `m.model.layers.${layer}.self_attn`, class: 'MistralAttention', line: 164, window: [5, 5] },
  gemma2: { kvHeads: 2, module: layer => `m.model.layers.${layer}.self_attn`, class: 'Gemma2Attention', line: 273, window: [5, null], scale: 1 / 16, softcap: 50 },
  phi3: { kvHeads: 2, module: layer => `m.model.layers.${layer}.self_attn`, class: 'Phi3Attention', line: 249 },
  bert: { kvHeads: 4, module: layer => `m.bert.encoder.layer.${layer}.attention.self`, class: 'BertSelfAttention', line: 192, mask: { causal: false, padding: true } },
  distilbert: { kvHeads: 4, module: layer => `m.distilbert.transformer.layer.${layer}.attention`, class: 'DistilBertSelfAttention', line: 191, mask: { causal: false, padding: true } },
  vit: { kvHeads: 4, module: layer => `m.layers.${layer}.attention`, class: 'ViTAttention', line: 224, mask: { causal: false, padding: false } },
};

for (const zoo of zooCases().filter(each => Object.hasOwn(configured, each.architecture))) {
  const wanted = configured[zoo.architecture];
  test(`${zoo.architecture}/${zoo.export}`, async () => {
    const { sites, refused, looked, model } = sitesReport(await openModel(zoo.file));
    expect([refused, looked]).toEqual([[], undefined]);
    expect(model.opsets).toEqual({ '': zoo.export.endsWith('ts') ? 17 : zoo.export.endsWith('23') ? 23 : 18 });
    expect(model.producer).toMatch(/^pytorch 2\.11\.0/);
    expect(sites.map(site => site.name)).toEqual(['blocks.0.attn', 'blocks.1.attn']);
    sites.forEach((site, layer) => {
      const operator = zoo.export.endsWith('23') ? 'Attention' : 'Softmax', traced = zoo.export.includes('dynamo');
      expect(site).toMatchObject({
        stack: 'main', layer, kind: 'self', form: 'dense', heads: 4, kvHeads: wanted.kvHeads, headDim: 8, valueDim: 8, softcap: wanted.softcap ?? null, sinkLogit: false,
        mask: { causal: true, padding: true, ...wanted.mask, window: wanted.window?.[layer] ?? null, additive: false }, operator, capture: operator === 'Softmax' ? 'graph' : 'recomputed',
        source: { module: wanted.module(layer), level: traced ? 'stack-trace' : 'node-path', class: traced ? wanted.class : null, line: traced ? wanted.line : null },
      });
      expect(site.scale).toBeCloseTo(wanted.scale ?? 1 / Math.sqrt(8), 6);
      if (traced) expect(site.source.file).toMatch(/\/models\/\w+\/modeling_\w+\.py$/);
      expect(site.taps.probs === null).toBe(operator === 'Attention');
    });
  });
}
