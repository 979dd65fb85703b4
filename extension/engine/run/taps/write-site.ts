/** Writes what a run showed of one site into the part and side files of a capture. */
import { UserError } from '../../../contract/errors.ts';
import type { Site } from '../../../contract/site.ts';
import type { SitePlan } from '../../sites/site-plan.ts';
import type { SiteCapture } from '../../trace/capture.ts';
import type { PartWriter } from '../../trace/part-writer.ts';
import { writeStatistics } from './capture-statistics.ts';
import type { Fetched } from '../session/runtime.ts';
import type { SiteTaps } from './taps.ts';

export interface SiteWriting { readonly plan: SitePlan; readonly taps: SiteTaps; readonly fetched: Fetched; readonly part: PartWriter; readonly side: PartWriter; readonly stored: 'F32' | 'F16'; /** Keeps masks of several graphs apart. */ readonly stage: string }

/** Writes q, k, v, statistics, masks and what parity needs. */
export function writeSite({ plan, taps, fetched, part, side, stored, stage }: SiteWriting): SiteCapture {
  // Where weights and blocks lie is for the model's own list: a trace does without the model file.
  const { block: _, weights: __, ...site } = plan.site, dims: Partial<Record<'q' | 'k' | 'v' | 'z', readonly number[]>> = {};
  for (const name of ['q', 'k', 'v', 'z'] as const) {
    const output = taps[name];
    if (output === undefined) continue;
    const tensor = fetched.take(output);
    dims[name] = tensor.dims;
    part.append(`${site.name}.hook_${name}`, stored, tensor.dims, tensor.data);
  }
  const { q, k, v } = dims;
  const rows = Array.from(fetched.take(taps.rows).data as BigInt64Array, Number);
  const own = (output: string | undefined, name: string): string | undefined => {
    if (output === undefined) return undefined;
    const tensor = fetched.take(output);
    side.append(`${site.name}.${name}`, 'F32', tensor.dims, tensor.data);
    return `${site.name}.${name}`;
  };
  if (taps.pattern !== undefined) { const tensor = fetched.take(taps.pattern); part.append(`${site.name}.hook_pattern`, 'F32', tensor.dims, tensor.data); }
  if (taps.implied !== undefined) { const tensor = fetched.take(taps.implied); part.append(`${site.name}.hook_implied`, 'F32', tensor.dims, tensor.data); }
  const scales = plan.scale.map(factor => ('constant' in factor ? factor.constant ** factor.power : undefined));
  taps.scales.forEach(({ output, power }) => { scales[scales.indexOf(undefined)] = (fetched.take(output).data as Float32Array)[0] ** power; });
  const scale = plan.q ? scales.reduce<number>((product, factor) => product * (factor ?? 1), 1) : null;
  const masks = taps.masks.map(({ output, as }) => {
    const name = output.replace('attnscope.', `mask.${stage}`);
    if (!Object.hasOwn(side.tensors, name)) { const tensor = fetched.take(output); side.append(name, as === 'add' ? 'F32' : 'U8', tensor.dims, tensor.data); }
    return { tensor: name, as };
  });
  const statistics = taps.statistics && writeStatistics({ name: site.name, taps: taps.statistics, fetched, part, side, scale: scale ?? 1 });
  const ruled = taps.unruly === undefined || (fetched.take(taps.unruly).data as Float32Array)[0] === 0;
  const blocks = plan.blocks && taps.blocks && { rows: own(taps.blocks.rows, 'blockRows')!, columns: own(taps.blocks.columns, 'blockColumns')!, size: plan.blocks.size, offset: q && k ? k[1] - q[1] : 0 };
  const sink = own(taps.sink, 'sink');
  if (sink && side.tensors[sink].shape[0] !== (q?.[2] ?? site.heads)) throw new UserError(`${site.node} has ${side.tensors[sink].shape[0]} sink logits for ${q?.[2] ?? site.heads} heads.`, 'Export the model again.');
  const ownPattern = own(taps.statistics?.ownPattern, 'ownPattern'), ownOutput = own(taps.ownOutput, 'ownOutput');
  const filled: Site = {
    ...site, scale: scale === null ? site.scale : Number(scale.toPrecision(9)), ...(q && k && v ? { heads: q[2], kvHeads: k[2], headDim: q[3], valueDim: v[3] } : statistics ? { heads: statistics.heads } : {}),
  };
  return {
    site: filled, dtype: stored, ...(plan.half ? { half: true } : {}), softcap: plan.softcap, masks, rows,
    rule: ruled ? { causal: plan.rule.causal, window: plan.rule.window, offset: plan.rule.offset === 'past' && q && k ? k[1] - q[1] : 0 } : { causal: false, window: null, offset: 0 },
    statistics: statistics ? 'graph' : 'missing',
    ...(plan.rounding ? { rounding: plan.rounding } : {}), ...(blocks ? { blocks } : {}), ...(sink ? { sink } : {}), ...(ownPattern ? { ownPattern } : {}), ...(ownOutput ? { ownOutput } : {}), ...(statistics ? { receivedFrom: statistics.receivedFrom } : {}),
  };
}
