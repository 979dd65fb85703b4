/** For every export of the zoo: the sites are there, and q, k, scale and masks of each rebuild PyTorch's own probabilities. */
import { expect, test } from 'vitest';
import type { Site } from '../../../extension/contract/site.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import { formCases, readReference, zooCases, type ZooTensor } from '../../zoo/cases.ts';
import { evaluate, type Array4 } from '../../zoo/evaluate.ts';

/** float32 in the graph and in PyTorch, float64 here: a few ulps of the scores, of size 10 at most. */
const tolerance = 1e-5;

/** Reference tensors by group, and which sites they belong to. */
const groups: readonly (readonly [group: string, mine: (site: Site) => boolean])[] = [
  ['attentions', site => site.stack === 'main' && site.kind === 'self'],
  ['encoder_attentions', site => site.stack === 'encoder' && site.kind === 'self'],
  ['decoder_attentions', site => site.stack === 'decoder' && site.kind === 'self'],
  ['cross_attentions', site => site.kind === 'cross'],
  ['text_model_output', site => site.stack === 'text'],
  ['vision_model_output', site => site.stack === 'vision'],
];

for (const zoo of [...zooCases(), ...formCases()]) {
  test(`${zoo.architecture}/${zoo.export}`, async () => {
    const model = await openModel(zoo.file), reference = readReference(zoo.reference), { plans } = recognise(model);
    const evaluated = await evaluate(model, plans, reference), mask = reference.get('in.attention_mask');
    let compared = 0;
    for (const [group, mine] of groups) {
      const wanted = [...reference].filter(([name]) => name.startsWith(`attn.${group}.`)).sort(([a], [b]) => Number(a.split('.').pop()) - Number(b.split('.').pop()));
      if (!wanted.length) continue;
      const sites = plans.map((plan, i) => ({ plan, result: evaluated[i] })).filter(({ plan }) => mine(plan.site)).sort((a, b) => a.plan.site.layer - b.plan.site.layer);
      expect(sites.map(({ plan }) => plan.site.layer), group).toEqual(wanted.map((_, i) => i));
      sites.forEach(({ plan, result }, i) => {
        const theirs = wanted[i][1], where = `${plan.site.name} of ${zoo.export}`;
        expect(result, where).toBeDefined();
        const real = (b: number, q: number): boolean => !mask || group === 'decoder_attentions' || group === 'cross_attentions' || theirs.shape[2] !== mask.shape[1] || mask.data[b * mask.shape[1] + q] !== 0;
        expect(largest(result!.pattern, theirs, real), where).toBeLessThan(tolerance);
        // The graph's own numbers, where the graph has them: probabilities, and the output that follows from q, k and v.
        if (result!.ownPattern) expect(largest(result!.pattern, result!.ownPattern, real), where).toBeLessThan(tolerance);
        expect(largestOutput(result!.output, result!.ownOutput, real), where).toBeLessThan(tolerance * 10);
        const { site } = plan;
        if (site.heads !== null) expect([result!.q.shape[2], result!.k.shape[2], result!.q.shape[3], result!.v.shape[3]], where).toEqual([site.heads, site.kvHeads, site.headDim, site.valueDim]);
        compared++;
      });
    }
    expect(compared).toBeGreaterThan(0);
  });
}

function largest(ours: Array4, theirs: Pick<ZooTensor, 'shape' | 'data'>, real: (b: number, q: number) => boolean): number {
  expect(ours.shape).toEqual(theirs.shape);
  const [B, H, Q, K] = ours.shape;
  let most = 0;
  for (let b = 0; b < B; b++) for (let h = 0; h < H; h++) for (let q = 0; q < Q; q++) for (let k = 0; real(b, q) && k < K; k++) {
    const at = ((b * H + h) * Q + q) * K + k, difference = Math.abs(ours.data[at] - theirs.data[at]);
    most = Number.isNaN(difference) ? Infinity : Math.max(most, difference);
  }
  return most;
}

function largestOutput(ours: Array4, own: Array4, real: (b: number, q: number) => boolean): number {
  expect(own.shape).toEqual(ours.shape);
  const [B, Q] = ours.shape, row = ours.data.length / (B * Q);
  let most = 0;
  for (let b = 0; b < B; b++) for (let q = 0; q < Q; q++) for (let i = 0; real(b, q) && i < row; i++) {
    const difference = Math.abs(ours.data[(b * Q + q) * row + i] - own.data[(b * Q + q) * row + i]);
    most = Number.isNaN(difference) ? Infinity : Math.max(most, difference);
  }
  return most;
}
