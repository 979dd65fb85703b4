/** The mask rules of a capture: each distinct mask is measured once, each distinct tensor stored once. */
import { createHash } from 'node:crypto';
import { UserError } from '../../contract/errors.ts';
import type { MaskRule } from '../../contract/trace.ts';
import type { CaptureIndex, SiteCapture } from '../trace/capture.ts';
import type { Blocks } from '../trace/visibility.ts';
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
      const blocks = capture.blocks && blocksOf(capture, side, keep, keys);
      const key = JSON.stringify([capture.masks, capture.rule, blocks?.name, capture.blocks?.offset, batch, heads, queries, keys, capture.site.stack, capture.site.mask]);
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
      if (blocks && !mask.visibility.blocks) measured.set(key, mask = { ...mask, visibility: { ...mask.visibility, blocks: blocks.blocks } });
      const view = viewSite(store, { ...capture.site, mask: mask.shape, softcap: capture.softcap || capture.site.softcap }, mask.visibility, sink, memory);
      return {
        view, rule: {
          causal: rule.causal, offset: rule.offset, window: rule.window,
          keys: visibleKeys ? keep('keys', 'U8', [batch, keys], visibleKeys) : null, bias: bias ? keep('bias', 'F32', bias.dims, bias.data) : null, sink: sink ? keep('sink', 'F32', [heads], sink) : null, ...(blocks ? { blocks: { tensor: blocks.name, size: blocks.blocks.size, offset: blocks.blocks.offset } } : {}),
        },
      };
    },
  };
}

type Keep = (kind: string, dtype: 'U8' | 'F32', shape: readonly number[], data: Uint8Array | Float32Array) => string;

/** The table of blocks as far as there are keys, from compressed rows. Errors: `UserError` where these are none. */
function blocksOf({ site, blocks }: SiteCapture, side: TensorStore, keep: Keep, keys: number): { readonly name: string; readonly blocks: Blocks } {
  const { rows, columns, size, offset } = blocks!, [layouts, ends] = side.info(rows).shape, entries = side.info(columns).shape[1], all = ends - 1, count = Math.min(all, Math.ceil(keys / size)), starts = side.floats(rows), places = side.floats(columns);
  const wrong = (): UserError => new UserError(`The block layout of ${site.node} is damaged.`, 'Export the model again.');
  if (!(layouts * count * count <= 2 ** 28)) throw wrong();
  const cells = new Uint8Array(layouts * count * count);
  for (let l = 0; l < layouts; l++) for (let row = 0; row < count; row++) {
    const from = starts[l * ends + row], to = starts[l * ends + row + 1];
    if (!(from >= 0 && from <= to && to <= entries)) throw wrong();
    for (let n = from; n < to; n++) { const column = places[l * entries + n]; if (!(column >= 0 && column < all)) throw wrong(); if (column < count) cells[(l * count + row) * count + column] = 1; }
  }
  return { name: keep('blocks', 'U8', [layouts, count, count], cells), blocks: { size, offset, dims: [layouts, count, count], cells } };
}
