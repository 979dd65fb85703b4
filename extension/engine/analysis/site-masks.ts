/** The mask rules of a capture: each distinct mask is measured once, each distinct tensor stored once. */
import { createHash } from 'node:crypto';
import type { MaskRule } from '../../contract/trace.ts';
import type { CaptureIndex, SiteCapture } from '../trace/capture.ts';
import { measureMask, type MeasuredMask } from '../trace/mask.ts';
import type { PartWriter } from '../trace/part-writer.ts';
import { SampleMemory, viewSite, type SiteView } from '../trace/site-view.ts';
import type { TensorStore } from '../trace/tensor-store.ts';
import { realRows } from './real-rows.ts';

export interface MaskBook {
  /** The view of a site with its measured rule, and the rule as the manifest has it. */
  view(capture: SiteCapture, store: TensorStore): Promise<{ readonly view: SiteView; readonly rule: MaskRule }>;
}

/** Mask tensors go into `writer` as they are met. */
export function maskBook(index: CaptureIndex, side: TensorStore, writer: PartWriter, between: () => Promise<void>): MaskBook {
  const memory = new SampleMemory(), measured = new Map<string, MeasuredMask>(), stored = new Map<string, string>(), seqToSeq = index.sites.some(({ site }) => site.stack === 'decoder');
  let serial = 0;
  const keep = (kind: string, dtype: 'U8' | 'F32', shape: readonly number[], data: Uint8Array | Float32Array): string => {
    const hash = createHash('sha256').update(`${kind} ${shape.join()} `).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).digest('hex');
    let name = stored.get(hash);
    if (name === undefined) {
      name = `masks.${kind}.${serial++}`;
      writer.append(name, dtype, shape, data);
      stored.set(hash, name);
    }
    return name;
  };
  return {
    view: async (capture, store) => {
      const bare = viewSite(store, capture.site), { batch, heads, queries, keys } = bare, sink = capture.sink === undefined ? undefined : side.floats(capture.sink);
      const key = JSON.stringify([capture.masks, capture.rule, batch, heads, queries, keys, capture.site.stack, capture.site.mask]);
      let mask = measured.get(key);
      if (!mask) {
        const terms = capture.masks.map(({ tensor, as }) => ({ shape: side.info(tensor).shape, data: side.floats(tensor), as }));
        await between();
        const real = Array.from({ length: batch }, (_, b) => realRows(bare, b, index.input, seqToSeq));
        mask = bare.from === 'qk' || terms.length
          ? await measureMask({ site: capture.site.name, batch, heads, queries, keys, rule: capture.rule, terms, claimed: capture.site.mask, real: (b, i) => real[b][i] === 1 }, between)
          : { visibility: { batch, heads, queries, keys, rule: capture.rule }, shape: capture.site.mask };
        measured.set(key, mask);
      }
      const { rule, visibleKeys, bias } = mask.visibility;
      const view = viewSite(store, { ...capture.site, mask: mask.shape, softcap: capture.softcap || capture.site.softcap }, mask.visibility, sink, memory);
      return {
        view, rule: {
          causal: rule.causal, offset: rule.offset, window: rule.window,
          keys: visibleKeys ? keep('keys', 'U8', [batch, keys], visibleKeys) : null, bias: bias ? keep('bias', 'F32', bias.dims, bias.data) : null, sink: sink ? keep('sink', 'F32', [heads], sink) : null,
        },
      };
    },
  };
}
