/** Captures made without a model, from random q, k, v, with the float64 twin of what they must become. */
import { join } from 'node:path';
import type { MaskRule } from '../../../extension/contract/trace.ts';
import { referenceAttention, type ReferenceOutput } from '../../../extension/engine/maths/reference-attention.ts';
import { toHalf } from '../../../extension/engine/maths/half.ts';
import type { CaptureIndex } from '../../../extension/engine/trace/capture.ts';
import { PartWriter, captureFiles, writeIndex } from '../../../extension/engine/trace/part-writer.ts';
import { plainSite } from '../../golden/stored-site.ts';

export interface Wanted {
  readonly batch?: number; readonly heads?: number; readonly kvHeads?: number; readonly queries: number; readonly keys?: number; readonly dim?: number;
  readonly rule?: Pick<MaskRule, 'causal' | 'offset' | 'window'>;
  /** Added to the scores; at or below −1e4 it hides. */
  readonly mask?: (b: number, h: number, i: number, j: number) => number;
  readonly real?: readonly (readonly number[])[];
  readonly ids?: readonly (readonly number[])[];
  readonly sink?: readonly number[];
  readonly softcap?: number;
  readonly dtype?: 'F32' | 'F16';
  readonly spread?: number;
  /** Written over q and k before they are stored. */
  readonly spoil?: (q: Float32Array, k: Float32Array) => void;
  readonly headerSpace?: number;
  readonly keepPattern?: boolean;
  /** No parity material. */
  readonly bare?: boolean;
}
export interface Synthetic { readonly out: string; readonly twins: readonly ReferenceOutput[]; readonly sees: (b: number, h: number, i: number, j: number) => boolean }

export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** Writes part, side and index beside `folder/name.attntrace`. */
export function syntheticCapture(folder: string, name: string, wanted: Wanted): Synthetic {
  const { batch = 1, heads = 2, kvHeads = heads, queries, keys = queries, dim = 8, rule = { causal: true, offset: keys - queries, window: null }, spread = 2 } = wanted;
  const random = randomNumbers(name.length * 977 + queries), normal = (count: number): Float32Array => Float32Array.from({ length: count }, () => (random() + random() + random() - 1.5) * spread);
  const q = normal(batch * queries * heads * dim), k = normal(batch * keys * kvHeads * dim), v = normal(batch * keys * kvHeads * dim), scale = 1 / Math.sqrt(dim), out = join(folder, `${name}.attntrace`), site = 'blocks.0.attn';
  wanted.spoil?.(q, k);
  const hidden = (i: number, j: number): boolean => rule.causal && j > i + rule.offset || rule.window !== null && (rule.window[0] >= 0 && j < i + rule.offset - rule.window[0] || rule.window[1] >= 0 && j > i + rule.offset + rule.window[1]);
  const sees = (b: number, h: number, i: number, j: number): boolean => !hidden(i, j) && !((wanted.mask?.(b, h, i, j) ?? 0) <= -1e4);
  const swap = (data: Float32Array, b: number, positions: number, n: number): Float64Array => Float64Array.from({ length: n * positions * dim }, (_, x) => data[((b * positions + Math.floor(x / dim) % positions) * n + Math.floor(x / dim / positions)) * dim + x % dim]);
  const twins = Array.from({ length: batch }, (_, b) => referenceAttention({
    q: swap(q, b, queries, heads), k: swap(k, b, keys, kvHeads), v: swap(v, b, keys, kvHeads), heads, kvHeads, queries, keys, dim, valueDim: dim, scale, softcap: wanted.softcap ?? 0, sink: wanted.sink,
    sees: (h, i, j) => sees(b, h, i, j), bias: (h, i, j) => wanted.mask?.(b, h, i, j) ?? 0,
  }));
  const files = captureFiles(out), headerSpace = wanted.headerSpace ?? 65_536, part = PartWriter.create(files.part, headerSpace), side = PartWriter.create(files.side), dtype = wanted.dtype ?? 'F32';
  const stored = (data: Float32Array): Float32Array | Uint16Array => (dtype === 'F16' ? toHalf(data) : data);
  part.append(`${site}.hook_q`, dtype, [batch, queries, heads, dim], stored(q));
  part.append(`${site}.hook_k`, dtype, [batch, keys, kvHeads, dim], stored(k));
  part.append(`${site}.hook_v`, dtype, [batch, keys, kvHeads, dim], stored(v));
  const rows = Array.from({ length: queries }, (_, i) => i), pattern = Float32Array.from(twins.flatMap(twin => [...twin.probs]));
  const output = Float32Array.from({ length: batch * queries * heads * dim }, (_, x) => { const [d, h, i, b] = [x % dim, Math.floor(x / dim) % heads, Math.floor(x / dim / heads) % queries, Math.floor(x / dim / heads / queries)]; return twins[b].out[(h * queries + i) * dim + d]; });
  side.append('pattern', 'F32', [batch, heads, queries, keys], pattern);
  side.append('output', 'F32', [batch, queries, heads, dim], output);
  if (wanted.mask) side.append('mask', 'F32', [batch, heads, queries, keys], Float32Array.from({ length: batch * heads * queries * keys }, (_, x) => wanted.mask!(Math.floor(x / keys / queries / heads), Math.floor(x / keys / queries) % heads, Math.floor(x / keys) % queries, x % keys)));
  if (wanted.sink) side.append('sink', 'F32', [heads], Float32Array.from(wanted.sink));
  part.close();
  side.close();
  const ids = wanted.ids ?? Array.from({ length: batch }, (_, b) => Array.from({ length: queries }, (_, i) => (i * (b + 3)) % 5));
  const index: CaptureIndex = {
    out, part: files.part, side: files.side, headerSpace, tensors: part.tensors, sideTensors: side.tensors,
    sites: [{
      site: { ...plainSite, name: site, heads, kvHeads, headDim: dim, valueDim: dim, scale, sinkLogit: wanted.sink !== undefined }, dtype, rule, softcap: wanted.softcap ?? 0,
      masks: wanted.mask ? [{ tensor: 'mask', as: 'add' }] : [], statistics: 'missing', rows, ...(wanted.bare ? {} : { ownPattern: 'pattern', ownOutput: 'output' }), ...(wanted.sink ? { sink: 'sink' } : {}),
    }],
    model: { file: 'm.onnx', path: '/m.onnx', graphHash: '0', bytes: 1, modified: '2026-01-01T00:00:00Z', opsets: { '': 17 }, producer: 'test', nodes: 1 },
    input: { ids, tokens: ids.map(row => row.map(id => `t${id}`)), spans: [], real: wanted.real ?? ids.map(row => row.map(() => 1)) }, next: [], filledInputs: {}, device: 'cpu', runtime: {}, timesMs: {}, keepPattern: wanted.keepPattern ?? false,
  };
  writeIndex(index);
  return { out, twins, sees };
}
