/** What a run of a vision-language model in three files stands on: vision encoder, token embedding, and the language model that reads both. */
import type { TraceRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { tokensOf } from '../images/layouts/layout.ts';
import { viewGraph } from '../onnx/graph-view.ts';
import type { GraphView, Model } from '../onnx/model.ts';
import { openInputs, pictureInput } from '../onnx/picture-input.ts';
import type { VisionLanguage } from '../sites/vision-language.ts';
import { stepsBehind } from './generate/cache-steps.ts';
import { numbersOfFeed, type Feed, type FeedData } from './inputs/feeds.ts';
import { readGeneration } from './generate/generation.ts';
import { imageTensor, imagesOfTensor, type RunImage } from './inputs/image-input.ts';
import { expectedTokens, imageTokenId, withImageTokens } from './inputs/image-tokens.ts';
import { embedsInput, idInput, isPast } from './inputs/input-names.ts';
import { fillInputs, type Inputs } from './inputs/inputs.ts';
import { keptOf } from './kept-layers.ts';
import { cacheOf } from './generate/kv-cache.ts';
import { checkIds, checkLength } from './inputs/limits.ts';
import { withTokens } from './inputs/look-at.ts';
import { readConfig, type ModelConfig } from './inputs/model-config.ts';
import { logitsOutput } from './generate/next-tokens.ts';
import { readPrompt, type Prompt } from './inputs/read-prompt.ts';
import type { Prepared } from './prepare-run.ts';
import { factsOf, rowsThatFit, sumFacts } from './room.ts';
import { inStack } from '../sites/parts.ts';
import { shownImage } from './inputs/shown-image.ts';
import type { Earlier, Stage } from './stages.ts';
import { readGivenTensors, type GivenTensor } from './inputs/tensor-file.ts';
import type { TokenSide } from './inputs/token-sides.ts';
import { loadTokenizer, type TextTokenizer } from './tokens/tokenizer.ts';
import { traceInput } from './trace-input.ts';

const names = { vision: 'vision_encoder', embed: 'embed_tokens', decoder: 'decoder_model' } as const;

/** `rows`: for tests, how many rows of the prompt run at once. Errors: `UserError` for everything that the user can act on. */
export async function prepareLlava(request: TraceRequest, parts: VisionLanguage, rows?: number): Promise<Prepared> {
  const { vision, embed, decoder } = parts, all = [...vision.found.plans, ...decoder.found.plans], { plans, kept } = keptOf(all, request.keep?.layers);
  if (!all.length) throw new UserError(`${vision.found.looked} ${decoder.found.looked}`, 'Choose a model with attention; "attnscope sites" lists what is recognised.');
  const config = readConfig(decoder.model.path), tokenizer = loadTokenizer(decoder.model.path), views = { vision: viewGraph(vision.model), decoder: viewGraph(decoder.model) }, id = imageTokenId(views.decoder, undefined);
  if (id === undefined) throw new UserError(`No config.json beside ${decoder.model.path} names the token that stands for an image.`, 'Put the model\'s config.json there; it has image_token_index or image_token_id.');
  const seen = await readSeen(request, parts, views.vision, { config, tokenizer, id }), features = featuresOutput(vision.model), embeds = embed.graph.outputs[0].name;
  const side: TokenSide = { name: 'text', input: seen.ids, ids: seen.tokens, real: realOf(seen.tensors, seen.tokens) }, logits = logitsOutput(decoder.model, views.decoder, decoder.found.plans);
  const stages: Stage[] = [
    { name: names.vision, model: vision.model, view: views.vision, plans: plans.filter(plan => plan.site.stack === 'vision'), inputs: () => fillInputs(vision.model, { tensors: new Map([...openInputs(vision.model).flatMap(({ name }) => { const tensor = seen.tensors.get(name); return tensor ? [[name, tensor] as const] : []; }), [seen.pixels, seen.values]]) }, {}), gives: [features], positions: seen.positions },
    { name: names.embed, model: embed, view: viewGraph(embed), plans: [], inputs: () => ({ ...fillInputs(embed, { tensors: new Map([[seen.ids, asTensor(seen.tokens)]]) }, config), filled: seen.how }), gives: [embeds] },
    { name: names.decoder, model: decoder.model, view: views.decoder, plans: plans.filter(plan => plan.site.stack !== 'vision'), inputs: earlier => decoderInputs(decoder.model, { earlier, features, embeds, id, side, tensors: seen.tensors, config }), ...(logits === undefined ? {} : { logits }) },
  ];
  const generation = readGeneration(request, { model: decoder.model, config, sides: [side], logits, tokenizer }), alone = logits === undefined || [...seen.tensors.keys()].some(name => isPast(decoder.model, name));
  const behind = alone ? undefined : await stepsBehind(decoder.whole, decoder.found, request, found => inStack(found, 'main')), cache = alone ? undefined : behind?.cache ?? cacheOf(decoder.model);
  const length = seen.tokens[0].length + (generation?.count ?? 0), batch = seen.tokens.length, vocabulary = logits === undefined ? undefined : views.decoder.dims(logits)?.[2], textLength = request.prompt.kind === 'text' ? request.prompt.text.length : 0, images = withTokens(seen.images, views.decoder, side);
  const read = factsOf({ model: decoder.model, plans: stages[2].plans, tokens: { batch, length }, ...(vocabulary === undefined ? {} : { vocabulary }), textLength, out: request.out });
  const facts = sumFacts([factsOf({ model: vision.model, plans: stages[0].plans, tokens: { batch, length: seen.positions }, textLength: 0, out: request.out }), read]), rowsAtOnce = cache && (rows ?? rowsThatFit(read));
  const steps = generation || rowsAtOnce !== undefined ? { embed: { model: embed, output: embeds }, ...(cache ? { cache } : {}), ...(behind ? { next: behind.next } : {}), ...(generation ? { generation } : {}), ...(rowsAtOnce === undefined ? {} : { rowsAtOnce }) } : undefined;
  return {
    stages, main: stages[2], config, tokenizer, facts: rowsAtOnce === undefined ? facts : { ...facts, rowsAtOnce }, images, ...(steps ? { decoder: steps } : {}), ...(kept ? { kept } : {}),
    input: inputs => traceInput(request, seen.prompt, inputs.get(names.decoder)!, { tokenizer, config, tokens: { batch, length: seen.tokens[0].length } }),
  };
}

interface Seen {
  readonly prompt: Prompt;
  /** Ids of each sample, image tokens written out. */
  readonly tokens: readonly (readonly number[])[];
  /** What else was given, by input. */
  readonly tensors: ReadonlyMap<string, GivenTensor>;
  /** Names of the inputs for ids and pixels. */
  readonly ids: string;
  readonly pixels: string;
  readonly values: GivenTensor;
  readonly images: readonly RunImage[];
  /** Of the vision tower. */
  readonly positions: number;
  readonly how: Readonly<Record<string, string>>;
}

interface Around { readonly config: ModelConfig; readonly tokenizer: TextTokenizer | undefined; readonly id: number }

/** Prompt and image, from text, ids or tensors. */
async function readSeen(request: TraceRequest, { vision, embed, decoder }: VisionLanguage, view: GraphView, { config, tokenizer, id }: Around): Promise<Seen> {
  const asked = request.prompt, ids = idInput(embed), pixels = pictureInput(vision.model) ?? (asked.kind === 'tensors' ? openInputs(vision.model).find(({ name }) => name === 'pixel_values') : undefined);
  if (!pixels) throw new UserError(`${vision.model.path} takes no image: its inputs are ${openInputs(vision.model).map(one => one.name).join(', ')}.`, 'Export it with optimum, or give its tensors one file at a time.');
  if (!ids) throw new UserError(`${embed.path} takes no token ids: its inputs are ${openInputs(embed).map(one => one.name).join(', ')}.`, 'Export it with optimum.');
  if (asked.kind === 'image') throw new UserError('The model reads a prompt, and none was given.', 'Give one with --prompt or --ids.');
  const tensors = asked.kind === 'tensors' ? readGivenTensors(asked.file, [...new Set([ids.name, ...[...openInputs(vision.model), ...openInputs(decoder.model)].map(input => input.name)])]) : new Map<string, GivenTensor>();
  const file = asked.kind === 'audio' ? undefined : asked.image, given = tensors.get(pixels.name), shown = shownImage(decoder.model, asked), made = file === undefined || shown ? undefined : imageTensor(view, pixels, file), values = made?.tensor ?? given;
  if (!values) throw new UserError(`The model looks at an image (its input "${pixels.name}"), and none was given.`, 'Give a PNG or JPEG with --image FILE.');
  const images = shown ? [shown] : made?.images ?? imagesOfTensor(view, pixels, values), grid = images[0]?.image.patches ?? { rows: 0, columns: 0 }, positions = Math.max(1, shown?.layout ? tokensOf(shown.layout) : grid.rows * grid.columns), how = made ? { [pixels.name]: made.images[0].image.prepared } : {};
  const common = { tensors, ids: ids.name, pixels: pixels.name, values, images, positions };
  const table = tensors.get(ids.name);
  if (asked.kind === 'tensors') {
    if (!table || table.shape.length !== 2) throw new UserError(`${asked.file} holds no "${ids.name}" of shape [batch, tokens].`, 'Add it, or give the ids with --ids.');
    const [batch, length] = table.shape;
    return { ...common, prompt: { tensors }, tokens: Array.from({ length: batch }, (_, b) => Array.from({ length }, (__, i) => Number(table.values[b * length + i]))), how };
  }
  const read = await readPrompt(request, embed, tokenizer), count = rowsOf(view, featuresOutput(vision.model)) ?? (grid.rows > 0 ? expectedTokens(decoder.model.path, grid) : undefined);
  const written = count === undefined ? { prompt: { ...read, ids: read.ids! }, how: undefined } : withImageTokens({ ...read, ids: read.ids! }, id, count, tokenizer?.token(id) ?? `#${id}`, tokenizer?.special.start ?? config.start);
  checkIds(embed, ids, written.prompt.ids, config);
  checkLength(decoder.model, ids, written.prompt.ids.length, config);
  return { ...common, prompt: { ...read, ...written.prompt }, tokens: Array.from({ length: values.shape[0] }, () => written.prompt.ids), how: { ...how, ...(written.how ? { [ids.name]: written.how } : {}) } };
}

/** How many vectors the encoder gives an image, where the graph says so: [vectors, width] or [images, vectors, width]. */
function rowsOf(view: GraphView, output: string): number | undefined {
  const dims = view.dims(output);
  return dims && dims.length >= 2 && dims.length <= 3 ? dims[dims.length - 2] : undefined;
}

function featuresOutput({ graph, path }: Model): string {
  const found = graph.outputs.find(output => /image_(features|embeds)/.test(output.name)) ?? graph.outputs[0];
  if (!found) throw new UserError(`${path} has no outputs.`, 'Export it again.');
  return found.name;
}

function asTensor(tokens: readonly (readonly number[])[]): GivenTensor { return { shape: [tokens.length, tokens[0].length], values: tokens.flat() }; }

/** From an attention mask that was given; all real otherwise. */
function realOf(tensors: ReadonlyMap<string, GivenTensor>, tokens: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const mask = tensors.get('attention_mask'), length = tokens[0].length;
  return mask?.shape.length === 2 && mask.shape[0] === tokens.length && mask.shape[1] === length ? tokens.map((_, b) => Array.from({ length }, (__, i) => (mask.values[b * length + i] ? 1 : 0))) : tokens.map(row => row.map(() => 1));
}

interface Splicing { readonly earlier: Earlier; readonly features: string; readonly embeds: string; readonly id: number; readonly side: TokenSide; readonly tensors: ReadonlyMap<string, GivenTensor>; readonly config: ModelConfig }

/** The embeddings with image features in the place of image tokens, and everything else that the language model takes. */
function decoderInputs(model: Model, { earlier, features, embeds, id, side, tensors, config }: Splicing): Inputs {
  const takes = embedsInput(model);
  if (!takes) throw new UserError(`${model.path} takes no embeddings: its inputs are ${openInputs(model).map(input => input.name).join(', ')}.`, 'Export it with optimum.');
  const spliced = splice(earlier.output(names.embed, embeds), earlier.output(names.vision, features), side.ids, id);
  const given = openInputs(model).flatMap(({ name }) => { const tensor = tensors.get(name); return tensor ? [[name, tensor] as const] : []; });
  const made = fillInputs(model, { tensors: new Map([...given, [takes.name, { shape: spliced.dims, values: numbersOfFeed(spliced) }]]) }, config);
  return { feeds: made.feeds, filled: { ...made.filled, [takes.name]: 'embeddings of the tokens, image features in the place of image tokens' }, sides: [side] };
}

/** Rows of `embeds` [batch, tokens, width] where the token is `id`, replaced by the rows of `features` [.., width], in order. Errors: `UserError` with both counts. */
export function splice(embeds: Feed, features: Feed, ids: readonly (readonly number[])[], id: number): Feed {
  const width = embeds.dims[2], have = features.data.length / width, places = ids.flatMap((row, b) => row.flatMap((one, i) => (one === id ? [b * row.length + i] : [])));
  if (features.dims[features.dims.length - 1] !== width || features.type !== embeds.type) throw new UserError(`The image features (${features.type}, [${features.dims.join(', ')}]) do not fit the embeddings (${embeds.type}, [${embeds.dims.join(', ')}]).`, 'Use files of one export and one type.');
  if (have !== places.length) throw new UserError(`The prompt has ${places.length} image tokens (id ${id}); the vision encoder gives ${have} vectors.`, 'Write one image token for each vector, or one alone.');
  const data = embeds.data.slice() as FeedData;
  places.forEach((place, n) => (data as Float32Array).set((features.data as Float32Array).subarray(n * width, (n + 1) * width), place * width));
  return { ...embeds, data };
}
