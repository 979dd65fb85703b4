/** A site of a trace file made of given tensors, for suites that test what reads one. */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Site } from '../../extension/contract/site.ts';
import { PartWriter } from '../../extension/engine/trace/part-writer.ts';
import { viewSite, type SiteView } from '../../extension/engine/trace/site-view.ts';
import { TensorStore } from '../../extension/engine/trace/tensor-store.ts';
import type { Visibility } from '../../extension/engine/trace/visibility.ts';

export const plainSite: Site = {
  name: 'blocks.0.attn', stack: 'main', layer: 0, kind: 'self', form: 'dense', heads: null, kvHeads: null, headDim: null, valueDim: null,
  mask: { causal: true, window: null, padding: false, additive: false }, scale: 1, softcap: null, sinkLogit: false, operator: 'Softmax', node: '', capture: 'graph',
  taps: { q: null, k: null, v: null, probs: null, out: null }, source: { module: null, class: null, file: null, line: null, level: 'none' },
};

/** Tensors by the part of their name (`hook_q`, [batch, position, head, dim], …). `close` removes the file. */
export function storeSite(tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>>, site: Partial<Site>, visibility?: Visibility, sink?: Float32Array): { readonly view: SiteView; close(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'attnscope-site-')), file = join(folder, 'site.part'), writer = PartWriter.create(file);
  for (const [part, { shape, data }] of Object.entries(tensors)) writer.append(`${plainSite.name}.${part}`, 'F32', shape, Float32Array.from(data));
  writer.close();
  const fd = openSync(file, 'r'), store = new TensorStore(file, fd, new Map(Object.entries(writer.tensors)));
  return { view: viewSite(store, { ...plainSite, ...site }, visibility, sink), close: () => { closeSync(fd); rmSync(folder, { recursive: true }); } };
}

/** [1, head, position, dim] as golden files have it → [1, position, head, dim]. */
export function positionsFirst(data: ArrayLike<number>, [, heads, positions, dim]: readonly number[]): { readonly shape: readonly number[]; readonly data: Float32Array } {
  const out = new Float32Array(heads * positions * dim);
  for (let h = 0; h < heads; h++) for (let i = 0; i < positions; i++) for (let d = 0; d < dim; d++) out[(i * heads + h) * dim + d] = data[(h * positions + i) * dim + d];
  return { shape: [1, positions, heads, dim], data: out };
}
