/** Captures of every export: what the graph summed up against PyTorch's probabilities, and a model that computes the same bits as before. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { viewGraph } from '../../extension/engine/onnx/graph-view.ts';
import { openModel } from '../../extension/engine/onnx/open.ts';
import { writeSkeleton } from '../../extension/engine/onnx/writer.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import type { Feed } from '../../extension/engine/run/inputs/feeds.ts';
import { fillInputs } from '../../extension/engine/run/inputs/inputs.ts';
import { openInputs } from '../../extension/engine/onnx/picture-input.ts';
import { ownFeeds } from '../../extension/engine/run/taps/own-feeds.ts';
import { planTaps } from '../../extension/engine/run/taps/taps.ts';
import { readGivenTensors } from '../../extension/engine/run/inputs/tensor-file.ts';
import { recognise } from '../../extension/engine/sites/recognise.ts';
import type { StoredTensor } from '../../extension/engine/trace/capture.ts';
import { readIndex } from '../../extension/engine/trace/part-writer.ts';
import { readReference, zooCases, type ZooCase, type ZooTensor } from './cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-zoo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Where a reference's probabilities belong: group → sites. */
const groups: Readonly<Record<string, (site: { readonly kind: string; readonly stack: string }) => boolean>> = {
  attentions: site => site.kind === 'self' && site.stack === 'main', encoder_attentions: site => site.stack === 'encoder' && site.kind === 'self',
  decoder_attentions: site => site.stack === 'decoder' && site.kind === 'self', cross_attentions: site => site.kind === 'cross',
  text_model_output: site => site.stack === 'text', vision_model_output: site => site.stack === 'vision',
};
/** transformers 5.17 leaves gemma2's softcap out of its sdpa path: those files compute something else than the eager reference. */
const softer = (zoo: ZooCase): number => (zoo.architecture === 'gemma2' && zoo.export.startsWith('sdpa') ? 2e-4 : 0);

describe.each(zooCases().map(zoo => [`${zoo.architecture}/${zoo.export}`, zoo] as const))('%s', (name, zoo) => {
  it.each([['short', false], ['long', true]])('sums up the probabilities as PyTorch has them, with the taps of %s prompts', async (_, sparing) => {
    const out = join(folder, `${name.replace('/', '-')}.attntrace`);
    const traced = capture({ model: zoo.file, prompt: { kind: 'tensors', file: zoo.reference }, out, dtype: 'fp32' }, { progress: () => undefined, sparing });
    const { plans, refused } = recognise(await openModel(zoo.file));
    if (!plans.length) {
      expect(refused.length).toBeGreaterThan(0);
      await expect(traced).rejects.toThrow(refused[0].operator);
      return;
    }
    await traced;
    const index = readIndex(out), part = readFileSync(index.part), side = readFileSync(index.side), reference = readReference(zoo.reference);
    let compared = 0;
    for (const [group, mine] of Object.entries(groups)) {
      const sites = index.sites.filter(({ site }) => mine(site));
      for (const { site, statistics, receivedFrom, rows, ownPattern } of sites) {
        const probabilities = reference.get(`attn.${group}.${site.layer}`);
        if (!probabilities || statistics !== 'graph' || site.form !== 'dense') continue;
        compared++;
        const real = (b: number, i: number): boolean => { const row = index.input.real[b]; return group === 'cross_attentions' || group === 'decoder_attentions' || row?.length !== probabilities.shape[2] || row[i] === 1; };
        const read = (stored: StoredTensor, from = part): Float32Array | Int32Array => { const bytes = from.buffer.slice(from.byteOffset + stored.offset, from.byteOffset + stored.offset + stored.length); return stored.dtype === 'I32' ? new Int32Array(bytes) : new Float32Array(bytes); };
        const stats = (part_: string): Float32Array | Int32Array => read(index.tensors[`${site.name}.stats.${part_}`]);
        check(`${name} ${site.name}`, probabilities, real, {
          entropy: stats('entropy'), max: stats('max'), maxKey: stats('max_key'), received: stats('received'), pooled: stats('pooled'),
          receivedFrom: read(index.sideTensors[receivedFrom!], side), rows, own: read(index.sideTensors[ownPattern!], side),
        }, softer(zoo));
      }
    }
    const visible = index.sites.filter(({ site, statistics }) => statistics === 'graph' && site.form === 'dense' && site.stack === 'main').length;
    if (reference.has('attn.attentions.0')) expect(compared).toBe(visible);
  });

  it.each(['basic', 'all'] as const)('leaves what the model computes as it was, to the last bit, at level %s', async level => {
    const model = await openModel(zoo.file), view = viewGraph(model), { plans } = recognise(model);
    if (!plans.length) return;
    const inputs = fillInputs(model, { tensors: readGivenTensors(zoo.reference, openInputs(model).map(input => input.name)) }, {});
    const output = inputs.sides.length ? model.graph.outputs.find(one => (one.dims?.length ?? 3) === 3)?.name : undefined;
    const taps = planTaps(model, view, plans, { stored: 'F32', keepZ: true, ...(output ? { logits: output } : {}) });
    const own = await run(writeSkeleton(model), model.dataFolder, inputs.feeds, level), tapped = await run(writeSkeleton(model, taps.edits), model.dataFolder, { ...inputs.feeds, ...ownFeeds(taps, inputs) }, level);
    expect(Object.keys(own).length).toBeGreaterThan(0);
    for (const [out, tensor] of Object.entries(own)) expect(Buffer.compare(bytes(tapped[out]), bytes(tensor)), out).toBe(0);
  });
});

