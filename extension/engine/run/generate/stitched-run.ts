/** A decoder with a cache, run in pieces: the prompt at once or in blocks of rows, then one token after the other; all of it is one map in the capture. */
import type { Generated } from '../../../contract/trace.ts';
import { UserError } from '../../../contract/errors.ts';
import { dataType, type Model } from '../../onnx/model.ts';
import { writeSkeleton } from '../../onnx/writer.ts';
import type { SitePlan } from '../../sites/site-plan.ts';
import type { SiteCapture } from '../../trace/capture.ts';
import { feedOf, type Feed } from '../inputs/feeds.ts';
import { fileStamp, startHash } from '../session/file-hash.ts';
import type { Generation } from './generation.ts';
import type { Inputs } from '../inputs/inputs.ts';
import { withRuntime } from '../session/kept-runtime.ts';
import type { CachePair } from './kv-cache.ts';
import { MaskRows, type PieceTerm } from '../taps/mask-rows.ts';
import { keptRowsOf, ownFeeds } from '../taps/own-feeds.ts';
import { pieceInputs, type Feeding } from '../inputs/piece-inputs.ts';
import { Runtime, type FetchedTensor } from '../session/runtime.ts';
import type { Staging, Stage } from '../stages.ts';
import { StitchedMasks, StitchedSite, outputsOf } from '../taps/stitch.ts';
import { StitchedStream } from '../taps/stitched-stream.ts';
import { planTaps, type Taps } from '../taps/taps.ts';

export interface StitchedRun {
  readonly stage: Stage;
  /** The graph of runs behind a cache, where it is another one: a file of its own, or the other branch of a merged decoder. The same sites, in any order. */
  readonly next?: Stage;
  readonly feeding: Feeding;
  readonly cache: readonly CachePair[];
  /** At most so many rows of the prompt at once. */
  readonly rowsAtOnce: number;
  readonly generation?: Generation;
}
export interface Stitched {
  readonly sites: readonly SiteCapture[];
  /** Of each sample, generated tokens included. */
  readonly ids: readonly (readonly number[])[];
  readonly stopped: Generated['stopped'];
  /** float32 [batch, vocabulary], behind the last token. */
  readonly last?: FetchedTensor;
  readonly sha256: string;
}

interface Tapped { readonly model: Model; readonly plans: readonly SitePlan[]; readonly taps: Taps; readonly skeleton: Uint8Array }

