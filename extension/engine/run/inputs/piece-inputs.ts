/** What a decoder is fed of some positions of a text that grows: what was given for the prompt is cut, the rest is filled as exporters expect it. */
import { UserError } from '../../../contract/errors.ts';
import { openInputs } from '../../onnx/picture-input.ts';
import type { Model } from '../../onnx/model.ts';
import { feedOf, numbersOfFeed, type Feed } from './feeds.ts';
import { embedsInput, idInput, isPast } from './input-names.ts';
import { fillInputs, type Inputs } from './inputs.ts';
import type { ModelConfig } from './model-config.ts';
import type { GivenTensor } from './tensor-file.ts';

export interface Feeding {
  /** Of the whole prompt, with an empty past. */
  readonly inputs: Inputs;
  readonly config: ModelConfig;
  /** Embeddings [batch, tokens, width] of ids [batch, tokens], for a decoder that reads them in the place of ids. */
  readonly embed?: (ids: readonly (readonly number[])[]) => Promise<GivenTensor>;
}

/** Feeds of the positions [start, to) of `ids` behind `past`, whose length is `start`; without a past, `start` is 0. */
export async function pieceInputs(feeding: Feeding, model: Model, ids: readonly (readonly number[])[], { start, to, past = {} }: { readonly start: number; readonly to: number; readonly past?: Readonly<Record<string, Feed>> }): Promise<Inputs> {
  const { inputs, config } = feeding, [side] = inputs.sides, batch = ids.length, given = side.real[0].length, tensors = new Map<string, GivenTensor>(), slice = ids.map(row => row.slice(start, to)), real = side.real.map(row => Array.from({ length: to - start }, (_, i) => row[start + i] ?? 1));
  const input = idInput(model), embeds = embedsInput(model);
  if (input) tensors.set(input.name, { shape: [batch, to - start], values: slice.flat() });
  else if (embeds) tensors.set(embeds.name, await embedded(feeding, inputs.feeds[embeds.name], ids, start, to));
  for (const { name } of openInputs(model)) {
    const feed = inputs.feeds[name];
    if (!feed || tensors.has(name) || isPast(model, name)) continue;
    if (model.usual(name) === 'attention_mask' && feed.dims.length === 2) tensors.set(name, { shape: [batch, to], values: side.real.flatMap(row => Array.from({ length: to }, (_, j) => row[j] ?? 1)) });
    else if (pictured(feed)) tensors.set(name, { shape: feed.dims, values: numbersOfFeed(feed) });
    // What a person gave for the prompt; behind it, it is filled.
    else if (!Object.hasOwn(inputs.filled, name) && to <= given && feed.dims.length === 2 && feed.dims[1] === given) tensors.set(name, { shape: [feed.dims[0], to - start], values: rowsOf(feed, start, to).flat() });
  }
  const made = fillInputs(model, { tensors, ...(start ? { past: { length: start, feeds: past } } : {}) }, config);
  // Embeddings do not say whose they are.
  return input ? made : { ...made, sides: [{ ...side, ids: slice, real }] };
}

/** Not of tokens: pixels, features. */
function pictured(feed: Feed): boolean { return feed.dims.length >= 3 && /^float/.test(feed.type); }

/** Of each sample the numbers of the positions [start, to) of a feed [batch, positions, …]. */
function rowsOf(feed: Feed, start: number, to: number): number[][] {
  const [batch, length, ...rest] = feed.dims, wide = rest.reduce((product, dim) => product * dim, 1), data = feed.data as Float32Array;
  return Array.from({ length: batch }, (_, b) => numbersOfFeed({ ...feed, data: data.subarray((b * length + start) * wide, (b * length + to) * wide) }));
}

/** Embeddings of the positions [start, to): of the prompt as they were, images and all; behind it those of the tokens. */
async function embedded({ embed }: Feeding, prompt: Feed, ids: readonly (readonly number[])[], start: number, to: number): Promise<GivenTensor> {
  const [batch, given, width] = prompt.dims, before = start < given ? rowsOf(prompt, start, Math.min(to, given)) : ids.map(() => []);
  const behind = to > given ? await embed!(ids.map(row => row.slice(Math.max(start, given), to))) : undefined, count = behind ? behind.shape[1] * width : 0;
  if (behind && (behind.shape.length !== 3 || behind.shape[2] !== width)) throw new UserError(`The embeddings of new tokens have shape [${behind.shape.join(', ')}]; those of the prompt have ${width} columns.`, 'Use files of one export.');
  const more = behind && feedOf('float32', behind.values, behind.shape);
  return { shape: [batch, to - start, width], values: before.flatMap((row, b) => (more ? [...row, ...(more.data as Float32Array).subarray(b * count, (b + 1) * count)] : row)) };
}
