/** Parity must fail when a site is not what it was taken for: each alteration, on an export with visible softmax and on one without. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Manifest, Parity } from '../../../extension/contract/trace.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import type { SitePlan } from '../../../extension/engine/sites/site-plan.ts';
import type { CaptureIndex } from '../../../extension/engine/trace/capture.ts';
import { readIndex, writeIndex } from '../../../extension/engine/trace/part-writer.ts';
import { syntheticCapture } from './synthetic.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-parity-')), zoo = join(import.meta.dirname, '../../zoo/models');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let serial = 0;

async function trace(model: string, alter?: (plan: SitePlan, all: readonly SitePlan[]) => SitePlan, dtype: 'fp32' | 'fp16' = 'fp32'): Promise<Manifest> {
  const [architecture] = model.split('/'), out = join(folder, `${serial++}.attntrace`);
  await capture({ model: join(zoo, model), prompt: { kind: 'tensors', file: join(zoo, architecture, 'reference.safetensors') }, out, dtype }, { progress: () => undefined, ...(alter ? { alter: plans => plans.map((plan, n) => (n === 1 ? alter(plan, plans) : plan)) } : {}) });
  return (await completeCapture({ out })).manifest;
}
const parityOf = async (model: string, alter: (plan: SitePlan, all: readonly SitePlan[]) => SitePlan): Promise<readonly [Parity, Parity]> => { const { parity } = await trace(model, alter); return [parity['blocks.0.attn'], parity['blocks.1.attn']]; };

describe.each(['gpt2/eager-ts.onnx', 'llama/eager-ts.onnx', 'llama/sdpa-dynamo23.onnx'])('%s', model => {
  const of = model.includes('23') ? 'output' : 'pattern';
  it('holds as recognised', async () => {
    const { parity, verdicts } = await trace(model);
    for (const one of Object.values(parity)) { expect(one).toMatchObject({ ok: true, of, dtype: 'F32', tolerance: 1e-5 }); expect(one.maxAbs).toBeLessThan(1e-5); }
    expect(verdicts.filter(verdict => verdict.rule === 'parity')).toEqual([]);
  });
  it.each<[string, (plan: SitePlan, all: readonly SitePlan[]) => SitePlan]>([
    ['scale × 1.01', plan => ({ ...plan, scale: [...plan.scale, { constant: 1.01, power: 1 }] })],
    ['k of another layer', (plan, all) => ({ ...plan, k: all[0].k })],
    ['v of another layer', (plan, all) => ({ ...plan, v: all[0].v })],
  ])('fails with %s', async (_, alter) => {
    const [right, wrong] = await parityOf(model, alter);
    expect(right.ok).toBe(true);
    expect(wrong.ok).toBe(false);
    expect(wrong.why).toMatch(/differ/);
    expect(wrong.maxAbs! > wrong.tolerance || /product with v/.test(wrong.why!)).toBe(true);
  });
  it.each<[string, (index: CaptureIndex) => CaptureIndex]>([
    ['a mask one key further', index => ({ ...index, sites: index.sites.map((site, n) => (n === 1 ? { ...site, masks: [], rule: { causal: true, offset: 1, window: null } } : site)) })],
    ['a mask one key shorter', index => ({ ...index, sites: index.sites.map((site, n) => (n === 1 ? { ...site, masks: [], rule: { causal: true, offset: -1, window: null } } : site)) })],
    ['k of the next head', index => { rollHeads(index, 'blocks.1.attn.hook_k'); return index; }],
  ])('fails with %s', async (_, alter) => {
    const out = join(folder, `${serial++}.attntrace`);
    await capture({ model: join(zoo, model), prompt: { kind: 'ids', ids: Array.from({ length: 12 }, (_, i) => i * 7 % 97) }, out, dtype: 'fp32' }, { progress: () => undefined });
    writeIndex(alter(readIndex(out)));
    const { parity } = (await completeCapture({ out })).manifest;
    expect(parity['blocks.0.attn'].ok).toBe(true);
    expect(parity['blocks.1.attn'].ok).toBe(false);
    expect(parity['blocks.1.attn'].maxAbs).toBeGreaterThan(1e-3);
  });
});

/** Every head gets the keys of the next. */
function rollHeads(index: CaptureIndex, name: string): void {
  const { offset, length, shape: [, , heads, dim] } = index.tensors[name], bytes = readFileSync(index.part), row = heads * dim * 4;
  for (let at = offset; at < offset + length; at += row) { const first = Buffer.from(bytes.subarray(at, at + dim * 4)); bytes.copyWithin(at, at + dim * 4, at + row); first.copy(bytes, at + row - dim * 4); }
  writeFileSync(index.part, bytes);
}

it('stored as halves, the noise of halves is allowed for, and named', async () => {
  for (const model of ['gpt2/eager-ts.onnx', 'llama/sdpa-dynamo23.onnx']) for (const one of Object.values((await trace(model, undefined, 'fp16')).parity)) {
    expect(one).toMatchObject({ ok: true, dtype: 'F16' });
    expect(one.maxAbs).toBeGreaterThan(1e-5);
    expect(one.tolerance).toBeLessThan(0.1);
  }
});

it.each([2, 3, 4])('the rounding of large scores and their lse is no difference: it moves all of a row together (%s)', async size => {
  // Many small products of one sign: rounding q and k once more changes their sum less than rounding the sum does.
  const { out } = syntheticCapture(folder, `s${size}-256`, { queries: 48, dim: 256, spread: 4, spoil: (q, k) => { for (const one of [q, k]) for (let n = 0; n < one.length; n++) one[n] = size + one[n] / 64; } });
  const { parity } = (await completeCapture({ out })).manifest;
  expect(Object.values(parity)).toEqual([expect.objectContaining({ ok: true })]);
});

it('says it in a verdict', async () => {
  const { verdicts } = await trace('gpt2/eager-ts.onnx', plan => ({ ...plan, scale: [...plan.scale, { constant: 1.01, power: 1 }] })), verdict = verdicts.find(one => one.rule === 'parity')!;
  expect(verdict.text).toBe('Parity failed at 1 of 2 sites (L1): what is shown there is not what the model computed.');
  expect(verdict).toMatchObject({ level: 'warning', evidence: { sites: ['blocks.1.attn'], threshold: 1e-5 } });
  expect(verdict.evidence.value).toBeGreaterThan(1e-5);
});
