/** What a comparison must find, in float64 from the stored q, k and v, written from the definitions. */
import { readFileSync } from 'node:fs';
import type { Manifest } from '../../../extension/contract/trace.ts';
import { referenceAttention, type ReferenceOutput } from '../../../extension/engine/maths/reference-attention.ts';

interface Tensor { readonly shape: readonly number[]; readonly data: Float32Array }

/** Float32 tensors of a safetensors file, read without our reader. */
function tensorsOf(file: string): { readonly manifest: Manifest; tensor(name: string): Tensor } {
  const bytes = readFileSync(file), length = Number(bytes.readBigUInt64LE()), header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<string, { readonly shape: number[]; readonly data_offsets: [number, number] }> & { readonly __metadata__: { readonly attnscope: string } };
  return {
    manifest: JSON.parse(header.__metadata__.attnscope) as Manifest,
    tensor: name => { const { shape, data_offsets: [from, to] } = header[name]; return { shape, data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + 8 + length + from, bytes.byteOffset + 8 + length + to)) }; },
  };
}

/** A causal site of one sample. */
export function siteTwin(file: string, name: string): ReferenceOutput & { readonly heads: number; readonly length: number; readonly valueDim: number } {
  const { manifest, tensor } = tensorsOf(file), site = manifest.sites.find(one => one.name === name)!, q = tensor(`${name}.hook_q`), k = tensor(`${name}.hook_k`), v = tensor(`${name}.hook_v`);
  const [, length, heads, dim] = q.shape, [, , kvHeads, valueDim] = v.shape;
  const swap = ({ shape: [, T, H, D], data }: Tensor): Float64Array => Float64Array.from({ length: data.length }, (_, x) => data[((Math.floor(x / D) % T) * H + Math.floor(x / D / T)) * D + x % D]);
  const twin = referenceAttention({ q: swap(q), k: swap(k), v: swap(v), heads, kvHeads, queries: length, keys: length, dim, valueDim, scale: site.scale!, softcap: 0, sees: (_, i, j) => j <= i });
  return { ...twin, heads, length, valueDim };
}

export interface DiffTwin { readonly js: number; readonly klAB: number; readonly klBA: number; readonly tv: number; readonly maxAbs: number; readonly topKOverlap: number; readonly outputError: number }

/** Head `h`, rows 0 … rows − 1. */
export function diffTwin(a: ReturnType<typeof siteTwin>, b: ReturnType<typeof siteTwin>, h: number, rows = a.length): DiffTwin {
  const kl = (p: Float64Array, q: Float64Array): number => p.reduce((sum, x, j) => (x > 0 ? sum + x * Math.log(x / q[j]) : sum), 0);
  let js = 0, klAB = 0, klBA = 0, tv = 0, maxAbs = 0, overlap = 0, off = 0, size = 0;
  for (let i = 0; i < rows; i++) {
    const row = ({ probs, length }: typeof a): Float64Array => probs.subarray((h * length + i) * length, (h * length + i) * length + i + 1), p = row(a), q = row(b), m = p.map((x, j) => (x + q[j]) / 2);
    js += (kl(p, m) + kl(q, m)) / 2;
    klAB += kl(p, q);
    klBA += kl(q, p);
    tv += p.reduce((sum, x, j) => sum + Math.abs(x - q[j]), 0) / 2;
    maxAbs = Math.max(maxAbs, ...p.map((x, j) => Math.abs(x - q[j])));
    const k = Math.min(5, Math.max(1, Math.floor((i + 1) / 2))), top = (values: Float64Array): number[] => [...values.keys()].sort((x, y) => values[y] - values[x] || x - y).slice(0, k), mine = new Set(top(p));
    overlap += top(q).filter(key => mine.has(key)).length / k;
    for (let d = 0; d < a.valueDim; d++) { const x = a.out[(h * a.length + i) * a.valueDim + d], y = b.out[(h * b.length + i) * b.valueDim + d]; off += (y - x) ** 2; size += x ** 2; }
  }
  return { js: js / rows, klAB: klAB / rows, klBA: klBA / rows, tv: tv / rows, maxAbs, topKOverlap: overlap / rows, outputError: Math.sqrt(off / size) };
}
