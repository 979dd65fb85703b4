/** Runs a fixture as it is, with our taps, and through capture and completion; what each gave. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { RefusedSite, Site } from '../../extension/contract/site.ts';
import type { Parity } from '../../extension/contract/trace.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { exportPattern } from '../../extension/engine/analysis/export-pattern.ts';
import { fromHalf, toHalf } from '../../extension/engine/maths/half.ts';
import { buildModel } from '../../extension/engine/onnx/build.ts';
import { dataType } from '../../extension/engine/onnx/model.ts';
import { writeSkeleton } from '../../extension/engine/onnx/writer.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import type { Feed } from '../../extension/engine/run/inputs/feeds.ts';
import { ownFeeds } from '../../extension/engine/run/taps/own-feeds.ts';
import { prepareRun } from '../../extension/engine/run/prepare-run.ts';
import { planTaps } from '../../extension/engine/run/taps/taps.ts';
import { recognise } from '../../extension/engine/sites/recognise.ts';
import { openTrace } from '../../extension/engine/trace/open.ts';
import { readReference } from '../zoo/cases.ts';
import type { Fed, Fixture } from './fixture.ts';
import { twinOf, type Numbers, type TwinResult } from './twin.ts';

export interface Seen {
  /** What `sites` says before a run, and after it. */
  readonly reported: Site; readonly site: Site;
  readonly refused: readonly RefusedSite[];
  readonly parity: Parity;
  readonly emptyRows: number;
  readonly q: Numbers; readonly k: Numbers; readonly v: Numbers;
  readonly pattern: Numbers; readonly scores: Numbers; readonly entropy: Numbers;
  readonly ownOutput: Numbers & { readonly data: Float32Array };
  readonly ownScores?: Numbers;
  /** Outputs of the model that differ in a bit when it is tapped. */
  readonly changed: readonly string[];
  /** Outputs whose shapes were inferred otherwise than they are. */
  readonly misshapen: readonly string[];
  readonly twin: TwinResult;
}

let serial = 0;

export async function traceFixture(fixture: Fixture, folder: string): Promise<Seen> {
  const base = join(folder, String(serial++)), model = `${base}.onnx`, file = `${base}.safetensors`, out = `${base}.attntrace`;
  writeFileSync(model, buildModel(fixture.model));
  writeFileSync(file, safetensors(fixture.inputs));
  const prompt = { kind: 'tensors', file } as const, own = await runAsItIs(model, fixture);
  const { main } = await prepareRun({ model, prompt, out }), { model: opened, view, plans } = main, { refused } = recognise(opened);
  // A lone graph asks for nothing of earlier stages.
  const inputs = await main.inputs(undefined as never);
  const taps = planTaps(opened, view, plans, { stored: 'F32', keepZ: false }), tapped = await run(writeSkeleton(opened, taps.edits), { ...inputs.feeds, ...ownFeeds(taps, inputs) }, fixture);
  await capture({ model, prompt, out, dtype: 'fp32' }, { progress: () => undefined });
  const { manifest } = await completeCapture({ out }), trace = openTrace(out), { name } = manifest.sites[0];
  try {
    await exportPattern(trace, { out: `${base}.pattern`, sites: [], scores: false });
    await exportPattern(trace, { out: `${base}.scores`, sites: [], scores: true });
    const kept = readReference(out), tensor = (part: string, from = kept): Numbers => from.get(`${name}.${part}`)!;
    const output = own[fixture.output], scores = fixture.scores && own[fixture.scores.output];
    return {
      reported: plans[0].site, site: manifest.sites[0], refused, parity: manifest.parity[name], emptyRows: manifest.emptyRows[name],
      q: tensor('hook_q'), k: tensor('hook_k'), v: tensor('hook_v'), entropy: tensor('stats.entropy'),
      pattern: tensor('hook_pattern', readReference(`${base}.pattern`)), scores: tensor('hook_attn_scores', readReference(`${base}.scores`)),
      ownOutput: numbersOf(output), ...(scores ? { ownScores: numbersOf(scores) } : {}),
      changed: Object.keys(own).filter(each => !sameBits(own[each], tapped[each])), misshapen: Object.keys(own).filter(each => misshapen(view.dims(each), own[each].dims)), twin: twinOf(fixture.twin),
    };
  } finally {
    trace.close();
    for (const end of ['.onnx', '.safetensors', '.attntrace', '.pattern', '.scores']) rmSync(`${base}${end}`, { force: true });
  }
}

