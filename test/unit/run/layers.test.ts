/** Fewer layers: only their sites are tapped and stored, with the numbers that a whole trace has; and what a trace was estimated to take. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { TraceRequest } from '../../../extension/contract/api.ts';
import { UserError } from '../../../extension/contract/errors.ts';
import { estimate } from '../../../extension/contract/estimate.ts';
import type { Manifest } from '../../../extension/contract/trace.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { summarise } from '../../../extension/engine/analysis/summaries.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { weigh } from '../../../extension/engine/run/weigh.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';
import { generateDecoder } from '../../bench/generate-decoder.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-layers-')), size = { layers: 5, heads: 4, width: 64, vocabulary: 128, positions: 256 };
const model = generateDecoder(folder, size), ids = Array.from({ length: 96 }, (_, i) => (i * 37) % 128);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const request = (name: string, more: Partial<TraceRequest> = {}): TraceRequest => ({ model, prompt: { kind: 'ids', ids }, out: join(folder, `${name}.attntrace`), ...more });
async function traced(asked: TraceRequest): Promise<Manifest> {
  await capture(asked, { progress: () => undefined });
  return (await completeCapture({ out: asked.out })).manifest;
}

it('keeps the sites of the chosen layers, number for number, and what the model says next', async () => {
  const whole = await traced(request('whole')), some = await traced(request('some', { keep: { layers: [4, 1] } }));
  expect(some.sites.map(site => site.name)).toEqual(['blocks.1.attn', 'blocks.4.attn']);
  expect(some.kept).toEqual({ layers: [1, 4], ofSites: 5 });
  expect(whole.kept).toBeUndefined();
  expect(some.next).toEqual(whole.next);
  expect(Object.keys(some.parity)).toEqual(['blocks.1.attn', 'blocks.4.attn']);
  expect(Object.values(some.parity).every(parity => parity.ok)).toBe(true);
  const [a, b] = [request('whole').out, request('some').out].map(openTrace);
  try {
    for (const name of ['blocks.1.attn.hook_q', 'blocks.4.attn.hook_k', 'blocks.4.attn.hook_v', 'blocks.4.attn.stats.lse']) expect(b.store.floats(name)).toEqual(a.store.floats(name));
    expect([...b.store.tensors.keys()].filter(name => /blocks\.[023]/.test(name))).toEqual([]);
  } finally { a.close(); b.close(); }
  // All layers by name are all layers.
  expect((await traced(request('all', { keep: { layers: [0, 1, 2, 3, 4] } }))).kept).toBeUndefined();
});
it('names a layer that is not there', async () => {
  const refused = async (layers: number[]): Promise<string> => capture(request('none', { keep: { layers } }), { progress: () => undefined }).then(() => 'traced', (error: unknown) => (error instanceof UserError ? error.sentence : String(error)));
  expect(await refused([1, 5])).toBe('The model has no attention in layer 5; its layers are 0-4. Choose among these.');
  expect(await refused([])).toBe('No layer was chosen. Choose among 0-4.');
});
it('a list of traces says which layers, which parity, and what is no trace', async () => {
  await traced(request('some', { keep: { layers: [1, 4] }, dtype: 'fp16' }));
  const { out } = request('some'), [some, none] = await summarise([out, model]);
  expect(some).toMatchObject({ file: out, bytes: statSync(out).size, tokens: 96, batch: 1, sites: 2, stored: 'F16', kept: { layers: [1, 4], ofSites: 5 }, parity: { failed: 0 }, model: { path: model, dtype: 'fp32' } });
  expect('parity' in some && some.parity.worst! > 0).toBe(true);
  expect(none).toMatchObject({ file: model, problem: expect.stringContaining('is not a safetensors file') });
});
it('the file takes what was estimated: for all layers, for few, for halves, with the pattern', async () => {
  const facts = await weigh(request('weighed'));
  expect(facts).toMatchObject({ batch: 1, tokens: 96 });
  expect(facts.sites.map(site => site.layer)).toEqual([0, 1, 2, 3, 4]);
  // q, k, v, o, and the two of the MLP; the head of the model.
  expect(facts.weights).toBe(5 * (4 + 8) * 64 * 64 + 64 * 128);
  for (const [stored, layers, pattern] of [['F32', undefined, false], ['F16', undefined, false], ['F32', [0, 3], false], ['F32', undefined, true]] as const) {
    const said = estimate(facts, { stored, pattern, ...(layers ? { layers } : {}) }).fileBytes;
    await traced(request('weighed', { dtype: stored === 'F16' ? 'fp16' : 'fp32', keep: { pattern, ...(layers ? { layers } : {}) } }));
    const is = statSync(request('weighed').out).size;
    // The header is reserved for all layers in the estimate; masks of a mask rule take nothing.
    expect(said / is).toBeGreaterThan(0.9);
    expect(said / is).toBeLessThan(1.35);
  }
});
