/** What a run stands on before it is made: the model, the sites that are kept, the prompt as tokens, every input, and what it will take. */
import type { TraceRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import type { RunFacts } from '../../contract/estimate.ts';
import type { KeptLayers, TraceInput } from '../../contract/trace.ts';
import { viewGraph } from '../onnx/graph-view.ts';
import type { Model } from '../onnx/model.ts';
import { inlineModel } from '../onnx/inline.ts';
import { openModel } from '../onnx/open.ts';
import { openPair, statesInput } from '../sites/parts.ts';
import { recognise, recogniseInlined, type Assumed } from '../sites/recognise.ts';
import type { SitePlan } from '../sites/site-plan.ts';
import { openVisionLanguage } from '../sites/vision-language.ts';
import { stepsBehind } from './generate/cache-steps.ts';
import { decoderTokens } from './generate/decode-in-one.ts';
import type { RunImage } from './inputs/image-input.ts';
import { readGeneration, type Generation } from './generate/generation.ts';
import { isPast } from './inputs/input-names.ts';
import { fillInputs, type Inputs } from './inputs/inputs.ts';
import { keptOf } from './kept-layers.ts';
import { cacheOf, type CachePair } from './generate/kv-cache.ts';
import { withImage, withTokens } from './inputs/look-at.ts';
import { readConfig, type ModelConfig } from './inputs/model-config.ts';
import { readPrompt } from './inputs/read-prompt.ts';
import { logitsOutput } from './generate/next-tokens.ts';
import { prepareLlava } from './prepare-llava.ts';
import { preparePair } from './prepare-pair.ts';
import { factsOf, requestedTokens, rowsThatFit } from './room.ts';
import type { Stage } from './stages.ts';
import { readGivenTensors } from './inputs/tensor-file.ts';
import { loadTokenizer, type TextTokenizer } from './tokens/tokenizer.ts';
import { traceInput } from './trace-input.ts';

export interface Prepared {
  /** In the order in which they run. */
  readonly stages: readonly Stage[];
  /** The stage whose model the trace is of. */
  readonly main: Stage;
  readonly kept?: KeptLayers;
  readonly config: ModelConfig;
  readonly tokenizer: TextTokenizer | undefined;
  /** One a sample, where the model takes images. */
  readonly images?: readonly RunImage[];
  readonly facts: RunFacts;
  /** A decoder that may be run in pieces, or goes on by itself. */
  readonly decoder?: { readonly cache?: readonly CachePair[]; /** The graph of runs behind a cache, where it is another one. */ readonly next?: Stage; /** Makes embeddings of new tokens, where the decoder reads those. */ readonly embed?: { readonly model: Model; readonly output: string }; readonly generation?: Generation; /** Undefined: the prompt is run at once. */ readonly rowsAtOnce?: number };
  /** What the trace says it was given, once every stage has its inputs (by the stage's name). */
  readonly input: (inputs: ReadonlyMap<string, Inputs>) => TraceInput;
}

/** `alter`, `rows`: for tests that change what was recognised, and how many rows run at once. Errors: `UserError` for everything that the user can act on. */
export async function prepareRun(request: TraceRequest, alter: (plans: readonly SitePlan[]) => readonly SitePlan[] = plans => plans, rows?: number): Promise<Prepared> {
  const pair = await openPair(request.model);
  if (pair && !givesStates(request, pair.decoder.model)) return preparePair(request, pair);
  const several = await openVisionLanguage(request.model);
  if (several) return prepareLlava(request, several, rows);
  const whole = await openModel(request.model), listed = recogniseInlined(whole);
  if (!listed.plans.length) throw new UserError(listed.looked, 'Choose a model with attention; "attnscope sites" lists what is recognised.');
  const config = readConfig(whole.path), tokenizer = loadTokenizer(whole.path), around = { view: viewGraph(listed.model), config, tokenizer };
  const { prompt, images: shown, how } = withImage(request.prompt, await readPrompt(request, whole, tokenizer), around);
  const filling = fillInputs(listed.model, prompt, config), inputs = { ...filling, filled: { ...filling.filled, ...how } }, tokens = requestedTokens(inputs), images = withTokens(shown, around.view, inputs.sides[0]);
  const found = branchTaken(whole, listed, inputs), { model } = found, view = model === listed.model ? around.view : viewGraph(model);
  if (!found.plans.length) throw new UserError(found.looked, 'Give inputs that take another branch of the model.');
  const all = alter(found.plans), { plans, kept } = keptOf(all, request.keep?.layers);
  // Whether there are logits is for the whole model to say.
  const logits = inputs.sides.length ? logitsOutput(model, view, all) : undefined, vocabulary = logits === undefined ? undefined : view.dims(logits)?.[2];
  const target = decoderTokens({ request, model, config, prompt, inputs, logits });
  const generation = target ? undefined : readGeneration(request, { model, config, sides: inputs.sides, logits, tokenizer }), length = tokens.length + (generation?.count ?? 0), alone = target !== undefined || logits === undefined || hasPast(model, inputs) || all.some(plan => plan.shared), behind = alone ? undefined : await stepsBehind(whole, found, request), cache = alone ? undefined : behind?.cache ?? cacheOf(model);
  const atOnce = factsOf({ model, plans, tokens: { ...tokens, length }, ...(vocabulary === undefined ? {} : { vocabulary }), textLength: request.prompt.kind === 'text' ? request.prompt.text.length + (request.prompt.pair?.length ?? 0) : 0, out: request.out });
  const rowsAtOnce = cache && (rows ?? rowsThatFit(atOnce)), facts = rowsAtOnce === undefined ? atOnce : { ...atOnce, rowsAtOnce };
  const main: Stage = { name: 'model', model, view, plans, inputs: earlier => (target ? target(earlier.progress) : inputs), ...(logits === undefined ? {} : { logits }) };
  const decoder = generation || rowsAtOnce !== undefined ? { ...(cache ? { cache } : {}), ...(behind ? { next: behind.next } : {}), ...(generation ? { generation } : {}), ...(rowsAtOnce === undefined ? {} : { rowsAtOnce }) } : undefined;
  return { stages: [main], main, config, tokenizer, images, facts, ...(decoder ? { decoder } : {}), ...(kept ? { kept } : {}), input: fed => traceInput(request, prompt, fed.get('model')!, { tokenizer, config, tokens }) };
}

/** Whether a past was given that is not empty: then the run is one step of somebody else's. */
function hasPast(model: Model, inputs: Inputs): boolean { return Object.entries(inputs.feeds).some(([name, feed]) => isPast(model, name) && feed.data.length > 0); }

/** What was listed, unless the inputs of this run take other branches. */
function branchTaken(whole: Model, listed: Assumed, inputs: Inputs): Assumed {
  const assumed = Object.fromEntries(Object.keys(listed.assumed).map(name => [name, Number(inputs.feeds[name]?.data[0] ?? 0) !== 0]));
  if (Object.entries(assumed).every(([name, value]) => listed.assumed[name] === value)) return listed;
  const model = inlineModel(whole, assumed);
  return { ...recognise(model), model, assumed };
}

/** Whether the tensors that were given hold what the encoder would say: then the decoder runs alone. */
function givesStates({ prompt }: TraceRequest, decoder: Model): boolean {
  const states = statesInput(decoder);
  if (prompt.kind !== 'tensors' || states === undefined) return false;
  try { return readGivenTensors(prompt.file, [states]).size > 0; } catch { return false; }
}
