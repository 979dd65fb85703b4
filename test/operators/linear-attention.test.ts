/** Linear attention: q, k, v as they are, the weights that its output implies against the recurrence in float64, and the outputs that they give. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { buildModel } from '../../extension/engine/onnx/build.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { readReference } from '../zoo/cases.ts';
import { B, fixtures } from './linear-attention.ts';
import { safetensors } from './trace-fixture.ts';
import { worst } from './twin.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-linear-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(fixtures.map(fixture => [fixture.name, fixture] as const))('%s', (_, fixture) => {
  const { heads, kvHeads, queries, dim, valueDim, scale } = fixture, model = join(folder, 'model.onnx'), file = join(folder, 'inputs.safetensors'), out = join(folder, 'out.attntrace');
  const trace = async (pattern: boolean) => {
    writeFileSync(model, buildModel(fixture.model));
    writeFileSync(file, safetensors(fixture.inputs));
    await capture({ model, prompt: { kind: 'tensors', file }, out, dtype: 'fp32', keep: { z: true, pattern } }, { progress: () => undefined });
    return (await completeCapture({ out })).manifest;
  };
  it('implies the weights of the recurrence', async () => {
    const { sites: [site], parity } = await trace(true), kept = readReference(out), part = (name: string) => kept.get(`${site.name}.${name}`)!;
    expect(site).toMatchObject({ form: 'linear', heads, kvHeads, headDim: dim, valueDim, mask: { causal: true }, scale: Number(Math.fround(scale).toPrecision(7)) });
    expect([part('hook_q').shape, part('hook_k').shape, part('hook_v').shape]).toEqual([[B, queries, heads, dim], [B, queries, kvHeads, dim], [B, queries, kvHeads, valueDim]]);
    // float32, seven steps of a recurrence.
    expect(part('hook_implied').shape).toEqual([B, heads, queries, queries]);
    expect(worst(part('hook_implied'), { shape: [], data: fixture.weights })).toBeLessThan(1e-6);
    expect(worst(part('hook_z'), { shape: [], data: fixture.output })).toBeLessThan(1e-6);
    expect(worst({ shape: [], data: mixed(fixture.weights, part('hook_v').data) }, { shape: [], data: fixture.output.map((x, n) => x - fixture.before[n]) })).toBeLessThan(1e-6);
    expect(parity[site.name]).toMatchObject({ of: 'output', ok: true, rows: queries });
  });
  const mixed = (weights: Float64Array, v: ArrayLike<number>): Float64Array => Float64Array.from({ length: B * queries * heads * valueDim }, (_, n) => {
    const d = n % valueDim, h = Math.floor(n / valueDim) % heads, i = Math.floor(n / valueDim / heads) % queries, b = Math.floor(n / valueDim / heads / queries);
    let sum = 0;
    for (let j = 0; j < queries; j++) sum += weights[((b * heads + h) * queries + i) * queries + j] * v[((b * queries + j) * kvHeads + Math.floor(h * kvHeads / heads)) * valueDim + d];
    return sum;
  });
});

it('keeps no weights that were not asked for, and says why there is nothing to compare', async () => {
  const [fixture] = fixtures, model = join(folder, 'model.onnx'), file = join(folder, 'inputs.safetensors'), out = join(folder, 'plain.attntrace');
  writeFileSync(model, buildModel(fixture.model));
  writeFileSync(file, safetensors(fixture.inputs));
  await capture({ model, prompt: { kind: 'tensors', file }, out }, { progress: () => undefined });
  const { manifest } = await completeCapture({ out }), [{ name }] = manifest.sites;
  expect(readFileSync(out).includes('hook_implied')).toBe(false);
  expect(manifest.parity[name]).toMatchObject({ of: 'none', ok: null, why: 'Linear attention has no probabilities to compare.' });
});
