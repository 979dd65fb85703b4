/** Captures that fail, and what a run leaves: nothing; and the small judgements around a run. */
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { TraceRequest } from '../../../extension/contract/api.ts';
import { UserError } from '../../../extension/contract/errors.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { buildModel } from '../../../extension/engine/onnx/build.ts';
import { dataType } from '../../../extension/engine/onnx/model.ts';
import { viewGraph } from '../../../extension/engine/onnx/graph-view.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { writeSkeleton } from '../../../extension/engine/onnx/writer.ts';
import { capture, type CaptureHooks } from '../../../extension/engine/run/capture.ts';
import { keptRowsOf, ownFeeds } from '../../../extension/engine/run/taps/own-feeds.ts';
import { startHash } from '../../../extension/engine/run/session/file-hash.ts';
import { logitsOutput, nextTokens } from '../../../extension/engine/run/generate/next-tokens.ts';
import { fillInputs } from '../../../extension/engine/run/inputs/inputs.ts';
import { placesOf, shapesKnown } from '../../../extension/engine/run/taps/places.ts';
import { checkRoom, chooseStored, factsOf } from '../../../extension/engine/run/room.ts';
import { Runtime, shortReason } from '../../../extension/engine/run/session/runtime.ts';
import { sameValues } from '../../../extension/engine/run/taps/same-values.ts';
import { planTaps } from '../../../extension/engine/run/taps/taps.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import type { SitePlan } from '../../../extension/engine/sites/site-plan.ts';
import { readIndex } from '../../../extension/engine/trace/part-writer.ts';
import { generateDecoder } from '../../bench/generate-decoder.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-capture-')), zoo = join(import.meta.dirname, '../../zoo/models');
const model = join(folder, 'model.onnx'), out = join(folder, 'out.attntrace');
beforeEach(() => copyFileSync(join(zoo, 'llama/sdpa-ts.onnx'), model));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (request: Partial<TraceRequest> = {}, hooks: Partial<CaptureHooks> = {}): Promise<unknown> => capture({ model, prompt: { kind: 'ids', ids: [5, 6, 7] }, out, ...request }, { progress: () => undefined, ...hooks });
const left = (): string[] => readdirSync(folder).filter(name => name.startsWith('out.'));
async function refused(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => undefined, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  expect(left()).toEqual([]);
  return (error as UserError).sentence;
}

describe('a model in float16', () => {
  it('is traced, and what is stored rebuilds what it computed', async () => {
    const half = generateDecoder(join(folder, 'half'), { layers: 2, heads: 2, width: 64, vocabulary: 256, positions: 128, half: true }), traced = join(folder, 'half.attntrace');
    await capture({ model: half, prompt: { kind: 'ids', ids: Array.from({ length: 70 }, (_, i) => i * 7 % 256) }, out: traced }, { progress: () => undefined });
    const { manifest } = await completeCapture({ out: traced });
    expect(Object.values(manifest.parity).map(({ ok, of, rows }) => ({ ok, of, rows }))).toEqual([{ ok: true, of: 'pattern', rows: 64 }, { ok: true, of: 'pattern', rows: 64 }]);
    expect(manifest.next[0]).toHaveLength(5);
  });
});

describe('the session of the last trace', () => {
  const bytesOf = (): Buffer => { const { part, tensors } = readIndex(out), q = Object.entries(tensors).find(([name]) => name.endsWith('hook_q'))![1]; return readFileSync(part).subarray(q.offset, q.offset + q.length); };
  it('serves the next prompt, with what the first one gave', async () => {
    await run();
    const first = bytesOf();
    await run({ prompt: { kind: 'ids', ids: [9, 8, 7, 6] } });
    await run();
    expect(Buffer.compare(bytesOf(), first)).toBe(0);
  });
  it('is not used for a model that was written anew', async () => {
    await run();
    const first = bytesOf(), file = readFileSync(model);
    // The sign of one number of every matrix.
    for (const { dims, type, place } of (await openModel(model)).graph.initializers.values()) if (dims.length === 2 && type === dataType.float && place.kind === 'raw') file[place.offset + 3] ^= 0x80;
    writeFileSync(model, file);
    await run();
    expect(Buffer.compare(bytesOf(), first)).not.toBe(0);
  });
});

