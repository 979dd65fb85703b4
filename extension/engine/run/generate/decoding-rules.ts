/** How a sequence-to-sequence model begins and what it may say: config.json and generation_config.json, as generation in Hugging Face reads them. */
import { UserError } from '../../../contract/errors.ts';
import { jsonBeside } from '../../folder/beside.ts';
import { readGenerationConfig } from '../../folder/generation-config.ts';

export interface DecodingRules {
  /** Ids that the decoder starts from; at least one. */
  readonly start: readonly number[];
  /** Speech in an unknown language: ids of languages of which the most likely one follows `start`, and what comes behind it. */
  readonly language?: { readonly among: readonly number[]; readonly then: readonly number[] };
  /** The first generated token, where it is forced (the target language of mBART and M2M100). */
  readonly forcedFirst?: number;
  /** Ids that end the text. */
  readonly ends: readonly number[];
  /** Ids that are never generated, and those that are not generated first. */
  readonly never: ReadonlySet<number>;
  readonly notFirst: ReadonlySet<number>;
  /** Most tokens, given ones included. */
  readonly most?: number;
}

export interface Speech { readonly language?: string; readonly task?: 'transcribe' | 'translate' }
type Json = Readonly<Record<string, unknown>>;

const mostIds = 100_000;

/** `speech`: what is asked of a speech model. Errors: `UserError` for a language that it does not have, and files that are too long or damaged. */
export function readDecodingRules(modelFile: string, speech: Speech | undefined): DecodingRules {
  const generation = jsonBeside(modelFile, 'generation_config.json') ?? {}, config = jsonBeside(modelFile, 'config.json') ?? {}, text = record(config['decoder']);
  const pick = <T>(name: string, read: (value: unknown) => T | undefined): T | undefined => [generation, config, text].map(place => place && read(place[name])).find(value => value !== undefined);
  // T5 and its like start from padding, which is id 0.
  const first = pick('decoder_start_token_id', idOf) ?? pick('bos_token_id', idOf) ?? pick('pad_token_id', idOf) ?? 0;
  const { start, language } = speech ? speechStart(first, generation, config, speech) : { start: [first, ...forcedIds(generation, config)], language: undefined };
  const never = [...idsOf(pick('suppress_tokens', present)), ...badWords(pick('bad_words_ids', present))], forcedFirst = pick('forced_bos_token_id', idOf), most = pick('max_length', idOf);
  return {
    start, ends: readGenerationConfig(modelFile).ends, never: new Set(never), notFirst: new Set(idsOf(pick('begin_suppress_tokens', present))),
    ...(language ? { language } : {}), ...(forcedFirst === undefined ? {} : { forcedFirst }), ...(most === undefined || most < 2 ? {} : { most }),
  };
}

/** Whisper's prompt: start, language, task, no time stamps; of a model for one language only what its configuration forces. */
function speechStart(first: number, generation: Json, config: Json, { language, task = 'transcribe' }: Speech): Pick<DecodingRules, 'start' | 'language'> {
  const languages = record(generation['lang_to_id']), tasks = record(generation['task_to_id']), silent = idOf(generation['no_timestamps_token_id']), end = silent === undefined ? [] : [silent];
  if (!languages || generation['is_multilingual'] === false) {
    if (language !== undefined && languages === undefined) throw new UserError('The model knows no languages to choose among.', 'Leave the language out.');
    const forced = forcedIds(generation, config);
    return { start: [first, ...forced, ...end.filter(id => !forced.includes(id))] };
  }
  const wanted = idOf(tasks?.[task]), behind = [...(wanted === undefined ? [] : [wanted]), ...end];
  if (language === undefined) {
    const among = Object.values(languages).slice(0, mostIds).map(idOf).filter(id => id !== undefined);
    return among.length ? { start: [first], language: { among, then: behind } } : { start: [first, ...behind] };
  }
  const key = `<|${language.toLowerCase()}|>`, id = Object.hasOwn(languages, key) ? idOf(languages[key]) : undefined;
  if (id === undefined) throw new UserError(`The model has no language "${language.slice(0, 40)}"; it has ${Object.keys(languages).slice(0, 8).map(one => one.replace(/[<|>]/g, '')).join(', ')}, ….`, 'Choose one of these, or leave it out to have it detected.');
  return { start: [first, id, ...behind] };
}

/** `forced_decoder_ids`: [position, id] pairs from position 1 on; the first that is open ends them. */
function forcedIds(generation: Json, config: Json): number[] {
  const pairs = [generation, config].map(place => place['forced_decoder_ids']).find(Array.isArray), forced: number[] = [];
  for (const pair of (pairs ?? []).slice(0, 64)) {
    const id = Array.isArray(pair) && pair[0] === forced.length + 1 ? idOf(pair[1]) : undefined;
    if (id === undefined) break;
    forced.push(id);
  }
  return forced;
}

/** Words of one token; longer ones depend on what stands before. */
function badWords(value: unknown): number[] { return Array.isArray(value) ? value.slice(0, mostIds).flatMap(word => (Array.isArray(word) && word.length === 1 ? idsOf(word) : [])) : []; }
function idsOf(value: unknown): number[] { return Array.isArray(value) ? value.slice(0, mostIds).map(idOf).filter(id => id !== undefined) : []; }
function idOf(value: unknown): number | undefined { return Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : undefined; }
function present(value: unknown): unknown { return value ?? undefined; }
function record(value: unknown): Json | undefined { return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Json : undefined; }
