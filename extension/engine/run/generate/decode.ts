/** Greedy generation with an untapped decoder: what it says is then read by the tapped one in a single run. */
import type { Progress } from '../../../contract/api.ts';
import { UserError } from '../../../contract/errors.ts';
import { fromHalf } from '../../maths/half.ts';
import type { Model } from '../../onnx/model.ts';
import { writeSkeleton } from '../../onnx/writer.ts';
import type { DecodingRules } from './decoding-rules.ts';
import type { Feed } from '../inputs/feeds.ts';
import { cacheOf } from './kv-cache.ts';
import { Runtime, type Fetched } from '../session/runtime.ts';

/** Says what comes after `ids`: the logits of the next token. Called with ever longer ids, one more each time. */
export interface Steps { next(ids: readonly number[]): Promise<Float32Array>; release(): Promise<void> }

/** Ids that the decoder reads: the rules' own, then at most `count` generated ones; how many were given. A final end token is left out, as the model never reads it. */
export async function generate(steps: Steps, rules: DecodingRules, count: number, most: number, progress: (progress: Progress) => void): Promise<{ readonly ids: readonly number[]; readonly given: number }> {
  const ids = [...rules.start];
  if (rules.language) ids.push(best(await steps.next(ids), id => rules.language!.among.includes(id)), ...rules.language.then);
  const given = ids.length, end = Math.min(given + count, most);
  if (given > most) throw new UserError(`The decoder starts from ${given} tokens and has ${most} positions.`, 'Check generation_config.json.');
  while (ids.length < end) {
    progress({ phase: 'run', done: ids.length - given, total: end - given });
    const first = ids.length === given, logits = await steps.next(ids);
    const id = first && rules.forcedFirst !== undefined ? rules.forcedFirst : best(logits, one => !rules.never.has(one) && !(first && rules.notFirst.has(one)));
    if (rules.ends.includes(id)) break;
    ids.push(id);
  }
  return { ids, given };
}

/** Tokens that are generated where nobody says how many. */
export const usualTokens = 64;

/** How the manifest tells of decoder tokens that nobody gave. */
export const filledIds = 'decoder_input_ids';
export function filledPhrase(start: number, generated?: number): string { return `${start} start ${start === 1 ? 'token' : 'tokens'}${generated === undefined ? '' : `, ${generated} generated`}`; }
/** How many of the decoder's tokens were given or are start tokens; `all` where none was generated. */
export function givenTokens({ filled }: { readonly filled: Readonly<Record<string, string>> }, all: number): number { const said = /^(\d+) start/.exec(filled[filledIds] ?? '')?.[1]; return said === undefined ? all : Number(said); }

/** The most likely id that is allowed, the first of equals. */
function best(logits: Float32Array, allowed: (id: number) => boolean): number {
  let found = -1;
  for (let id = 0; id < logits.length; id++) if (allowed(id) && !Number.isNaN(logits[id]) && (found < 0 || logits[id] > logits[found])) found = id;
  if (found < 0) throw new UserError('The decoder gives no token that may be generated: its logits are not finite.', 'Check the model with plain onnxruntime; float16 weights may overflow.');
  return found;
}

export interface Decoder {
  readonly model: Model;
  readonly logits: string;
  /** All feeds of a run over `ids` without a cache. */
  feeds(ids: readonly number[]): Record<string, Feed>;
}
/** A graph for one new token behind a cache: of its own file, or the same one with `use_cache_branch`. */
export interface CachedDecoder { readonly model: Model; readonly logits: string; /** All feeds but the cache. */ feeds(id: number, at: number): Record<string, Feed> }

/** Runs the whole sequence for every token, or, with `cached`, the first time only. */
export async function openSteps(decoder: Decoder, cached: CachedDecoder | undefined): Promise<Steps> {
  const whole = await Runtime.create(writeSkeleton(decoder.model), decoder.model), pairs = cached && cacheOf(cached.model, decoder.model);
  const kept = pairs?.map(({ past, present }) => [past.name, present] as const) ?? [], usable = pairs && cached, cache = new Map<string, Feed>();
  let step: Runtime | undefined, length = 0;
  const keep = (fetched: Fetched, all: boolean): void => { for (const [name, present] of kept) if (all || !name.includes('.encoder.')) cache.set(name, fetched.take(present) as Feed); };
  return {
    next: async ids => {
      if (!usable || length !== ids.length - 1 || !cache.size) {
        const fetched = await whole.run(decoder.feeds(ids), decoder.model, { also: [decoder.logits, ...(usable ? kept.map(([, present]) => present) : [])] });
        if (usable) { keep(fetched, true); length = ids.length; }
        return lastRow(fetched, decoder.logits);
      }
      step ??= usable.model === decoder.model ? whole : await Runtime.create(writeSkeleton(usable.model), usable.model);
      const present = kept.filter(([name]) => !name.includes('.encoder.')).map(([, name]) => name);
      const fetched = await step.run({ ...usable.feeds(ids[length], length), ...Object.fromEntries(cache) }, usable.model, { also: [usable.logits, ...present] });
      keep(fetched, false);
      length = ids.length;
      return lastRow(fetched, usable.logits);
    },
    release: async () => { await whole.release(); if (step && step !== whole) await step.release(); },
  };
}

/** [1, tokens, vocabulary] → the last token's row. */
function lastRow(fetched: Fetched, logits: string): Float32Array {
  const { type, dims, data } = fetched.take(logits), width = dims[dims.length - 1], row = data.subarray(data.length - width);
  return type === 'float16' ? fromHalf(row as Uint16Array) : Float32Array.from(row as Float32Array);
}