describe('outputs that are written where they stay', () => {
  it('are those that the binding hands over', async () => {
    const opened = await openModel(model), view = viewGraph(opened), { plans } = recognise(opened), inputs = fillInputs(opened, { ids: [5, 6, 7, 8, 9] }, {}), logits = logitsOutput(opened, view, plans)!;
    const taps = planTaps(opened, view, plans, { stored: 'F32', keepZ: true, broadcastMasks: shapesKnown(opened, plans, inputs), logits });
    const places = placesOf({ model: opened, plans, taps, inputs, stored: 'F32', rows: 5, vocabulary: view.dims(logits)?.[2] });
    expect(places?.length).toBeGreaterThan(plans.length * 10);
    const runtime = await Runtime.create(writeSkeleton(opened, taps.edits), opened), feeds = { ...inputs.feeds, ...ownFeeds(taps, inputs) };
    const placed = await runtime.run(feeds, opened, { placed: { places: places!, stop: taps.stop } }), copied = await runtime.run(feeds, opened);
    for (const { output } of places!) {
      const a = placed.take(output), b = copied.take(output);
      expect(a.dims).toEqual(b.dims);
      expect(Buffer.compare(new Uint8Array(a.data.buffer), new Uint8Array(b.data.buffer)), output).toBe(0);
    }
    // A shape that turns out wrong: the run is made again without places.
    const wrong = places!.map(place => ({ ...place, dims: [...place.dims, 2] }));
    expect((await runtime.run(feeds, opened, { placed: { places: wrong, stop: taps.stop } })).take(taps.sites[0].q!).dims).toEqual([1, 5, ...copiedDims(plans[0])]);
    await runtime.release();
  });
});
const copiedDims = ({ site }: SitePlan): number[] => [site.heads!, site.headDim!];

describe('a capture that fails leaves nothing', () => {
  it('where the model has no attention, and says what was looked at', async () => {
    const ids = { type: dataType.int64, dims: ['batch', 'sequence'] };
    writeFileSync(model, buildModel({ nodes: [{ op: 'Cast', name: 'cast', inputs: ['input_ids'], outputs: ['x'], attributes: { to: dataType.float } }, { op: 'Softmax', name: 'softmax', inputs: ['x'], outputs: ['logits'], attributes: { axis: -1 } }], inputs: [{ name: 'input_ids', ...ids }], outputs: [{ name: 'logits', type: dataType.float, dims: ids.dims }] }));
    expect(await refused(run())).toBe('There is no attention that can be read in model.onnx: of 2 nodes, 1 Softmax and no fused attention operator were looked at; none takes a product of two activations and feeds a product with a third. Choose a model with attention; "attnscope sites" lists what is recognised.');
  });
  it('where the model changes while it is used', async () => {
    expect(await refused(run({}, { progress: ({ phase }) => { if (phase === 'run') utimesSync(model, new Date(), new Date(Date.now() + 5000)); } }))).toBe(`${model} changed while it was being traced. Trace it again when it is no longer being written.`);
    expect(await refused(run({}, { progress: ({ phase, done }) => { if (phase === 'write' && done === 0) appendFileSync(model, 'x'); } }))).toContain('changed while it was being traced');
  });
  it('where the model is cut short before the session takes its weights', async () => {
    const sentence = await refused(run({}, { progress: ({ phase }) => { if (phase === 'session') truncateSync(model, 60_000); } }));
    expect(sentence).toMatch(/^(model\.onnx cannot be opened by onnxruntime: |.*changed while it was being traced)/);
  });
  it('where a site does not exist in the graph', async () => {
    const alter = (plans: readonly SitePlan[]): SitePlan[] => plans.map(plan => ({ ...plan, q: { ...plan.q!, value: 'nowhere' } }));
    expect(await refused(run({}, { alter }))).toMatch(/^model\.onnx cannot be opened by onnxruntime: .*nowhere/);
  });
  it('where the run itself fails, with the reason that onnxruntime gives', async () => {
    const alter = (plans: readonly SitePlan[]): SitePlan[] => plans.map(plan => ({ ...plan, out: { ...plan.out!, layout: 'b s (h d)', heads: 7 } }));
    const sentence = await refused(run({}, { alter }));
    expect(sentence).toMatch(/^model\.onnx (failed while it ran in|cannot be opened by) onnxruntime: /);
    expect(sentence).not.toMatch(/\.cc:\d+|attnscope\./);
  });
  it('where it cannot be written', async () => {
    expect(await refused(run({ out: join(folder, 'none', 'x.attntrace') }))).toContain('its folder does not exist');
    mkdirSync(`${out}.part`);
    try { await expect(run()).rejects.toThrow('is a folder'); } finally { rmSync(`${out}.part`, { recursive: true }); }
  });
});

