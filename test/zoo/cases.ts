/** The zoo's exports: our own copies, and every case of the folder that ATTNSCOPE_ZOO names; ATTNSCOPE_ONLY=name,… selects. */
import { fromHalf } from '../../extension/engine/maths/half.ts';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface ZooCase { readonly architecture: string; readonly export: string; readonly file: string; readonly reference: string }
export interface ZooTensor { readonly dtype: string; readonly shape: readonly number[]; readonly data: Float64Array }

const own = join(import.meta.dirname, 'models');

/** Every export of every architecture; architectures of ATTNSCOPE_ZOO take the place of our copies. */
export function zooCases(): readonly ZooCase[] { return casesIn([own, process.env['ATTNSCOPE_ZOO']]); }

/** Attention as people write it by hand (forms/make.py): one layer's module each, several exports. */
export function formCases(): readonly ZooCase[] { return casesIn([join(import.meta.dirname, 'forms')]); }

function casesIn(roots: readonly (string | undefined)[]): readonly ZooCase[] {
  const only = process.env['ATTNSCOPE_ONLY']?.split(',').filter(Boolean);
  const folders = new Map<string, string>();
  for (const root of roots) {
    if (!root) continue;
    for (const name of readdirSync(root)) if (existsSync(join(root, name, 'reference.safetensors'))) folders.set(name, join(root, name));
  }
  return [...folders].filter(([name]) => !only || only.includes(name)).sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([architecture, folder]) =>
    readdirSync(folder).filter(file => file.endsWith('.onnx')).sort().map(file => ({
      architecture, export: file.replace('.onnx', ''), file: join(folder, file), reference: join(folder, 'reference.safetensors'),
    })));
}

/** All tensors of a safetensors file as float64. */
export function readReference(path: string): ReadonlyMap<string, ZooTensor> {
  const bytes = readFileSync(path), header = Number(bytes.readBigUInt64LE(0));
  const table = JSON.parse(bytes.subarray(8, 8 + header).toString('utf8')) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const tensors = new Map<string, ZooTensor>();
  delete table['__metadata__'];
  for (const [name, { dtype, shape, data_offsets: [start, end] }] of Object.entries(table)) {
    const raw = bytes.subarray(8 + header + start, 8 + header + end), view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    const [size, read] = readers[dtype];
    const data = Float64Array.from({ length: raw.byteLength / size }, (_, i) => read(view, i * size));
    tensors.set(name, { dtype, shape, data });
  }
  return tensors;
}

const readers: Readonly<Record<string, readonly [size: number, read: (view: DataView, at: number) => number]>> = {
  F16: [2, (v, at) => fromHalf(Uint16Array.of(v.getUint16(at, true)))[0]], F32: [4, (v, at) => v.getFloat32(at, true)], F64: [8, (v, at) => v.getFloat64(at, true)],
  I32: [4, (v, at) => v.getInt32(at, true)], I64: [8, (v, at) => Number(v.getBigInt64(at, true))],
  U8: [1, (v, at) => v.getUint8(at)], BOOL: [1, (v, at) => v.getUint8(at)],
};
