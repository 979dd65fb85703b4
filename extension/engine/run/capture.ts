/** Runs a model once with taps, and leaves a capture for analysis to complete. */
import type { Captured, Progress, TraceRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import type { Site } from '../../contract/site.ts';
import type { TraceInput } from '../../contract/trace.ts';
import type { Model } from '../onnx/model.ts';
import { modelInfo } from '../onnx/open.ts';
import { writeSkeleton } from '../onnx/writer.ts';
import type { SitePlan } from '../sites/site-plan.ts';
import type { CaptureIndex, SiteCapture } from '../trace/capture.ts';
import { PartWriter, captureFiles, discardCapture, writeIndex } from '../trace/part-writer.ts';
import { writeStatistics } from './capture-statistics.ts';
import { prepareRun, type Prompt } from './prepare-run.ts';
import { chooseStored, checkRoom } from './room.ts';
import { feedOf, type Feed } from './feeds.ts';
import { fileStamp, startHash } from './file-hash.ts';
import type { Inputs } from './inputs.ts';
import { brokenLogit, nextTokens } from './next-tokens.ts';
import type { ModelConfig } from './model-config.ts';
import { withRuntime } from './kept-runtime.ts';
import { placesOf, shapesKnown } from './places.ts';
import { collectGarbage, runtimeVersions, type Fetched } from './runtime.ts';
import { planTaps, rowsKept, type SiteTaps, type Taps } from './taps.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** From this many tokens on, the probabilities of a layer are large (12 heads: 50 MB). */
const sparingFrom = 1024;

export interface CaptureHooks {
  readonly progress: (progress: Progress) => void;
  /** For tests that alter what was recognised. */
  readonly alter?: (plans: readonly SitePlan[]) => readonly SitePlan[];
  /** For tests of long prompts' taps on short ones. */
  readonly sparing?: boolean;
}

/**
 * Opens, instruments, runs, writes `out`'s part, side and index files. Nothing is left behind when it fails.
 * Errors: `UserError` for everything that the user can act on.
 */
export async function capture(request: TraceRequest, hooks: CaptureHooks): Promise<Captured> {
  const writers: PartWriter[] = [];
  try { return await captureInto(request, hooks, writers); } catch (error) {
    for (const writer of writers) writer.close();
    // What cannot be removed was not made by this capture; the reason is the one to tell.
    try { discardCapture(request.out); } catch { /* said above */ }
    throw error;
  } finally { collectGarbage(); }
}

async function captureInto(request: TraceRequest, { progress, alter, sparing }: CaptureHooks, writers: PartWriter[]): Promise<Captured> {
  const clock = stopwatch();
  progress({ phase: 'open' });
  if (request.keep?.resid) throw new UserError('The residual stream cannot be kept by this version.', 'Leave resid out of --keep.');
  const { model, view, plans, kept, prompt, config, tokenizer, inputs, images, tokens, logits, facts } = await prepareRun(request, alter);
  const stored = chooseStored(request.dtype ?? 'auto', facts);
  checkRoom(facts, { stored, ...(request.keep?.pattern ? { pattern: true } : {}), ...(request.keep?.z ? { z: true } : {}) }, request.out);
  const files = captureFiles(request.out);
  const headerSpace = facts.headerBytes;
  const part = PartWriter.create(files.part, headerSpace);
  writers.push(part);
  const side = PartWriter.create(files.side);
  writers.push(side);
  const taps = planTaps(model, view, plans, { stored, keepZ: request.keep?.z ?? false, keepPattern: request.keep?.pattern ?? false, sparing: sparing ?? tokens.length >= sparingFrom, broadcastMasks: shapesKnown(plans, inputs), ...(logits ? { logits } : {}) });
  const skeleton = writeSkeleton(model, taps.edits);
  clock.lap('open');
  progress({ phase: 'session' });
  const stamp = fileStamp(model);
  const vocabulary = logits === undefined ? undefined : view.dims(logits)?.[2];
  const places = placesOf({ plans, taps, inputs, stored, rows: keptRowsOf(inputs.sides[0]?.real ?? [[1]]).length, vocabulary }), placed = places && { places, stop: taps.stop };
  const hash = startHash(model);
  hash.catch(() => undefined);
  const ready = (): void => { clock.lap('session'); progress({ phase: 'run' }); };
  const fetched = await withRuntime(skeleton, model, ready, runtime => runtime.run({ ...inputs.feeds, ...ownFeeds(taps, inputs) }, model, placed));
  clock.lap('run');
  if (fileStamp(model) !== stamp) throw changed(model);
  progress({ phase: 'write', done: 0, total: plans.length });
  const sites: SiteCapture[] = [];
  plans.forEach((plan, i) => {
    sites.push(writeSite({ plan, taps: taps.sites[i], fetched, part, side, stored }));
    progress({ phase: 'write', done: i + 1, total: plans.length });
  });
  for (const { image, png } of images) if (!Object.hasOwn(part.tensors, image.picture)) part.append(image.picture, 'U8', [png.length], png);
  const input = { ...traceInput(request, prompt, inputs, { tokenizer, config, tokens }), ...(images.length ? { images: images.map(one => one.image) } : {}) };
  const sha256 = await hash;
  if (fileStamp(model) !== stamp) throw changed(model);
  const last = taps.lastLogits && fetched.take(taps.lastLogits), broken = last && brokenLogit(last);
  const next = last && !broken ? nextTokens(last, id => tokenizer?.token(id) ?? `#${id}`) : [];
  part.close();
  side.close();
  clock.lap('capture');
  const index: CaptureIndex = {
    out: request.out, part: files.part, side: files.side, headerSpace, tensors: part.tensors, sideTensors: side.tensors, sites,
    model: { ...modelInfo(model), path: model.path, sha256 }, input, next, ...(broken ? { logits: broken } : {}), ...(config.softcap ? { expected: { softcap: config.softcap } } : {}), filledInputs: inputs.filled, device: 'cpu', runtime: runtimeVersions(), timesMs: clock.laps, keepPattern: request.keep?.pattern ?? false, ...(kept ? { kept } : {}),
  };
  writeIndex(index);
  return { out: request.out, part: files.part };
}

function changed(model: Model): UserError { return new UserError(`${model.path} changed while it was being traced.`, 'Trace it again when it is no longer being written.'); }

/** Feeds of our own: real rows, kept rows, the row of the logits. */
export function ownFeeds(taps: Taps, inputs: Inputs): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  for (const name of taps.feeds.real) {
    const side = inputs.sides.find(one => one.name === name) ?? (name === 'decoder' ? undefined : inputs.sides[0]);
    const real = side?.real ?? [[1]];
    feeds[`attnscope.${name}.real`] = feedOf('float32', real.flat(), [real.length, real[0].length]);
    const rows = keptRowsOf(real);
    feeds[`attnscope.${name}.rows`] = feedOf('int64', rows, [rows.length]);
  }
  if (taps.feeds.last) {
    const side = inputs.sides.find(one => one.name === 'decoder') ?? inputs.sides[0];
    feeds['attnscope.last'] = feedOf('int64', side.real.map(row => Math.max(row.lastIndexOf(1), 0)), [side.real.length]);
  }
  return feeds;
}

