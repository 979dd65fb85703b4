/** Opens a trace: header and manifest only, whatever its size; tensors are read when they are asked for. */
import { closeSync } from 'node:fs';
import { UserError } from '../../contract/errors.ts';
import type { Manifest } from '../../contract/trace.ts';
import { parseManifest } from './manifest.ts';
import { openForReading, readSafetensors } from './safetensors.ts';
import { TensorStore } from './tensor-store.ts';

export interface TraceFile { readonly file: string; readonly bytes: number; readonly manifest: Manifest; readonly store: TensorStore; close(): void }

/** Throws UserError for what is not a trace, for headers that lie and for versions that it does not know. */
export function openTrace(file: string): TraceFile {
  const fd = openForReading(file);
  try {
    const { tensors, metadata, bytes } = readSafetensors(fd, file);
    if (!Object.hasOwn(metadata, 'attnscope')) throw new UserError(`${file} is a safetensors file, but not a trace.`, 'Choose an .attntrace file.');
    const manifest = parseManifest(metadata.attnscope, file);
    const store = new TensorStore(file, fd, tensors);
    for (const site of manifest.sites) checkSite(site.name, store);
    return { file, bytes, manifest, store, close: () => store.close() };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Shapes that the rest of the engine relies on. */
function checkSite(name: string, store: TensorStore): void {
  const shape = (part: string): readonly number[] | undefined => store.tensors.get(`${name}.${part}`)?.shape;
  const wrong = (part: string): never => { throw new UserError(`${store.file} is damaged: tensor ${name}.${part} has shape [${shape(part)?.join(', ')}].`, 'Trace the model again.'); };
  const q = shape('hook_q'), k = shape('hook_k'), v = shape('hook_v'), pattern = shape('hook_pattern');
  if (q && (q.length !== 4 || q.includes(0))) wrong('hook_q');
  if (k && (k.length !== 4 || k.includes(0) || q && (k[0] !== q[0] || k[3] !== q[3] || q[2] % k[2] !== 0))) wrong('hook_k');
  if (v && (v.length !== 4 || k && (v[0] !== k[0] || v[1] !== k[1] || v[2] !== k[2]))) wrong('hook_v');
  if (pattern && (pattern.length !== 4 || pattern.includes(0) || q && (pattern[0] !== q[0] || pattern[1] !== q[2] || pattern[2] !== q[1]))) wrong('hook_pattern');
  const batch = q?.[0] ?? pattern?.[0], heads = q?.[2] ?? pattern?.[1], queries = q?.[1] ?? pattern?.[2], keys = k?.[1] ?? pattern?.[3];
  const same = (part: string, ...expected: (number | undefined)[]): void => {
    const found = shape(part);
    if (found && (found.length !== expected.length || found.some((dim, i) => dim !== expected[i]))) wrong(part);
  };
  for (const part of ['stats.lse', 'stats.entropy', 'stats.max', 'stats.max_key']) same(part, batch, heads, queries);
  same('stats.received', batch, heads, keys);
  same('stats.pooled', batch, heads, 32, 32);
}
