/** How a model is meant to generate: generation_config.json, config.json and genai_config.json, whichever says it first. */
import { jsonBeside } from './beside.ts';

export interface GenerationConfig {
  /** Its authors sample. */
  readonly sample: boolean;
  /** > 0. */
  readonly temperature?: number;
  /** ≥ 1. */
  readonly topK?: number;
  /** 0 < p ≤ 1. */
  readonly topP?: number;
  /** Ids that end a text. */
  readonly ends: readonly number[];
}

const mostEnds = 1_000;

/** Values of a wrong kind are passed over, as the next file may have better ones. Errors: `UserError` where a file is too long or damaged. */
export function readGenerationConfig(modelFile: string): GenerationConfig {
  const own = jsonBeside(modelFile, 'generation_config.json'), config = jsonBeside(modelFile, 'config.json'), genai = jsonBeside(modelFile, 'genai_config.json');
  const search = record(genai?.search), model = record(genai?.model), text = record(config?.text_config), places = [own, search, text, config];
  const number = (name: string, good: (value: number) => boolean): number | undefined => places.map(place => place?.[name]).find((value): value is number => typeof value === 'number' && good(value));
  const temperature = number('temperature', value => value > 0 && value < Infinity), topK = number('top_k', value => Number.isSafeInteger(value) && value > 0), topP = number('top_p', value => value > 0 && value <= 1);
  const ends = [own?.eos_token_id, model?.eos_token_id, text?.eos_token_id, config?.eos_token_id].map(idsOf).find(ids => ids.length) ?? [];
  return { sample: places.map(place => place?.do_sample).find(value => typeof value === 'boolean') === true, ends, ...(temperature === undefined ? {} : { temperature }), ...(topK === undefined ? {} : { topK }), ...(topP === undefined ? {} : { topP }) };
}

function idsOf(value: unknown): number[] {
  return (Array.isArray(value) ? value.slice(0, mostEnds) : [value]).filter((id): id is number => Number.isSafeInteger(id) && (id as number) >= 0);
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined { return typeof value === 'object' && value !== null ? value as Readonly<Record<string, unknown>> : undefined; }