/** At least 64 rows of each sample, evenly spread, the first and the last real one among them; ascending. */
export function keptRowsOf(real: readonly (readonly number[])[]): number[] {
  const rows = new Set<number>(), length = real[0].length;
  for (const row of real) {
    const positions = row.flatMap((mark, i) => (mark ? [i] : [])), count = Math.min(positions.length, rowsKept);
    for (let i = 0; i < count; i++) rows.add(positions[count === 1 ? 0 : Math.floor(i * (positions.length - 1) / (count - 1))]);
  }
  if (!rows.size) rows.add(length - 1);
  return [...rows].sort((a, b) => a - b);
}

interface SiteWriting { readonly plan: SitePlan; readonly taps: SiteTaps; readonly fetched: Fetched; readonly part: PartWriter; readonly side: PartWriter; readonly stored: 'F32' | 'F16' }

/** Writes what the run showed of one site. */
function writeSite({ plan, taps, fetched, part, side, stored }: SiteWriting): SiteCapture {
  const { site } = plan, dims: Partial<Record<'q' | 'k' | 'v' | 'z', readonly number[]>> = {};
  for (const name of ['q', 'k', 'v', 'z'] as const) {
    const output = taps[name];
    if (output === undefined) continue;
    const tensor = fetched.take(output);
    dims[name] = tensor.dims;
    part.append(`${site.name}.hook_${name}`, stored, tensor.dims, tensor.data);
  }
  const { q, k, v } = dims;
  const rows = Array.from(fetched.take(taps.rows).data as BigInt64Array, Number);
  const own = (output: string | undefined, name: string): string | undefined => {
    if (output === undefined) return undefined;
    const tensor = fetched.take(output);
    side.append(`${site.name}.${name}`, 'F32', tensor.dims, tensor.data);
    return `${site.name}.${name}`;
  };
  if (taps.pattern !== undefined) { const tensor = fetched.take(taps.pattern); part.append(`${site.name}.hook_pattern`, 'F32', tensor.dims, tensor.data); }
  if (taps.implied !== undefined) { const tensor = fetched.take(taps.implied); part.append(`${site.name}.hook_implied`, 'F32', tensor.dims, tensor.data); }
  const scales = plan.scale.map(factor => ('constant' in factor ? factor.constant ** factor.power : undefined));
  taps.scales.forEach(({ output, power }) => { scales[scales.indexOf(undefined)] = (fetched.take(output).data as Float32Array)[0] ** power; });
  const scale = plan.q ? scales.reduce<number>((product, factor) => product * (factor ?? 1), 1) : null;
  const masks = taps.masks.map(({ output, as }) => {
    const name = output.replace('attnscope.', 'mask.');
    if (!Object.hasOwn(side.tensors, name)) { const tensor = fetched.take(output); side.append(name, as === 'add' ? 'F32' : 'U8', tensor.dims, tensor.data); }
    return { tensor: name, as };
  });
  const statistics = taps.statistics && writeStatistics({ name: site.name, taps: taps.statistics, fetched, part, side, scale: scale ?? 1 });
  const ruled = taps.unruly === undefined || (fetched.take(taps.unruly).data as Float32Array)[0] === 0;
  const sink = own(taps.sink, 'sink');
  if (sink && side.tensors[sink].shape[0] !== (q?.[2] ?? site.heads)) throw new UserError(`${site.node} has ${side.tensors[sink].shape[0]} sink logits for ${q?.[2] ?? site.heads} heads.`, 'Export the model again.');
  const ownPattern = own(taps.statistics?.ownPattern, 'ownPattern'), ownOutput = own(taps.ownOutput, 'ownOutput');
  const filled: Site = {
    ...site, scale: scale === null ? site.scale : Number(scale.toPrecision(9)), ...(q && k && v ? { heads: q[2], kvHeads: k[2], headDim: q[3], valueDim: v[3] } : statistics ? { heads: statistics.heads } : {}),
  };
  return {
    site: filled, dtype: stored, ...(plan.half ? { half: true } : {}), softcap: plan.softcap, masks, rows,
    rule: ruled ? { causal: plan.rule.causal, window: plan.rule.window, offset: plan.rule.offset === 'past' && q && k ? k[1] - q[1] : 0 } : { causal: false, window: null, offset: 0 },
    statistics: statistics ? 'graph' : 'missing',
    ...(plan.rounding ? { rounding: plan.rounding } : {}), ...(sink ? { sink } : {}), ...(ownPattern ? { ownPattern } : {}), ...(ownOutput ? { ownOutput } : {}), ...(statistics ? { receivedFrom: statistics.receivedFrom } : {}),
  };
}