async function runAsItIs(model: string, { inputs, shared, model: { outputs } }: Fixture): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: 'basic', logSeverityLevel: 4 });
  const given = Object.fromEntries(inputs.map(input => [input.name, tensorOfInput(input)]));
  try { return await session.run(given, fetches(outputs.map(output => output.name), given, shared)) as Record<string, ort.Tensor>; } finally { await session.release(); }
}

/** A buffer that is written is nobody else's. */
function fetches(names: readonly string[], given: Readonly<Record<string, ort.Tensor>>, shared: Fixture['shared'] = []): Record<string, ort.Tensor | null> {
  return { ...Object.fromEntries(names.map(name => [name, null])), ...Object.fromEntries(shared.map(([input, output]) => [output, given[input]])) };
}

async function run(skeleton: Uint8Array, feeds: Readonly<Record<string, Feed>>, { shared, model: { outputs } }: Fixture): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(skeleton, { graphOptimizationLevel: 'basic', logSeverityLevel: 4 });
  const given = Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)).map(([name, feed]) => [name, new ort.Tensor(feed.type as 'float32', feed.data.slice() as Float32Array, [...feed.dims])]));
  // All outputs, ours too: what is not fetched is not computed.
  try { const all = await session.run(given, fetches(session.outputNames.filter((_, i) => session.outputMetadata[i].isTensor), given, shared)) as Record<string, ort.Tensor>; return Object.fromEntries(outputs.map(({ name }) => [name, all[name]])); } finally { await session.release(); }
}

/** Of float16, onnxruntime hands over the bits. */
function numbersOf({ dims, type, data }: ort.Tensor): Numbers & { readonly data: Float32Array } { return { shape: dims, data: type === 'float16' ? fromHalf(data as unknown as Uint16Array) : data as Float32Array }; }

/** What is not known is not wrong. */
function misshapen(inferred: readonly (number | undefined)[] | undefined, dims: readonly number[]): boolean {
  return inferred !== undefined && (inferred.length !== dims.length || inferred.some((dim, i) => dim !== undefined && dim !== dims[i]));
}

function sameBits(a: ort.Tensor, b: ort.Tensor): boolean {
  const bytes = (tensor: ort.Tensor): Buffer => { const data = tensor.data as Float32Array; return Buffer.from(data.buffer, data.byteOffset, data.byteLength); };
  return a.dims.join() === b.dims.join() && bytes(a).equals(bytes(b));
}

function bytesOf({ data, type = dataType.float }: Fed): { readonly dtype: string; readonly ort: ort.Tensor.Type; readonly array: Float32Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array | Int8Array } {
  switch (type) {
    case dataType.float: return { dtype: 'F32', ort: 'float32', array: Float32Array.from(data) };
    case dataType.float16: return { dtype: 'F16', ort: 'float16', array: toHalf(Float32Array.from(data)) };
    case dataType.int32: return { dtype: 'I32', ort: 'int32', array: Int32Array.from(data) };
    case dataType.int64: return { dtype: 'I64', ort: 'int64', array: BigInt64Array.from(Array.from(data), BigInt) };
    case dataType.uint8: return { dtype: 'U8', ort: 'uint8', array: Uint8Array.from(data) };
    case dataType.int8: return { dtype: 'I8', ort: 'int8', array: Int8Array.from(data) };
    case dataType.bool: return { dtype: 'BOOL', ort: 'bool', array: Uint8Array.from(data) };
    default: throw new Error(`a fixture cannot be fed elements of type ${type}`);
  }
}

function tensorOfInput(input: Fed): ort.Tensor { const { ort: type, array } = bytesOf(input); return new ort.Tensor(type as 'float32', array as Float32Array, [...input.dims]); }

export function safetensors(inputs: readonly Fed[]): Uint8Array {
  const header: Record<string, unknown> = {}, parts: Uint8Array[] = [];
  let at = 0;
  for (const input of inputs) {
    const { dtype, array } = bytesOf(input);
    header[input.name] = { dtype, shape: input.dims, data_offsets: [at, at += array.byteLength] };
    parts.push(new Uint8Array(array.buffer));
  }
  const text = Buffer.from(JSON.stringify(header)), length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}