async function run(model: Uint8Array, data: string, feeds: Readonly<Record<string, Feed>>, level: 'basic' | 'all'): Promise<Record<string, ort.Tensor>> {
  // One thread: with more, a product may be summed in another order from run to run.
  const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: level, intraOpNumThreads: 1, logSeverityLevel: 3, extra: { session: { model_external_initializers_file_folder_path: data } } });
  const given = Object.fromEntries(session.inputNames.map(name => [name, new ort.Tensor(feeds[name].type as 'float32', feeds[name].data as Float32Array, feeds[name].dims as number[])]));
  const names = session.outputNames.filter((_, i) => session.outputMetadata[i].isTensor);
  try { return await session.run(given, names) as Record<string, ort.Tensor>; } finally { await session.release(); }
}
function bytes(tensor: ort.Tensor): Buffer { const data = tensor.data as Float32Array; return Buffer.from(data.buffer, data.byteOffset, data.byteLength); }

type Numbers = ArrayLike<number>;
interface Seen { readonly entropy: Numbers; readonly max: Numbers; readonly maxKey: Numbers; readonly received: Numbers; readonly pooled: Numbers; readonly receivedFrom: Numbers; readonly rows: readonly number[]; readonly own: Numbers }

/** Tolerances: float32 sums over at most 24 keys of probabilities that two programs agree on to 1e-5. */
function check(what: string, { shape, data }: ZooTensor, real: (b: number, i: number) => boolean, seen: Seen, softer: number): void {
  const [B, H, Q, K] = shape, C = Math.min(K, 32), R = Math.min(Q, 32);
  const near = (a: number, b: number, tolerance: number, where: string): void => { if (!(Math.abs(a - b) <= tolerance + softer * 5)) expect(a, `${what} ${where}`).toBe(b); };
  for (let b = 0; b < B; b++) for (let h = 0; h < H; h++) {
    const column = new Float64Array(K), from = new Float64Array(K), bins = new Float64Array(R * C), inBin = new Float64Array(R);
    for (let i = 0; i < Q; i++) {
      if (!real(b, i)) continue;
      const row = (b * H + h) * Q + i, bin = Math.floor(i * R / Q);
      let entropy = 0, max = -1;
      inBin[bin]++;
      for (let j = 0; j < K; j++) {
        const p = data[row * K + j];
        column[j] += p;
        from[j] += p * (i - Q / 2);
        bins[bin * C + Math.floor(j * C / K)] += p;
        if (p > 0) entropy -= p * Math.log(p);
        max = Math.max(max, p);
      }
      near(seen.entropy[row], entropy, 2e-5, `entropy [${b}, ${h}, ${i}]`);
      near(seen.max[row], max, 1e-5, `max [${b}, ${h}, ${i}]`);
      near(data[row * K + seen.maxKey[row]], max, 1e-5, `max_key [${b}, ${h}, ${i}]`);
      const kept = seen.rows.indexOf(i);
      if (kept >= 0) for (let j = 0; j < K; j++) near(seen.own[((b * H + h) * seen.rows.length + kept) * K + j], data[row * K + j], 1e-5, `own [${b}, ${h}, ${i}, ${j}]`);
    }
    for (let j = 0; j < K; j++) {
      near(seen.received[(b * H + h) * K + j], column[j], 1e-5 * Q, `received [${b}, ${h}, ${j}]`);
      near(seen.receivedFrom[(b * H + h) * K + j], from[j], 1e-5 * Q * Q, `received from [${b}, ${h}, ${j}]`);
    }
    for (let a = 0; a < 32; a++) for (let c = 0; c < 32; c++) {
      const expected = a < R && c < C && inBin[a] ? bins[a * C + c] / inBin[a] : 0;
      near(seen.pooled[((b * H + h) * 32 + a) * 32 + c], expected, 1e-5, `pooled [${b}, ${h}, ${a}, ${c}]`);
    }
  }
}
