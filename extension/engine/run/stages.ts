/** One trace over one graph or several: stages run one after the other, each fed from what earlier ones gave, and the sites of all go into one capture. */
import type { Progress } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import type { GraphView, Model } from '../onnx/model.ts';
import { writeSkeleton } from '../onnx/writer.ts';
import type { SitePlan } from '../sites/site-plan.ts';
import type { SiteCapture } from '../trace/capture.ts';
import type { PartWriter } from '../trace/part-writer.ts';
import type { Feed } from './inputs/feeds.ts';
import { fileStamp, startHash } from './session/file-hash.ts';
import type { Inputs } from './inputs/inputs.ts';
import { withRuntime } from './session/kept-runtime.ts';
import { keptRowsOf, ownFeeds } from './taps/own-feeds.ts';
import { placesOf, shapesKnown } from './taps/places.ts';
import type { FetchedTensor } from './session/runtime.ts';
import { planTaps } from './taps/taps.ts';
import { writeSite } from './taps/write-site.ts';

/** One graph of a run: a lone model is one stage; an encoder and a decoder, or a vision encoder, an embedding and a language model, are several. */
export interface Stage {
  /** Unique in a run: `model`, `encoder`, `decoder`, `vision_encoder`, … */
  readonly name: string;
  readonly model: Model;
  readonly view: GraphView;
  /** Sites to tap, with the names that they have in the trace (`inStack` of sites/parts.ts); none: the stage only feeds later ones. */
  readonly plans: readonly SitePlan[];
  /** Everything that the graph is fed, made when its turn comes. Token sides carry the names that `querySide` asks for. */
  inputs(earlier: Earlier): Inputs | Promise<Inputs>;
  /** Outputs of the graph that later stages read. */
  readonly gives?: readonly string[];
  /** The output that holds the logits, of the stage whose next tokens are shown. */
  readonly logits?: string;
  /** Positions of its longest map, where its inputs hold no tokens to say so. */
  readonly positions?: number;
}

export interface Earlier {
  /** An output that the stage `stage` gives, ready to be fed. */
  output(stage: string, output: string): Feed;
  /** What the stage `stage` was fed. */
  inputs(stage: string): Inputs;
  readonly progress: (progress: Progress) => void;
}

export interface Staging {
  readonly stored: 'F32' | 'F16';
  readonly keepZ: boolean;
  readonly keepResid?: boolean;
  readonly keepPattern: boolean;
  readonly part: PartWriter;
  readonly side: PartWriter;
  readonly progress: (progress: Progress) => void;
  readonly lap: (name: string) => void;
  /** For tests of long prompts' taps on short ones. */
  readonly sparing?: boolean;
}

export interface Staged {
  readonly sites: readonly SiteCapture[];
  /** What each stage was fed, by its name. */
  readonly inputs: ReadonlyMap<string, Inputs>;
  /** float32 [batch, vocabulary] of the last token. */
  readonly last?: FetchedTensor;
  /** SHA-256 of each stage's model, by the stage's name. */
  readonly sha256: ReadonlyMap<string, string>;
  /** For stages that are run behind these. */
  readonly earlier: Earlier;
}

/** From this many tokens on, the probabilities of a layer are large (12 heads: 50 MB). */
const sparingFrom = 1024;

/** Runs all stages. Errors: `UserError` of inputs and of onnxruntime, and where a model changed meanwhile. */
export async function runStages(stages: readonly Stage[], staging: Staging): Promise<Staged> {
  const { progress, lap } = staging, sites: SiteCapture[] = [], inputs = new Map<string, Inputs>(), outputs = new Map<string, Feed>(), sha256 = new Map<string, string>();
  const stamps = stages.map(({ model }) => fileStamp(model)), hashes = stages.map(({ model }) => startHash(model));
  for (const hash of hashes) hash.catch(() => undefined);
  const unchanged = (): void => stages.forEach(({ model }, i) => { if (fileStamp(model) !== stamps[i]) throw new UserError(`${model.path} changed while it was being traced.`, 'Trace it again when it is no longer being written.'); });
  const total = stages.reduce((sum, { plans }) => sum + plans.length, 0), earlier: Earlier = {
    output: (stage, output) => { const found = outputs.get(`${stage} ${output}`); if (!found) throw new Error(`The stage ${stage} gives no ${output}.`); return found; },
    inputs: stage => inputs.get(stage)!, progress,
  };
  let last: FetchedTensor | undefined;
  for (const stage of stages) {
    const given = await stage.inputs(earlier);
    inputs.set(stage.name, given);
    const { fetched, taps } = await runStage(stage, given, staging, stages.length === 1);
    for (const name of stage.gives ?? []) outputs.set(`${stage.name} ${name}`, fetched.take(name) as Feed);
    lap('run');
    unchanged();
    progress({ phase: 'write', done: sites.length, total });
    for (const [i, plan] of stage.plans.entries()) {
      sites.push(writeSite({ plan, taps: taps.sites[i], fetched, part: staging.part, side: staging.side, stored: staging.stored, stage: stages.length === 1 ? '' : `${stage.name}.` }));
      progress({ phase: 'write', done: sites.length, total });
    }
    for (const { name, output } of taps.resid) { const tensor = fetched.take(output); staging.part.append(name, staging.stored, tensor.dims, tensor.data); }
    if (taps.lastLogits) last = fetched.take(taps.lastLogits);
  }
  for (const [i, stage] of stages.entries()) sha256.set(stage.name, await hashes[i]);
  unchanged();
  return { sites, inputs, sha256, earlier, ...(last ? { last } : {}) };
}

/** `alone`: the session may be kept for the next run. */
async function runStage({ model, view, plans, logits, gives = [], positions = 0 }: Stage, inputs: Inputs, { stored, keepZ, keepResid = false, keepPattern, progress, lap, sparing }: Staging, alone: boolean): Promise<{ readonly fetched: { take(output: string): FetchedTensor }; readonly taps: ReturnType<typeof planTaps> }> {
  const length = Math.max(positions, ...inputs.sides.map(({ ids }) => ids[0].length));
  const taps = planTaps(model, view, plans, { stored, keepZ, keepResid, keepPattern, sparing: sparing ?? length >= sparingFrom, broadcastMasks: shapesKnown(model, plans, inputs), ...(logits ? { logits } : {}) });
  const skeleton = writeSkeleton(model, taps.edits);
  lap('open');
  progress({ phase: 'session' });
  const vocabulary = logits === undefined ? undefined : view.dims(logits)?.[2];
  const places = gives.length ? undefined : placesOf({ model, plans, taps, inputs, stored, rows: keptRowsOf(inputs.sides[0]?.real ?? [[1]]).length, vocabulary }), placed = places && { places, stop: taps.stop };
  const ready = (): void => { lap('session'); progress({ phase: 'run' }); };
  const fetched = await withRuntime(skeleton, model, { ready, alone }, runtime => runtime.run({ ...inputs.feeds, ...ownFeeds(taps, inputs) }, model, { ...(placed ? { placed } : {}), also: gives, shared: plans.flatMap(plan => plan.shared ?? []) }));
  return { fetched, taps };
}
