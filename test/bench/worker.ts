/** One side of the benchmark in a process of its own, so that its peak memory is its own: the untouched model, the runner's work, or analysis'. */
import { statSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import type { RunFacts } from '../../extension/contract/estimate.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { openModel } from '../../extension/engine/onnx/open.ts';
import { writeSkeleton } from '../../extension/engine/onnx/writer.ts';
import { viewGraph } from '../../extension/engine/onnx/graph-view.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { weigh } from '../../extension/engine/run/weigh.ts';
import { collectGarbage } from '../../extension/engine/run/session/runtime.ts';
import { planTaps } from '../../extension/engine/run/taps/taps.ts';
import { recognise, recogniseInlined } from '../../extension/engine/sites/recognise.ts';
import { readIndex } from '../../extension/engine/trace/part-writer.ts';

export type Order =
  | { readonly kind: 'plain'; readonly model: string; readonly ids: readonly number[] }
  | { readonly kind: 'capture'; readonly model: string; readonly ids: readonly number[]; readonly out: string; readonly keep?: { readonly layers?: readonly number[]; readonly dtype?: 'fp16' } }
  | { readonly kind: 'weigh'; readonly model: string; readonly ids: readonly number[]; readonly out: string }
  | { readonly kind: 'complete'; readonly out: string }
  | { readonly kind: 'open'; readonly model: string }
  | { readonly kind: 'recognise'; readonly model: string };
/** `ms`: the part that counts; `peakBytes`: of this process so far. */
export interface Report { readonly ms: number; readonly peakBytes: number; readonly more: Readonly<Record<string, number>>; /** Of `weigh`. */ readonly facts?: RunFacts }

let plain: ort.InferenceSession | undefined;

async function obey(order: Order): Promise<Omit<Report, 'peakBytes'>> {
  switch (order.kind) {
    case 'plain': {
      plain ??= await ort.InferenceSession.create(order.model, { graphOptimizationLevel: 'all', logSeverityLevel: 3 });
      const dims = [1, order.ids.length], feeds = { input_ids: new ort.Tensor('int64', BigInt64Array.from(order.ids, BigInt), dims), attention_mask: new ort.Tensor('int64', new BigInt64Array(order.ids.length).fill(1n), dims) };
      const start = performance.now();
      await plain.run(feeds);
      return { ms: performance.now() - start, more: {} };
    }
    case 'capture': {
      await capture({ model: order.model, prompt: { kind: 'ids', ids: order.ids }, out: order.out, ...(order.keep?.layers ? { keep: { layers: order.keep.layers } } : {}), ...(order.keep?.dtype ? { dtype: order.keep.dtype } : {}) }, { progress: () => undefined });
      const { timesMs, tensors } = readIndex(order.out), stored = Object.values(tensors).reduce((sum, tensor) => sum + tensor.length, 0);
      // Opening and the session are made once for many prompts in the untouched run, too.
      return { ms: timesMs['run'] + timesMs['capture'], more: { ...timesMs, storedBytes: stored } };
    }
    case 'weigh': {
      const start = performance.now(), facts = await weigh({ model: order.model, prompt: { kind: 'ids', ids: order.ids }, out: order.out });
      return { ms: performance.now() - start, more: {}, facts };
    }
    case 'complete': {
      const start = performance.now();
      const { manifest } = await completeCapture({ out: order.out });
      return { ms: performance.now() - start, more: { failed: Object.values(manifest.parity).filter(parity => parity.ok !== true).length, fileBytes: statSync(order.out).size } };
    }
    case 'recognise': {
      collectGarbage();
      const before = process.memoryUsage().heapUsed, from = process.cpuUsage(), model = await openModel(order.model), opened = process.cpuUsage(from);
      const start = process.cpuUsage(), found = recogniseInlined(model), ended = process.cpuUsage(start), ms = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e3;
      collectGarbage();
      return { ms: ms(ended), more: { sites: found.plans.length, nodes: found.model.graph.nodes.length, openMs: ms(opened), keptBytes: process.memoryUsage().heapUsed - before } };
    }
    case 'open': {
      const before = process.memoryUsage().rss, start = performance.now(), model = await openModel(order.model), opened = performance.now();
      const { plans } = recognise(model), recognised = performance.now();
      const taps = planTaps(model, viewGraph(model), plans, { stored: 'F32', keepZ: false }), skeleton = writeSkeleton(model, taps.edits), ms = performance.now() - start;
      return { ms, more: { openMs: opened - start, sitesMs: recognised - opened, tapsMs: performance.now() - recognised, sites: plans.length, skeletonBytes: skeleton.byteLength, addedBytes: process.memoryUsage().rss - before, bytesRead: model.document.bytesRead } };
    }
  }
}

process.on('message', (order: Order) => {
  void obey(order).then(report => process.send!({ ...report, peakBytes: process.resourceUsage().maxRSS * 1024 }), (error: unknown) => { process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`); process.exit(1); });
});
process.on('disconnect', () => process.exit(0));
