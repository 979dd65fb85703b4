/** Which queries of a site are real tokens. */
import { sequenceOf } from '../../contract/sequences.ts';
import type { TraceInput } from '../../contract/trace.ts';
import type { SiteView } from '../trace/site-view.ts';

/**
 * [query] 1 = real. Text sites follow the input's own padding; the encoder of a sequence-to-sequence model, whose tokens may be others,
 * follows what its keys' mask leaves visible; patches and frames are all real.
 */
export function realRows(view: SiteView, b: number, input: TraceInput, seqToSeq: boolean): Uint8Array {
  const out = new Uint8Array(view.queries).fill(1), { stack, kind } = view.site;
  if (stack === 'vision' || stack === 'audio') return out;
  if (seqToSeq && stack === 'encoder') {
    const keys = view.visibility.visibleKeys;
    if (keys && kind === 'self' && view.queries === view.keys) out.set(keys.subarray(b * view.keys, (b + 1) * view.keys));
    return out;
  }
  const own = sequenceOf(input, view.site, 'queries')?.real, real = own?.length === view.batch ? own[b] : undefined;
  if (real?.length === view.queries) out.set(real);
  return out;
}