function traceInput(request: TraceRequest, prompt: Prompt, inputs: Inputs, { tokenizer, config, tokens }: { readonly tokenizer: TextTokenizer | undefined; readonly config: ModelConfig; readonly tokens: { readonly batch: number; readonly length: number } }): TraceInput {
  const side = inputs.sides.find(one => one.name === 'decoder' && !inputs.filled[one.input]) ?? inputs.sides[0];
  const ids = side?.ids ?? Array.from({ length: tokens.batch }, () => []), real = side?.real ?? ids;
  const { text, pair } = request.prompt.kind === 'text' ? request.prompt : {}, special = specialTokens(tokenizer, config);
  const names = ids.map(row => (prompt.tokens && prompt.tokens.length === row.length ? prompt.tokens : row.map(id => tokenizer?.token(id) ?? `#${id}`)));
  return {
    ...(text !== undefined ? { text } : {}), ...(pair !== undefined ? { pair } : {}), ids, tokens: names, spans: prompt.spans ? ids.map(() => prompt.spans!) : [], real,
    ...(prompt.segments ? { segments: ids.map(() => prompt.segments!) } : {}), ...(Object.keys(special).length ? { special } : {}),
  };
}

/** What starts a text: what the template puts there; where it puts nothing, what config.json names. */
function specialTokens(tokenizer: TextTokenizer | undefined, config: ModelConfig): NonNullable<TraceInput['special']> {
  const own = tokenizer?.special ?? {}, start = own.start ?? config.start;
  return { ...own, ...(start !== undefined ? { start } : {}) };
}

function stopwatch(): { lap(name: string): void; readonly laps: Record<string, number> } {
  const laps: Record<string, number> = {};
  let last = performance.now();
  return { laps, lap: name => { const now = performance.now(); laps[name] = Number((now - last).toFixed(1)); last = now; } };
}
