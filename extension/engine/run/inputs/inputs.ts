/** Fills the inputs of a model: what the user gave, and everything else as exporters expect it. */
import { UserError } from '../../../contract/errors.ts';
import type { Model, ValueInfo } from '../../onnx/model.ts';
import { openInputs } from '../../onnx/picture-input.ts';
import { feedOf, feedType, numbersOfFeed, type Feed } from './feeds.ts';
import type { GivenTensor } from './tensor-file.ts';
import { decoderIdNames, embedsInput, idInput, inputCalled, isPast } from './input-names.ts';
import { checkIds, checkLength } from './limits.ts';
import type { ModelConfig } from './model-config.ts';
import { tokensOf, type TokenSide } from './token-sides.ts';

export interface Given {
  /** Token ids of one sample, from a text or from the user. */
  readonly ids?: readonly number[];
  /** The template's token type of each of `ids`. */
  readonly types?: readonly number[];
  /** Tensors by input name. */
  readonly tensors?: ReadonlyMap<string, GivenTensor>;
  /** How often `ids` are fed, one sample each; 1 when undefined. */
  readonly samples?: number;
  /** What earlier runs left in the cache: how many positions, and the feeds of the past inputs. */
  readonly past?: { readonly length: number; readonly feeds: Readonly<Record<string, Feed>> };
}

export interface Inputs {
  readonly feeds: Readonly<Record<string, Feed>>;
  /** Inputs that the user did not give: name → how each was filled. */
  readonly filled: Readonly<Record<string, string>>;
  readonly sides: readonly TokenSide[];
}

/**
 * Feeds for every input. Errors: `UserError` that names an input that cannot be filled, a token outside the vocabulary, a prompt that is
 * too long, a shape that does not fit.
 */
export function fillInputs(model: Model, given: Given, config: ModelConfig): Inputs {
  const inputs = openInputs(model), feeds: Record<string, Feed> = { ...given.past?.feeds }, filled: Record<string, string> = {}, before = given.past?.length;
  for (const [name, tensor] of given.tensors ?? []) {
    const input = inputs.find(one => one.name === name)!;
    feeds[name] = feedOf(feedType(name, input.type), tensor.values, tensor.shape);
  }
  const text = idInput(model), decoder = idInput(model, decoderIdNames), embeds = embedsInput(model);
  if (given.ids) {
    const into = text ?? decoder;
    if (!into) throw new UserError(`The model takes no token ids: its inputs are ${list(inputs)}.`, 'Give its inputs with --inputs FILE.safetensors.');
    if (!given.ids.length) throw new UserError('The prompt has no tokens.', 'Give at least one token.');
    feeds[into.name] = idsFeed(into, given.ids, given.samples ?? 1);
  }
  if (decoder && !feeds[decoder.name] && text && feeds[text.name]) {
    feeds[decoder.name] = feedOf(feedType(decoder.name, decoder.type), new Array<number>(feeds[text.name].dims[0]).fill(0), [feeds[text.name].dims[0], 1]);
    filled[decoder.name] = 'one start token (id 0) a sample';
  }
  for (const side of [text, decoder]) {
    if (!side || !feeds[side.name]) continue;
    if (feeds[side.name].dims.length !== 2) throw new UserError(`The input "${side.name}" must have the shape [batch, tokens]; found [${feeds[side.name].dims.join(', ')}].`, 'Give it two dimensions.');
    checkIds(model, side, numbersOfFeed(feeds[side.name]), config);
    checkLength(model, side, (before ?? 0) + feeds[side.name].dims[1], config);
  }
  for (const input of inputs) {
    if (feeds[input.name]) continue;
    const fill = filling(input, { model, feeds, text: text ? feeds[text.name] : embeds && feeds[embeds.name], decoder: decoder && feeds[decoder.name], types: given.types, before });
    if (!fill) throw new UserError(`The input "${input.name}" cannot be filled: nothing was given for it, and it is none that exporters define.`, `Give it in a safetensors file with --inputs (shape [${(input.dims ?? []).map(dim => dim ?? '?').join(', ')}]).`);
    feeds[input.name] = feedOf(feedType(input.name, input.type), fill.values, fill.dims);
    filled[input.name] = fill.phrase;
  }
  for (const input of inputs) checkShape(input, feeds[input.name]);
  const fed = (usual: string): Feed | undefined => feeds[inputCalled(model, usual)?.name ?? usual];
  const side = (name: 'text' | 'decoder', input: ValueInfo | undefined, mask: string): TokenSide[] => (input && feeds[input.name]
    ? [{ name, input: input.name, ...tokensOf(feeds[input.name], { mask: fed(mask), lengths: fed('seqlens_k'), total: fed('total_sequence_length') }) }] : []);
  return { feeds, filled, sides: [...side('text', text, 'attention_mask'), ...side('decoder', decoder, 'decoder_attention_mask')] };
}

