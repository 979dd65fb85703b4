/** What a plan adds to the tapped graph: read as if the model had it, there once however many sites add it, and nothing of the model changes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, expect, it } from 'vitest';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { AddedGraph } from '../../../extension/engine/onnx/graph-builder.ts';
import { viewGraph } from '../../../extension/engine/onnx/graph-view.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { writeSkeleton } from '../../../extension/engine/onnx/writer.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { ownFeeds } from '../../../extension/engine/run/taps/own-feeds.ts';
import { fillInputs } from '../../../extension/engine/run/inputs/inputs.ts';
import { planTaps } from '../../../extension/engine/run/taps/taps.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import type { SitePlan } from '../../../extension/engine/sites/site-plan.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-added-')), file = join(import.meta.dirname, '../../zoo/models/llama/sdpa-ts.onnx'), ids = [5, 6, 7, 8, 9];
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** q out of nodes of ours; a mask of ones, and a sink too small to take anything, made by every site from the same constants. */
function withAdded(plan: SitePlan): SitePlan {
  const graph = new AddedGraph(17), q = graph.node('Neg', [graph.node('Neg', [plan.q!.value])]), mask = graph.tell(graph.node('Equal', [graph.ints([[1], [2]].flat()), graph.ints([1, 2])]), [2]);
  const all = graph.unsqueeze(graph.node('ReduceMin', [graph.cast(mask, 6)], { axes: [0], keepdims: 1 }), [0, 1, 2]);
  const sink = graph.floats(new Array<number>(plan.site.heads!).fill(-200));
  return { ...plan, site: { ...plan.site, capture: 'recomputed', sinkLogit: true }, softmax: undefined, q: { ...plan.q!, value: q }, masks: [...plan.masks, { value: all, as: 'keep' }], sink, added: graph.added() };
}

it('is read as if the model had it', async () => {
  const heads = async (name: string, alter: (plans: readonly SitePlan[]) => readonly SitePlan[]): Promise<{ readonly head: number; readonly sink: number }[]> => {
    const out = join(folder, name);
    await capture({ model: file, prompt: { kind: 'ids', ids }, out, dtype: 'fp32' }, { progress: () => undefined, alter });
    const { manifest } = await completeCapture({ out }), trace = openTrace(out);
    trace.close();
    expect(Object.values(manifest.parity).every(parity => parity.ok), JSON.stringify(manifest.parity)).toBe(true);
    return manifest.sites.flatMap(site => manifest.heads[site.name].map(each => ({ head: each.head, sink: Number(each.sink.toFixed(5)) })));
  };
  expect(await heads('with.attntrace', plans => plans.map(withAdded))).toEqual(await heads('without.attntrace', plans => plans));
});

it('is there once for all sites that add it, and leaves the model\'s outputs bit for bit', async () => {
  const model = await openModel(file), plans = recognise(model).plans.map(withAdded), inputs = fillInputs(model, { ids }, {});
  expect(plans.length).toBeGreaterThan(1);
  const taps = planTaps(model, viewGraph(model), plans, { stored: 'F32', keepZ: true });
  expect(taps.edits.nodes!.filter(node => node.op === 'Equal' && node.name.startsWith('attnscope.Equal.'))).toHaveLength(1);
  expect(new Set(taps.edits.nodes!.flatMap(node => node.outputs)).size).toBe(taps.edits.nodes!.flatMap(node => node.outputs).length);
  const run = async (bytes: Uint8Array): Promise<Record<string, ort.Tensor>> => {
    const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: 'basic', intraOpNumThreads: 1, extra: { session: { model_external_initializers_file_folder_path: model.dataFolder } } });
    const feeds = { ...inputs.feeds, ...ownFeeds(taps, inputs) };
    return await session.run(Object.fromEntries(session.inputNames.map(name => [name, new ort.Tensor(feeds[name].type as 'float32', feeds[name].data as Float32Array, feeds[name].dims as number[])])), model.graph.outputs.map(output => output.name)) as Record<string, ort.Tensor>;
  };
  const own = await run(writeSkeleton(model)), tapped = await run(writeSkeleton(model, taps.edits));
  for (const [name, tensor] of Object.entries(own)) expect(Buffer.compare(Buffer.from((tapped[name].data as Float32Array).buffer), Buffer.from((tensor.data as Float32Array).buffer)), name).toBe(0);
});
