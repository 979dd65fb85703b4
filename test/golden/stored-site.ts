/** A site as a trace stores it, from plain arrays: what the kernels read. */
import { join } from 'node:path';
import type { Site } from '../../extension/contract/site.ts';
import { PartWriter } from '../../extension/engine/trace/part-writer.ts';
import { openForReading } from '../../extension/engine/trace/safetensors.ts';
import { viewSite, type SiteView } from '../../extension/engine/trace/site-view.ts';
import { TensorStore } from '../../extension/engine/trace/tensor-store.ts';
import type { Visibility } from '../../extension/engine/trace/visibility.ts';

/** [batch, head, position, dim] tensors, as papers have them. */
export interface Plain { readonly shape: readonly number[]; readonly data: ArrayLike<number> }
export interface StoredSite { readonly view: SiteView; readonly writer: PartWriter; close(): void }

export const plainSite: Site = {
  name: 'blocks.0.attn', stack: 'main', layer: 0, kind: 'self', form: 'dense', heads: null, kvHeads: null, headDim: null, valueDim: null,
  mask: { causal: false, window: null, padding: false, additive: false }, scale: 1, softcap: null, sinkLogit: false, operator: 'Softmax', node: 'n', capture: 'recomputed',
  taps: { q: null, k: null, v: null, probs: null, out: null }, source: { module: null, class: null, file: null, line: null, level: 'none' },
};

export function storeSite(folder: string, tensors: { readonly q: Plain; readonly k: Plain; readonly v?: Plain; readonly lse?: Float32Array }, of: { readonly scale: number; readonly softcap?: number; readonly visibility?: Visibility; readonly sink?: Float32Array; readonly site?: Partial<Site> }): StoredSite {
  const file = join(folder, `site-${Math.random().toString(36).slice(2)}.part`), writer = PartWriter.create(file), name = plainSite.name;
  for (const part of ['q', 'k', 'v'] as const) {
    const tensor = tensors[part];
    if (tensor) { const [b, h, t, d] = tensor.shape; writer.append(`${name}.hook_${part}`, 'F32', [b, t, h, d], positionsFirst(tensor)); }
  }
  if (tensors.lse) { const [b, h, t] = tensors.q.shape; writer.append(`${name}.stats.lse`, 'F32', [b, h, t], tensors.lse); }
  const store = new TensorStore(file, openForReading(file), new Map(Object.entries(writer.tensors)));
  return { view: viewSite(store, { ...plainSite, ...of.site, scale: of.scale, softcap: of.softcap ?? null }, of.visibility, of.sink), writer, close: () => { writer.close(); store.close(); } };
}

/** [b, h, t, d] → [b, t, h, d]. */
export function positionsFirst({ shape: [B, H, T, D], data }: Plain): Float32Array {
  const out = new Float32Array(B * H * T * D);
  for (let b = 0, n = 0; b < B; b++) for (let h = 0; h < H; h++) for (let t = 0; t < T; t++) for (let d = 0; d < D; d++) out[((b * T + t) * H + h) * D + d] = data[n++];
  return out;
}