describe('a capture', () => {
  it('stores halves, keeps outputs, and says which rows it kept', async () => {
    const phases: string[] = [];
    await run({ dtype: 'fp16', keep: { z: true, pattern: true } }, { progress: ({ phase }) => { phases.push(phase); } });
    const index = readIndex(out);
    expect(index.tensors['blocks.0.attn.hook_q']).toMatchObject({ dtype: 'F16', shape: [1, 3, 4, 8] });
    expect(index.tensors['blocks.1.attn.hook_z']).toMatchObject({ dtype: 'F16', shape: [1, 3, 4, 8] });
    expect(index.sites[0]).toMatchObject({ dtype: 'F16', rows: [0, 1, 2], statistics: 'graph' });
    expect(index.keepPattern).toBe(true);
    expect([...new Set(phases)]).toEqual(['open', 'session', 'run', 'write']);
    expect(Object.keys(index.timesMs)).toEqual(['open', 'session', 'run', 'capture']);
    expect(index.model.sha256).toBe(createHash('sha256').update(readFileSync(model)).digest('hex'));
    expect(index.next[0]).toHaveLength(5);
  });
  it('takes weights beside the model into its hash, in the order of their names, and remembers it while they stay', async () => {
    const file = generateDecoder(join(folder, 'beside'), { layers: 1, heads: 2, width: 16, vocabulary: 32, positions: 16 }), opened = await openModel(file), weights = join(folder, 'beside/weights.bin');
    const digest = (): string => createHash('sha256').update(readFileSync(file)).update(readFileSync(weights)).digest('hex');
    const before = await startHash(opened);
    expect(before).toBe(digest());
    expect(await startHash(opened)).toBe(before);
    appendFileSync(weights, Buffer.alloc(4));
    expect(await startHash(opened)).toBe(digest());
  });
});

describe('judgements', () => {
  it('keeps at least 64 rows of each sample, the first and the last real one among them', () => {
    expect(keptRowsOf([[1, 1, 1]])).toEqual([0, 1, 2]);
    const padded = Array.from({ length: 300 }, (_, i) => (i < 100 ? 0 : 1)), rows = keptRowsOf([padded, Array<number>(300).fill(1)]);
    for (const row of [0, 100, 299]) expect(rows).toContain(row);
    expect(rows.filter(row => row >= 100).length).toBeGreaterThanOrEqual(64);
    expect([...rows].sort((a, b) => a - b)).toEqual(rows);
    expect(keptRowsOf([[0, 0]])).toEqual([1]);
  });
  it('finds the five most likely tokens', () => {
    const logits = Float32Array.of(1, 3, 2, 5, 4, 0, 3), sum = [1, 3, 2, 5, 4, 0, 3].reduce((total, x) => total + Math.exp(x), 0);
    const [five] = nextTokens({ dims: [1, 7], data: logits }, id => `t${id}`);
    expect(five.map(token => token.id)).toEqual([3, 4, 1, 6, 2]);
    expect(five[0].probability).toBeCloseTo(Math.exp(5) / sum, 6);
  });
  it('stores float32 up to a gigabyte, then halves, and says what does not fit', async () => {
    const opened = await openModel(model), { plans } = recognise(opened), facts = (length: number) => factsOf({ model: opened, plans, tokens: { batch: 1, length }, textLength: 0, out });
    // 2 sites × (4 + 2 + 2) heads × 8 numbers × 4 bytes a token.
    const most = Math.floor(2 ** 30 / (2 * 64 * 4));
    expect(chooseStored('auto', facts(most))).toBe('F32');
    expect(chooseStored('auto', facts(most + 1))).toBe('F16');
    expect(chooseStored('fp32', facts(most + 1))).toBe('F32');
    expect(() => checkRoom(facts(2 ** 20), { stored: 'F32' }, out)).toThrow(/^Tracing 1 × 1048576 tokens needs about [\d.]+ GB of memory; [\d.]+ (GB|MB) are free\.$/);
    expect(() => checkRoom(facts(8), { stored: 'F32' }, out)).not.toThrow();
  });
  it('shortens what onnxruntime says', () => {
    expect(shortReason("Non-zero status code returned while running MatMul node. Name:'/m/MatMul' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/math/matmul_helper.h:61 onnxruntime::common::Status onnxruntime::MatMulComputeHelper::Compute(const onnxruntime::TensorShape&, bool) left operand cannot broadcast on dim 0")).toBe('MatMul "/m/MatMul": left operand cannot broadcast on dim 0');
    expect(shortReason(`x${'y'.repeat(500)}`).length).toBeLessThan(310);
  });
  it('takes masks that are computed alike in every layer for one', async () => {
    const opened = await openModel(model), { plans } = recognise(opened), same = sameValues(viewGraph(opened)), masks = plans.map(plan => plan.masks[0].value);
    expect(new Set(masks).size).toBe(2);
    expect(same(masks[0])).toBe(same(masks[1]));
    expect(same(plans[0].q!.value)).not.toBe(same(plans[1].q!.value));
  });
});