function idsFeed(input: ValueInfo, ids: readonly number[], samples: number): Feed {
  const [batch, length] = input.dims ?? [], rows = typeof batch === 'number' && batch > 0 ? batch : samples;
  if (typeof length === 'number' && length !== ids.length) {
    throw new UserError(`The model was exported for prompts of exactly ${length} tokens; this one has ${ids.length}.`, 'Use a prompt of that length, or export the model with dynamic axes.');
  }
  return feedOf(feedType(input.name, input.type), Array.from({ length: rows }, () => ids).flat(), [rows, ids.length]);
}

/** `text`, `decoder`: ids [batch, tokens], or embeddings [batch, tokens, width]. */
interface Around { readonly model: Model; readonly feeds: Readonly<Record<string, Feed>>; readonly text: Feed | undefined; readonly decoder: Feed | undefined; readonly types: readonly number[] | undefined; readonly before: number | undefined }
interface Filling { readonly values: ArrayLike<number>; readonly dims: readonly number[]; readonly phrase: string }

const most = 2 ** 28;

/** How exporters expect an input that the user did not give; undefined when nobody defines it. */
function filling(input: ValueInfo, around: Around): Filling | undefined {
  const name = around.model.usual(input.name), tokens = name.startsWith('decoder_') ? around.decoder ?? around.text : around.text ?? around.decoder;
  const batch = tokens?.dims[0] ?? 1, length = tokens?.dims[1];
  const past = pastLength(around);
  const full = (rows: number, columns: number, value: number, phrase: string): Filling => ({ values: new Float32Array(bounded(name, rows * columns)).fill(value), dims: [rows, columns], phrase });
  if (isPast(around.model, input.name) && input.dims && input.dims.length >= 3) return emptyPast(input, batch);
  if (/^(use_cache_branch|use_cache)$/.test(name)) return { values: [past ? 1 : 0], dims: sizes(input, 1), phrase: past ? 'true: there is a cache' : 'false: no cache' };
  if (length === undefined) return undefined;
  if (/^(decoder_|encoder_)?attention_mask$/.test(name)) {
    return full(batch, length + past, 1, past ? `ones, [batch, past + tokens]` : 'ones, [batch, tokens]');
  }
  if (/^(decoder_)?position_ids$/.test(name)) return positions(name, input, around, batch, length, past);
  if (/^(token_type_ids|segment_ids)$/.test(name) && around.types?.length === length && around.types.some(type => type !== 0)) {
    return { values: Array.from({ length: bounded(name, batch * length) }, (_, i) => around.types![i % length]), dims: [batch, length], phrase: 'the segment of each token, from the tokenizer\'s template' };
  }
  if (/^(token_type_ids|segment_ids)$/.test(name)) return full(batch, length, 0, 'zeros, [batch, tokens]');
  if (name === 'cache_position') return { values: Array.from({ length }, (_, i) => past + i), dims: [length], phrase: 'positions of the tokens' };
  if (name === 'num_logits_to_keep') return { values: [0], dims: sizes(input, 1), phrase: '0: all positions' };
  if (name === 'seqlens_k') return { values: new Array<number>(batch).fill(past + length - 1), dims: sizes(input, batch), phrase: 'length of each sample less one' };
  if (name === 'total_sequence_length') return { values: [past + length], dims: sizes(input, 1), phrase: 'length of the prompt' };
  return undefined;
}

