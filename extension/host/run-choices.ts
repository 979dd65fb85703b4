/** When a run is worth a question, and what there is to choose: everything, halves, or fewer layers, each with what it takes; pure. */
import type { Prompt } from '../contract/api.ts';
import { autoStored, estimate, type Estimate, type RunFacts } from '../contract/estimate.ts';
import { layersText, parseLayers } from '../contract/layers.ts';
import { bytesText } from './bytes-text.ts';
import { seconds } from './progress-text.ts';
import type { Kept } from './session.ts';

/**
 * A person is asked first from here on, besides the size of the file, which is a setting (1 GB: where float32 ends, and a fifth of the room
 * that traces have): half a minute is longer than one waits without being told; beyond two thirds of what is free, the system starts to swap.
 */
export const large = { timeMs: 30_000, freeShare: 2 / 3 } as const;

/** Below all of these a run is not large on any machine of today, and weighing it would only cost time: weights times tokens are its products. */
const surelySmall = { bytesTimesTokens: 3e11, tokens: 2_048 } as const;

/** Positions that an image may take, more than most do. */
const imageTokens = 1_024;

/** Of half a minute of sound, as speech models take it. */
const soundPositions = 1_500;

/** No trace of a run that is surely small is larger. */
const smallestLimit = 1e9;

/** Whether a run needs weighing at all. Text seldom has more tokens than half its bytes. `fileLimit`: the setting, in bytes. */
export function mightBeLarge(modelBytes: number, prompt: Prompt, fileLimit: number): boolean {
  if (prompt.kind === 'tensors' || fileLimit < smallestLimit) return true;
  const tokens = (prompt.kind === 'audio' ? soundPositions : prompt.kind === 'text' ? new TextEncoder().encode(prompt.text).length / 2 : prompt.kind === 'ids' ? prompt.ids.length : 0) + (prompt.image === undefined ? 0 : imageTokens);
  return tokens > surelySmall.tokens || modelBytes * tokens > surelySmall.bytesTimesTokens;
}

/** Why a person should be asked, in a phrase; undefined when there is no need. */
export function whyLarge({ memoryBytes, fileBytes, timeMs }: Estimate, { freeBytes, diskBytes }: Pick<RunFacts, 'freeBytes' | 'diskBytes'>, fileLimit: number): string | undefined {
  if (memoryBytes > large.freeShare * freeBytes) return `needs about ${bytesText(memoryBytes)} of memory, and ${bytesText(freeBytes)} are free`;
  if (diskBytes !== undefined && fileBytes > large.freeShare * diskBytes) return `makes a file of about ${bytesText(fileBytes)}, and ${bytesText(diskBytes)} are free on its disk`;
  if (fileBytes > fileLimit) return `makes a file of about ${bytesText(fileBytes)}`;
  return timeMs !== undefined && timeMs > large.timeMs ? `takes about ${roughTime(timeMs)}` : undefined;
}

/** The type that the setting means for these layers. */
export function storedFor(asked: 'auto' | 'fp16' | 'fp32', facts: Pick<RunFacts, 'sites'>, layers?: readonly number[]): 'F32' | 'F16' {
  return asked === 'auto' ? autoStored(facts, layers) : asked === 'fp16' ? 'F16' : 'F32';
}

export interface RunChoice {
  readonly label: string;
  readonly description: string;
  readonly detail?: string;
  /** What the run keeps; undefined: layers are to be typed first. */
  readonly kept?: Kept;
}

/** What is offered, most complete first. `asked`: the setting. */
export function runChoices(facts: RunFacts, asked: 'auto' | 'fp16' | 'fp32', layers?: readonly number[]): readonly RunChoice[] {
  const stored = storedFor(asked, facts, layers), there = layersOf(facts), some = layers ?? there;
  const all = layers ? `layers ${layersText(layers)}` : there.length === 1 ? 'the only layer' : `all ${there.length} layers`, kept: Kept = layers ? { layers } : {};
  const choices: RunChoice[] = [{ label: `Trace ${all}`, description: costText(estimate(facts, { stored, ...(layers ? { layers } : {}) })), detail: `stored as ${stored === 'F16' ? 'float16' : 'float32'}`, kept }];
  if (stored === 'F32') choices.push({ label: `Trace ${all}, stored as float16`, description: costText(estimate(facts, { stored: 'F16', ...(layers ? { layers } : {}) })), detail: 'parity is then computed from the halves', kept: { ...kept, dtype: 'fp16' } });
  if (there.length > 1) choices.push({ label: layers ? 'Keep other layers…' : 'Keep fewer layers…', description: `for example ${layersText(fewer(some, there))}: ${costText(estimate(facts, { stored, layers: fewer(some, there) }))}`, detail: 'the model runs whole; only their sites are tapped and stored' });
  return choices;
}

/** `3.1 GB of memory · 2 min · 1.6 GB on disk` */
export function costText({ memoryBytes, fileBytes, timeMs }: Estimate): string {
  return [`${bytesText(memoryBytes)} of memory`, ...(timeMs === undefined ? [] : [roughTime(timeMs)]), `${bytesText(fileBytes)} on disk`].join(' · ');
}

export function layersOf(facts: Pick<RunFacts, 'sites'>): number[] { return [...new Set(facts.sites.map(site => site.layer))].sort((a, b) => a - b); }

/** A proposal: the first, the middle and the last layer. */
export function fewer(some: readonly number[], there: readonly number[]): number[] {
  const from = some.length > 3 ? some : there;
  return [...new Set([from[0], from[from.length >> 1], from[from.length - 1]])];
}

/** What was typed as layers, or a sentence for the box. */
export function readLayers(typed: string, facts: Pick<RunFacts, 'sites'>): { readonly layers: readonly number[] } | { readonly problem: string } {
  const layers = parseLayers(typed), there = layersOf(facts);
  if (!layers?.length) return { problem: 'Type layers as 0-3,10.' };
  const missing = layers.find(layer => !there.includes(layer));
  return missing === undefined ? { layers } : { problem: `There is no attention in layer ${missing}: the layers are ${layersText(there)}.` };
}

/** Estimates have one digit that counts: `40 s`, `3 min`. */
function roughTime(timeMs: number): string {
  if (timeMs < 950) return 'under 1 s';
  if (timeMs < 60_000) return `${Number((timeMs / 1000).toPrecision(timeMs < 10_000 ? 1 : 2))} s`;
  return timeMs < 3_600_000 ? `${Math.round(timeMs / 60_000)} min` : seconds(timeMs);
}
