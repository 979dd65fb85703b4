/** Outputs whose shapes are known before a run, so that onnxruntime can write them where they stay. */
import type { SitePlan } from '../../sites/site-plan.ts';
import type { Model } from '../../onnx/model.ts';
import { isPast } from '../inputs/input-names.ts';
import type { Inputs } from '../inputs/inputs.ts';
import type { Place } from '../session/runtime.ts';
import type { Taps } from './taps.ts';

export interface Placing {
  readonly model: Model;
  readonly plans: readonly SitePlan[];
  readonly taps: Taps;
  readonly inputs: Inputs;
  readonly stored: 'F32' | 'F16';
  /** Rows kept for parity. */
  readonly rows: number;
  /** Columns of the logits, where the graph says so. */
  readonly vocabulary: number | undefined;
}

/** Whether every shape follows from the prompt: of self-attention over the tokens of a model with one side and no past. */
export function shapesKnown(model: Model, plans: readonly SitePlan[], inputs: Inputs): boolean {
  const past = Object.entries(inputs.feeds).some(([name, feed]) => (/past|cache/.test(name) || isPast(model, name)) && feed.data.length > 1);
  return inputs.sides.length === 1 && !past && plans.every(({ q, k, v, softmax, masks, blocks, site }) => q && k && v && !blocks && site.kind === 'self' && site.form === 'dense' && site.stack === 'main'
    && site.heads !== null && site.kvHeads !== null && site.headDim !== null && site.valueDim !== null && !site.mask.additive && (softmax || !masks.length));
}

/**
 * All outputs of the taps, or undefined where a shape cannot be said. The graph may still turn out to have others.
 */
export function placesOf({ model, plans, taps, inputs, stored, rows, vocabulary }: Placing): readonly Place[] | undefined {
  if (!shapesKnown(model, plans, inputs) || (taps.lastLogits !== undefined && vocabulary === undefined)) return undefined;
  const { ids } = inputs.sides[0], batch = ids.length, length = ids[0].length, places = new Map<string, Place>();
  const add = (output: string | undefined, type: Place['type'], ...dims: number[]): void => { if (output !== undefined) places.set(output, { output, type, dims }); };
  // Wide as W_Q reads it; where that is not known, nothing is placed.
  const wide = plans.find(plan => plan.site.weights?.q)?.site.weights?.q?.width;
  if (taps.resid.length && wide === undefined) return undefined;
  for (const { output } of taps.resid) add(output, stored, batch, length, wide!);
  add(taps.lastLogits, 'F32', batch, vocabulary ?? 0);
  for (const [i, { site }] of plans.entries()) {
    const heads = site.heads!, kvHeads = site.kvHeads!, headDim = site.headDim!, valueDim = site.valueDim!, own = taps.sites[i], { statistics } = own;
    add(own.q, stored, batch, length, heads, headDim);
    add(own.k, stored, batch, length, kvHeads, headDim);
    add(own.v, stored, batch, length, kvHeads, valueDim);
    add(own.z, stored, batch, length, heads, valueDim);
    add(own.rows, 'I64', rows);
    add(own.ownOutput, 'F32', batch, rows, heads, valueDim);
    add(own.sink, 'F32', heads);
    add(own.unruly, 'F32', 1);
    for (const { output } of own.scales) add(output, 'F32', 1);
    // The taps broadcast masks that have no heads of their own; one that has them is caught by the run.
    for (const { output, as, perQuery } of own.masks) add(output, as === 'add' ? 'F32' : 'U8', batch, 1, perQuery ? length : 1, length);
    if (!statistics) continue;
    for (const output of [statistics.max, statistics.maxScore, statistics.meanScore, statistics.total]) add(output, 'F32', batch, heads, length);
    add(statistics.maxKey, 'I64', batch, heads, length);
    for (const output of [statistics.received, statistics.receivedFrom]) add(output, 'F32', batch, heads, length);
    add(statistics.pooled, 'F32', batch, heads, 32, 32);
    add(statistics.ownPattern, 'F32', batch, heads, rows, length);
  }
  return [...places.values()];
}
