/** Runs a model once with taps, and leaves a capture for analysis to complete. */
import { basename } from 'node:path';
import type { Captured, Progress, TraceRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { modelInfo } from '../onnx/open.ts';
import type { SitePlan } from '../sites/site-plan.ts';
import type { CaptureIndex } from '../trace/capture.ts';
import { PartWriter, captureFiles, discardCapture, writeIndex } from '../trace/part-writer.ts';
import { brokenLogit, nextTokens } from './generate/next-tokens.ts';
import { runDecoder } from './generate/decoder-run.ts';
import { prepareRun } from './prepare-run.ts';
import { chooseStored, checkRoom } from './room.ts';
import { collectGarbage, runtimeVersions } from './session/runtime.ts';
import { runStages } from './stages.ts';

export interface CaptureHooks {
  readonly progress: (progress: Progress) => void;
  /** For tests that alter what was recognised. */
  readonly alter?: (plans: readonly SitePlan[]) => readonly SitePlan[];
  /** For tests of long prompts' taps on short ones. */
  readonly sparing?: boolean;
  /** For tests of long prompts' pieces on short ones. */
  readonly rowsAtOnce?: number;
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

async function captureInto(request: TraceRequest, { progress, alter, sparing, rowsAtOnce }: CaptureHooks, writers: PartWriter[]): Promise<Captured> {
  const clock = stopwatch();
  progress({ phase: 'open' });
  const prepared = await prepareRun(request, alter, rowsAtOnce), { stages, main, kept, config, tokenizer, images = [], facts } = prepared;
  if (request.keep?.resid === true && !stages.some(stage => stage.plans.some(plan => plan.site.block))) throw new UserError(`The residual stream around the attention of ${basename(main.model.path)} was not found.`, 'Leave resid out of --keep.');
  const stored = chooseStored(request.dtype ?? 'auto', facts);
  checkRoom(facts, { stored, ...(request.keep?.pattern ? { pattern: true } : {}), ...(request.keep?.z ? { z: true } : {}), ...(request.keep?.resid ? { resid: true } : {}) }, request.out);
  const files = captureFiles(request.out);
  const headerSpace = facts.headerBytes;
  const part = PartWriter.create(files.part, headerSpace);
  writers.push(part);
  const side = PartWriter.create(files.side);
  writers.push(side);
  const staging = { stored, keepZ: request.keep?.z ?? false, keepResid: Boolean(request.keep?.resid), keepPattern: request.keep?.pattern ?? false, part, side, progress, lap: clock.lap, ...(sparing === undefined ? {} : { sparing }) }, { decoder } = prepared;
  const { staged, input, generated } = decoder ? await runDecoder({ ...prepared, decoder }, staging) : await runStages(stages, staging).then(whole => ({ staged: whole, input: prepared.input(whole.inputs), generated: undefined }));
  const { sites, last } = staged, broken = last && brokenLogit(last);
  const next = last && !broken ? nextTokens(last, id => tokenizer?.token(id) ?? `#${id}`) : [];
  for (const { image, png } of images) if (!Object.hasOwn(part.tensors, image.picture)) part.append(image.picture, 'U8', [png.length], png);
  part.close();
  side.close();
  clock.lap('capture');
  const index: CaptureIndex = {
    out: request.out, part: files.part, side: files.side, headerSpace, tensors: part.tensors, sideTensors: side.tensors, sites,
    model: { ...modelInfo(main.model), path: main.model.path, sha256: staged.sha256.get(main.name)! }, input: { ...input, ...(images.length ? { images: images.map(one => one.image) } : {}) }, next, ...(generated ? { generated } : {}), ...(broken ? { logits: broken } : {}), ...(config.softcap ? { expected: { softcap: config.softcap } } : {}), filledInputs: Object.assign({}, ...[...staged.inputs.values()].map(({ filled }) => filled)) as Record<string, string>, device: 'cpu', runtime: runtimeVersions(), timesMs: clock.laps, keepPattern: request.keep?.pattern ?? false, ...(kept ? { kept } : {}),
  };
  writeIndex(index);
  return { out: request.out, part: files.part };
}

function stopwatch(): { lap(name: string): void; readonly laps: Record<string, number> } {
  const laps: Record<string, number> = {};
  let last = performance.now();
  return { laps, lap: name => { const now = performance.now(); laps[name] = Number(((laps[name] ?? 0) + now - last).toFixed(1)); last = now; } };
}