/** Errors: `UserError` of inputs and of onnxruntime, where the model changed meanwhile, and where its cache forgets. */
export async function runStitched(run: StitchedRun, staging: Staging): Promise<Stitched> {
  const { stage: { model, plans }, next, feeding, feeding: { inputs }, generation, rowsAtOnce } = run, { stored, keepZ, keepResid = false, part, side, progress, lap } = staging;
  const stamp = fileStamp(model), hash = startHash(model), unchanged = (): void => { if (fileStamp(model) !== stamp) throw new UserError(`${model.path} changed while it was being traced.`, 'Trace it again when it is no longer being written.'); };
  hash.catch(() => undefined);
  const tapped = ({ model: of, view, plans: its, logits }: Stage): Tapped => {
    const ordered = plans.map(plan => { const found = its.find(one => one.site.name === plan.site.name); if (!found) throw new UserError(`${of.path} has no ${plan.site.name} behind a cache.`, 'Export both decoders from the same model.'); return found; });
    const taps = planTaps(of, view, ordered, { stored, keepZ, keepResid, piece: true, ...(logits === undefined ? {} : { logits }) });
    return { model: of, plans: ordered, taps, skeleton: writeSkeleton(of, taps.edits) };
  };
  const first = tapped(run.stage), later = next ? tapped(next) : first;
  lap('open');
  progress({ phase: 'session' });
  const prompt = inputs.sides[0], given = prompt.ids[0].length, batch = prompt.ids.length, ids = prompt.ids.map(row => [...row]), count = generation?.count ?? 0, promptRows = new Set(keptRowsOf(prompt.real));
  const sites = plans.map(plan => new StitchedSite(plan)), stream = new StitchedStream(), masks = new StitchedMasks(site => new MaskRows(site, batch)), keyOf = (n: number): string => JSON.stringify([first, later].map(({ taps, plans: its }) => [taps.sites[n].masks.map(({ output, as }) => [output, as]), its[n].rule]));
  // All of the first 64 generated rows are kept for parity, then ever fewer.
  const kept = (row: number): boolean => (row < given ? promptRows.has(row) : row - given < 64 || (row - given) % 64 === 0);
  const state = { length: 0, past: {} as Record<string, Feed>, last: undefined as FetchedTensor | undefined };
  const piece = async (runtimes: readonly [Runtime, Runtime], to: number, last: boolean): Promise<void> => {
    const start = state.length, [runtime, { model: of, plans: its, taps }] = start ? [runtimes[1], later] as const : [runtimes[0], first] as const, fed = await pieceInputs(feeding, of, ids, { start, to, past: state.past }), rows = Array.from({ length: to - start }, (_, i) => start + i).filter(kept).map(row => row - start);
    const own = { ...ownFeeds(taps, fed), 'attnscope.text.rows': feedOf('int64', rows.length ? rows : [0], [Math.max(1, rows.length)]) };
    const only = new Set([...taps.sites.flatMap(one => outputsOf(one, last)), ...taps.resid.map(one => one.output), ...(taps.lastLogits ? [taps.lastLogits] : []), ...run.cache.map(pair => pair.present)]);
    const fetched = await runtime.run({ ...fed.feeds, ...own }, of, { only: [...only] }), taken = new Map<string, FetchedTensor>();
    // Sites share outputs.
    const take = (output: string): FetchedTensor => { const found = taken.get(output) ?? fetched.take(output); taken.set(output, found); return found; };
    sites.forEach((site, n) => {
      const added = site.add({ plan: its[n], taps: taps.sites[n], take, start, last });
      masks.add(keyOf(n), plans[n].site.name, { start, ...added }, () => taps.sites[n].masks.map(({ output, as }): PieceTerm => { const { dims, data } = take(output); return { dims, data: data as ArrayLike<number>, as }; }));
    });
    stream.add(taps.resid, take);
    if (taps.lastLogits) state.last = laterOf(state.last, take(taps.lastLogits), fed);
    state.past = Object.fromEntries(run.cache.map(({ past, present }) => [past.name, take(present) as Feed]));
    state.length = to;
    const short = taps.sites.findIndex(one => last && one.k !== undefined && take(one.k).dims[1] !== to);
    if (short >= 0) throw new UserError(`The cache of ${plans[short].site.name} holds ${take(taps.sites[short].k!).dims[1]} of ${to} positions, so that its keys cannot be put together.`, 'Use a shorter prompt, or fewer generated tokens.');
  };
  let stopped: Generated['stopped'] = 'length';
  const all = async (runtimes: readonly [Runtime, Runtime]): Promise<void> => {
    for (let to = Math.min(given, rowsAtOnce); ; to = Math.min(given, to + rowsAtOnce)) {
      await piece(runtimes, to, to === given && !count);
      if (given > rowsAtOnce) progress({ phase: 'run', done: to, total: given });
      if (to === given) break;
    }
    lap('run');
    for (let n = 1; n <= count; n++) {
      progress({ phase: 'generate', done: n - 1, total: count });
      const id = generation!.next(state.last!.data as Float32Array), ends = generation!.ends(id);
      ids[0].push(id);
      await piece(runtimes, given + n, ends || n === count);
      if (ends) { stopped = 'end'; break; }
    }
    if (count) { progress({ phase: 'generate', done: ids[0].length - given, total: count }); lap('generate'); }
  };
  const ready = (): void => { lap('session'); progress({ phase: 'run' }); };
  await withRuntime(first.skeleton, model, { ready, alone: !next }, async runtime => {
    const other = next ? await Runtime.create(later.skeleton, later.model) : runtime, runtimes = [runtime, other] as const;
    try { await all(runtimes); } finally { if (other !== runtime) await other.release(); }
  });
  unchanged();
  const length = ids[0].length, captures: SiteCapture[] = [], halves = length > Math.min(given, rowsAtOnce) && run.cache.some(({ past: { type } }) => type === dataType.float16 || type === dataType.bfloat16);
  for (const [n, site] of sites.entries()) {
    progress({ phase: 'write', done: n, total: sites.length });
    captures.push(site.write(part, side, { stored, length, halves }, masks.whole(keyOf(n), batch, length, side)));
  }
  stream.write(part, stored, length);
  const sha256 = await hash;
  unchanged();
  return { sites: captures, ids, stopped, sha256, ...(state.last ? { last: state.last } : {}) };
}

/** Of each sample the logits behind its last real token so far. */
function laterOf(before: FetchedTensor | undefined, now: FetchedTensor, fed: Inputs): FetchedTensor {
  const { real } = fed.sides[0], width = now.dims[1], data = now.data as Float32Array;
  if (before) real.forEach((row, b) => { if (!row.includes(1)) data.set((before.data as Float32Array).subarray(b * width, (b + 1) * width), b * width); });
  return now;
}
