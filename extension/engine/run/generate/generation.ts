/** What was asked of a decoder that goes on by itself: how many tokens, how each is chosen, where it ends; and what is kept of every choice. */
import type { TraceRequest } from '../../../contract/api.ts';
import { UserError } from '../../../contract/errors.ts';
import type { Generated, Sampling, TraceInput } from '../../../contract/trace.ts';
import { readGenerationConfig } from '../../folder/generation-config.ts';
import type { Model } from '../../onnx/model.ts';
import type { Inputs } from '../inputs/inputs.ts';
import { positionLimit } from '../inputs/limits.ts';
import type { ModelConfig } from '../inputs/model-config.ts';
import { nextTokens } from './next-tokens.ts';
import { greedy, sampled } from './sampling.ts';
import type { TextTokenizer } from '../tokens/tokenizer.ts';

export interface Generation {
  /** At most so many. */
  readonly count: number;
  /** Takes the logits [vocabulary] behind the last token and gives the next one. Errors: `UserError` where they are not finite. */
  next(logits: Float32Array): number;
  /** Whether a token ends a text. */
  ends(id: number): boolean;
  readonly steps: Generated['steps'];
  readonly sampling?: Sampling;
}

const mostTokens = 100_000;

/** Errors: `UserError` where this model or this prompt cannot be gone on with, with the numbers. */
export function readGeneration(request: TraceRequest, { model, config, sides, logits, tokenizer }: { readonly model: Model; readonly config: ModelConfig; readonly sides: Inputs['sides']; readonly logits: string | undefined; readonly tokenizer: TextTokenizer | undefined }): Generation | undefined {
  const { generate: count } = request;
  if (!count) return undefined;
  if (count > mostTokens) throw new UserError(`At most ${mostTokens} tokens are generated; ${count} were asked for.`, 'Ask for fewer.');
  if (logits === undefined || !sides.length) throw new UserError(`${model.path} says nothing about a next token, so that nothing can be generated.`, 'Leave --generate out, or choose a language model.');
  const [{ ids, real }] = sides, length = ids[0].length, limit = positionLimit(model, config);
  if (ids.length !== 1) throw new UserError(`Generation takes one sample; found ${ids.length}.`, 'Give one prompt.');
  if (!real[0][length - 1]) throw new UserError('The prompt ends with padding, so that nothing can follow it.', 'Leave the padding out.');
  if (limit && length + count > limit.positions) throw new UserError(`The prompt has ${length} tokens, and ${count} more were asked for; the model has ${limit.positions} positions (from ${limit.from}).`, `Ask for at most ${limit.positions - length} tokens, or use a shorter prompt.`);
  const { ends, ...defaults } = readGenerationConfig(model.path), { sample } = request;
  const sampling: Sampling | undefined = sample && { temperature: sample.temperature ?? defaults.temperature ?? 1, topK: sample.topK ?? defaults.topK ?? null, topP: sample.topP ?? defaults.topP ?? null, seed: sample.seed ?? 0 };
  const choose = sampling ? sampled(sampling) : greedy, stops = new Set(ends), steps: { probability: number; alternatives: Generated['steps'][number]['alternatives'] }[] = [];
  return {
    count, ends: id => stops.has(id), steps, ...(sampling ? { sampling } : {}),
    next: row => {
      const broken = row.findIndex(value => !(value < Infinity));
      if (broken >= 0) throw new UserError(`After ${length + steps.length} tokens the logits are not finite (${row[broken]} for token ${broken}), so that nothing can be generated.`, 'Check the model with plain onnxruntime; float16 weights may overflow.');
      const id = choose(row), [alternatives] = nextTokens({ dims: [1, row.length], data: row }, one => tokenizer?.token(one) ?? `#${one}`);
      steps.push({ alternatives, probability: probabilityOf(row, id) });
      return id;
    },
  };
}

function probabilityOf(row: Float32Array, id: number): number {
  let most = -Infinity, sum = 0;
  for (const x of row) if (x > most) most = x;
  for (const x of row) sum += Math.exp(x - most);
  return Number((Math.exp(row[id] - most) / sum).toPrecision(7));
}

/** The manifest's input with what was generated behind what was given. `ids`: of the only sample, all of them. */
export function withGenerated(input: TraceInput, ids: readonly number[], tokenizer: TextTokenizer | undefined): TraceInput {
  const given = input.ids[0].length, more = ids.slice(given), [spans] = input.spans, [segments] = input.segments ?? [];
  return {
    ...input, given, ids: [ids], tokens: [[...input.tokens[0], ...more.map(id => tokenizer?.token(id) ?? `#${id}`)]], real: [[...input.real[0], ...more.map(() => 1)]],
    spans: spans ? [[...spans, ...more.map(() => null)]] : [], ...(segments ? { segments: [[...segments, ...more.map(() => segments[given - 1] ?? 0)]] } : {}),
  };
}