/** A count of `n` numbers as the input declares it: a scalar, or [n]. */
function sizes(input: ValueInfo, n: number): readonly number[] { return input.dims?.length === 0 ? [] : [n]; }

/** Positions from the mask where there is padding on the left (as generation does), otherwise 0, 1, 2, … */
function positions(name: string, input: ValueInfo, around: Around, batch: number, length: number, past: number): Filling {
  const mask = around.feeds[inputCalled(around.model, name.replace('position_ids', 'attention_mask'))?.name ?? ''], values: number[] = [];
  const given = mask && mask.dims.length === 2 && mask.dims[0] === batch && mask.dims[1] === past + length ? numbersOfFeed(mask) : undefined, width = past + length;
  bounded(name, batch * length);
  for (let b = 0; b < batch; b++) {
    let seen = 0;
    for (let i = 0; given && i < past; i++) if (given[b * width + i] !== 0) seen++;
    for (let i = 0; i < length; i++) {
      const real = !given || given[b * width + past + i] !== 0;
      values.push(given ? (real ? seen : 1) : past + i);
      if (real) seen++;
    }
  }
  const phrase = given?.includes(0) ? 'count of real tokens before each' : '0, 1, 2, …';
  if (input.dims?.length === 1) return { values: values.slice(0, length), dims: [length], phrase };
  if (input.dims?.length === 3) return { values: [...values, ...values, ...values], dims: [3, batch, length], phrase };
  return { values, dims: [batch, length], phrase };
}

/** Zero past positions: [batch, kv heads, 0, dim], the rest as the graph declares it. */
function emptyPast(input: ValueInfo, batch: number): Filling | undefined {
  const declared = input.dims!, axis = declared.length === 5 ? 3 : declared.length - 2;
  if (typeof declared[axis] === 'number' && declared[axis] !== 0) {
    throw new UserError(`The input "${input.name}" is declared with ${declared[axis]} past positions, so that it cannot be empty.`, 'Export the model with a dynamic past length, or give it with --inputs.');
  }
  const batchAxis = declared.length === 5 ? 1 : 0;
  const dims = declared.map((dim, i) => (i === axis ? 0 : i === batchAxis ? batch : dim));
  if (!dims.every((dim): dim is number => typeof dim === 'number')) return undefined;
  return { values: [], dims, phrase: `empty past, [${dims.join(', ')}]` };
}

function pastLength(around: Around): number {
  if (around.before !== undefined) return around.before;
  for (const [name, feed] of Object.entries(around.feeds)) if (isPast(around.model, name) && feed.dims.length === 4) return feed.dims[2];
  return 0;
}

function bounded(name: string, count: number): number {
  if (count > most) throw new UserError(`The input "${name}" would have ${count} elements.`, 'Use a shorter prompt or a smaller batch.');
  return count;
}

function checkShape(input: ValueInfo, feed: Feed): void {
  const declared = input.dims;
  if (!declared) return;
  const fits = declared.length === feed.dims.length && declared.every((dim, i) => typeof dim !== 'number' || dim < 0 || dim === feed.dims[i]);
  if (!fits) throw new UserError(`The input "${input.name}" must have the shape [${declared.map(dim => dim ?? '?').join(', ')}]; found [${feed.dims.join(', ')}].`, 'Give a tensor of that shape.');
}

function list(inputs: readonly ValueInfo[]): string { return inputs.slice(0, 8).map(input => input.name).join(', ') || 'none'; }
