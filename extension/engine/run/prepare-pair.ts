/** What a run of an encoder and a decoder in two files stands on: sound or text for the one, start tokens and what it generates for the other. */
import type { TraceRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import type { AudioInput } from '../../contract/trace.ts';
import { viewGraph } from '../onnx/graph-view.ts';
import { dataType, type Model, type ValueInfo } from '../onnx/model.ts';
import { openModel } from '../onnx/open.ts';
import { openInputs } from '../onnx/picture-input.ts';
import { statesInput, type EncoderDecoder } from '../sites/parts.ts';
import { filledIds, filledPhrase, generate, givenTokens, openSteps, usualTokens, type CachedDecoder } from './generate/decode.ts';
import { readDecodingRules, type DecodingRules, type Speech } from './generate/decoding-rules.ts';
import { feedOf, feedType, numbersOfFeed, type Feed } from './inputs/feeds.ts';
import { hear, melSettings, type Heard } from './inputs/hear.ts';
import { decoderIdNames, idInput, isPast } from './inputs/input-names.ts';
import { fillInputs, type Inputs } from './inputs/inputs.ts';
import { positionLimit } from './inputs/limits.ts';
import { readConfig, type ModelConfig } from './inputs/model-config.ts';
import { logitsOutput } from './generate/next-tokens.ts';
import { keptOf } from './kept-layers.ts';
import { readPrompt } from './inputs/read-prompt.ts';
import type { Prepared } from './prepare-run.ts';
import { factsOf, sumFacts } from './room.ts';
import type { Earlier, Stage } from './stages.ts';
import { readGivenTensors, type GivenTensor } from './inputs/tensor-file.ts';
import { loadTokenizer } from './tokens/tokenizer.ts';
import { specialTokens, tokenSequence } from './trace-input.ts';

type Tensors = ReadonlyMap<string, GivenTensor>;

/** Errors: `UserError` for everything that the user can act on. */
export async function preparePair(request: TraceRequest, pair: EncoderDecoder): Promise<Prepared> {
  const encoder = pair.encoder.model, decoder = pair.decoder.model, all = [...pair.encoder.found.plans, ...pair.decoder.found.plans];
  if (!all.length) throw new UserError(`${pair.encoder.found.looked} ${pair.decoder.found.looked}`, 'Choose a model with attention; "attnscope sites" lists what is recognised.');
  const { plans, kept } = keptOf(all, request.keep?.layers), config = readConfig(decoder.path), tokenizer = loadTokenizer(decoder.path), { prompt } = request;
  const tensors: Tensors | undefined = prompt.kind === 'tensors' ? readGivenTensors(prompt.file, [...new Set([...openInputs(encoder), ...openInputs(decoder)].map(input => input.name).concat('decoder_input_ids', 'decoder_attention_mask'))]) : undefined;
  const sound = openInputs(encoder).find(input => input.name === 'input_features'), heard = prompt.kind === 'audio' ? listen(prompt.file, encoder, sound) : undefined;
  if (prompt.kind !== 'audio' && prompt.kind !== 'tensors' && sound) throw new UserError('The model hears: it takes sound, no text.', 'Give a WAV file with --audio, or its features with --inputs.');
  const source = prompt.kind === 'text' || prompt.kind === 'ids' ? await readPrompt(request, encoder, tokenizer) : {};
  const encoderInputs = fillInputs(encoder, { ...source, tensors: heard && sound ? new Map([[sound.name, { shape: heard.dims, values: heard.values }]]) : tensors ? only(tensors, openInputs(encoder)) : new Map() }, config);
  const hidden = hiddenOutput(encoder), states = statesInput(decoder)!, view = viewGraph(decoder), logits = logitsOutput(decoder, view, pair.decoder.found.plans), ids = idInput(decoder, [...decoderIdNames, 'input_ids']);
  if (!ids) throw new UserError(`The decoder ${decoder.path} takes no token ids: its inputs are ${openInputs(decoder).map(input => input.name).join(', ')}.`, 'Export it with optimum.');
  const given = tensors?.get('decoder_input_ids') ?? (idInput(encoder) ? undefined : tensors?.get(ids.name));
  const first: Stage = { name: 'encoder', model: encoder, view: viewGraph(encoder), plans: plans.filter(plan => plan.site.stack === 'encoder'), inputs: () => encoderInputs, gives: [hidden], ...(sound ? { positions: encoderInputs.feeds[sound.name].dims[2] } : {}) };
  const second: Stage = {
    name: 'decoder', model: decoder, view, plans: plans.filter(plan => plan.site.stack === 'decoder'), ...(logits === undefined ? {} : { logits }),
    inputs: earlier => decoderInputs({ request, pair, config, ids, states, hidden, given, logits, earlier, rules: () => readDecodingRules(decoder.path, sound ? speechOf(request) : undefined) }),
  };
  const source0 = encoderInputs.sides[0]?.ids, positions = source0?.[0].length ?? first.positions ?? 256, batch = source0?.length ?? 1, expected = given ? given.shape[1] ?? 1 : (request.generate ?? usualTokens) + 8;
  const vocabulary = logits === undefined ? undefined : view.dims(logits)?.[2], textLength = prompt.kind === 'text' ? prompt.text.length : 0;
  const facts = sumFacts([
    factsOf({ model: encoder, plans: first.plans, tokens: { batch, length: positions }, textLength, out: request.out }),
    factsOf({ model: decoder, plans: second.plans, tokens: { batch, length: expected, source: positions }, ...(vocabulary === undefined ? {} : { vocabulary }), textLength: 0, out: request.out }),
  ]);
  return {
    stages: [first, second], main: second, config, tokenizer, facts, ...(kept ? { kept } : {}),
    input: inputs => {
      const own = inputs.get('decoder')!, target = tokenSequence(own.sides[0], tokenizer), text = inputs.get('encoder')!.sides[0], special = specialTokens(tokenizer, config);
      const more = { given: givenTokens(own, target.ids[0].length), ...(Object.keys(special).length ? { special } : {}) };
      if (text) return { ...tokenSequence(text, tokenizer, source, prompt.kind === 'text' ? prompt.text : undefined), ...(prompt.kind === 'text' && prompt.pair !== undefined ? { pair: prompt.pair } : {}), ...(source.segments ? { segments: text.ids.map(() => source.segments!) } : {}), target, ...more };
      return { ...target, audio: audioInput(prompt.kind === 'audio' ? prompt.file : undefined, heard?.seconds, heard?.span ?? (sound && spanOf(encoder, encoderInputs.feeds[sound.name].dims)), own.feeds[states].dims[1]), ...more };
    },
  };
}

interface Decoding { readonly request: TraceRequest; readonly pair: EncoderDecoder; readonly config: ModelConfig; readonly ids: ValueInfo; readonly states: string; readonly hidden: string; readonly given: GivenTensor | undefined; readonly logits: string | undefined; readonly earlier: Earlier; readonly rules: () => DecodingRules }

/** The decoder's tokens (given, or generated now from what the encoder said) with everything else that it is fed. */
async function decoderInputs({ request, pair, config, ids, states, hidden, given, logits, earlier, rules }: Decoding): Promise<Inputs> {
  const { model } = pair.decoder, said = earlier.output('encoder', hidden), around = aroundDecoder(model, states, said, earlier.inputs('encoder'));
  const fill = (tokens: GivenTensor): Inputs => asDecoder(fillInputs(model, { tensors: new Map([...around, [ids.name, tokens]]) }, config));
  const row = (list: readonly number[], rows = 1): GivenTensor => ({ shape: [rows, list.length], values: Array.from({ length: rows }, () => list).flat() });
  if (given) return fill(given);
  const batch = said.dims[0], count = request.generate ?? (batch === 1 && logits !== undefined ? usualTokens : 0), wanted = rules();
  if (!count || logits === undefined || batch !== 1) {
    if (count && request.generate !== undefined) throw new UserError(batch === 1 ? 'The decoder has no logits, so that nothing can be generated.' : `Generation takes one sample; found ${batch}.`, 'Leave --generate out, or give the decoder\'s tokens with --inputs.');
    const filled = fill(row(wanted.start, batch));
    return { ...filled, filled: { ...filled.filled, [filledIds]: filledPhrase(wanted.start.length) } };
  }
  const most = Math.min(wanted.most ?? Infinity, positionLimit(model, config)?.positions ?? Infinity);
  const steps = await openSteps({ model, logits, feeds: list => fill(row(list)).feeds }, await cachedOf(pair, around, ids.name, logits));
  let made: Awaited<ReturnType<typeof generate>>;
  try { made = await generate(steps, wanted, count, most, earlier.progress); } finally { await steps.release(); }
  const filled = fill(row(made.ids));
  return { ...filled, filled: { ...filled.filled, [filledIds]: filledPhrase(made.given, made.ids.length - made.given) } };
}

/** What the decoder reads of the encoder: its states and, where it has the input, which of them are real. */
function aroundDecoder(decoder: Model, states: string, said: Feed, encoder: Inputs): Map<string, GivenTensor> {
  const tensors = new Map<string, GivenTensor>([[states, { shape: said.dims, values: numbersOfFeed(said) }]]), mask = encoder.feeds['attention_mask'], [batch, length] = said.dims;
  if (openInputs(decoder).some(input => input.name === 'encoder_attention_mask')) {
    tensors.set('encoder_attention_mask', mask?.dims.length === 2 && mask.dims[1] === length ? { shape: mask.dims, values: numbersOfFeed(mask) } : { shape: [batch, length], values: new Float32Array(batch * length).fill(1) });
  }
  return tensors;
}

async function cachedOf(pair: EncoderDecoder, around: Tensors, ids: string, logits: string): Promise<CachedDecoder | undefined> {
  if (pair.withPast === undefined) return undefined;
  const model = typeof pair.withPast === 'string' ? await openModel(pair.withPast) : pair.withPast, inputs = openInputs(model), own = new Map(inputs.filter(input => around.has(input.name)).map(input => [input.name, around.get(input.name)!]));
  const unknown = inputs.some(({ name }) => !own.has(name) && name !== ids && !isPast(model, name) && name !== 'cache_position' && model.usual(name) !== 'use_cache_branch');
  if (unknown || !inputs.some(input => input.name === ids) || !model.graph.outputs.some(output => output.name === logits)) return undefined;
  const fixed = inputs.flatMap((input): [string, Feed][] => {
    const tensor = own.get(input.name) ?? (model.usual(input.name) === 'use_cache_branch' ? { shape: [1], values: [1] } : undefined);
    return tensor ? [[input.name, feedOf(feedType(input.name, input.type), tensor.values, tensor.shape)]] : [];
  });
  const type = feedType(ids, inputs.find(input => input.name === ids)?.type);
  return { model, logits, feeds: (id, at) => ({ ...Object.fromEntries(fixed), [ids]: feedOf(type, [id], [1, 1]), cache_position: feedOf('int64', [at], [1]) }) };
}

/** The tokens of a lone decoder graph are the decoder's, whatever its input is called. */
function asDecoder(inputs: Inputs): Inputs { return { ...inputs, sides: inputs.sides.map(side => ({ ...side, name: 'decoder' as const })) }; }

function hiddenOutput(encoder: Model): string {
  const floats: readonly (number | undefined)[] = [dataType.float, dataType.float16, undefined], found = encoder.graph.outputs.find(output => output.name === 'last_hidden_state') ?? encoder.graph.outputs.find(output => floats.includes(output.type) && (output.dims?.length ?? 3) === 3);
  if (!found) throw new UserError(`The encoder ${encoder.path} gives no states [batch, position, width].`, 'Export it with optimum.');
  return found.name;
}

function listen(file: string, encoder: Model, sound: ValueInfo | undefined): Heard {
  if (!sound) throw new UserError(`The encoder ${encoder.path} takes no log-mel features: its inputs are ${openInputs(encoder).map(input => input.name).join(', ')}.`, 'Choose a speech model such as Whisper, or give a text.');
  return hear(file, encoder, sound.dims);
}

function speechOf({ prompt }: TraceRequest): Speech { return prompt.kind === 'audio' ? { ...(prompt.language === undefined ? {} : { language: prompt.language }), ...(prompt.task === undefined ? {} : { task: prompt.task }) } : {}; }

/** Seconds of sound that features [batch, features, frames] stand for. */
function spanOf(encoder: Model, dims: readonly number[]): number { const { hop, rate } = melSettings(encoder, dims); return (dims[2] ?? 0) * hop / rate; }

function audioInput(file: string | undefined, seconds: number | undefined, span: number | undefined, positions: number): AudioInput {
  const short = (value: number): number => Number(value.toPrecision(7));
  return { positions, ...(file === undefined ? {} : { file }), ...(seconds === undefined ? {} : { seconds: short(seconds) }), ...(span ? { secondsPerPosition: short(span / positions) } : {}) };
}

function only(tensors: Tensors, inputs: readonly ValueInfo[]): Tensors { return new Map([...tensors].filter(([name]) => inputs.some(input => input.name === name))); }
