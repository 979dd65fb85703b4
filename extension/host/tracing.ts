/** One trace from the click to the open editor: what to run, progress with a cancel, what went wrong, and what is remembered. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { Progress, Prompt, TraceRequest } from '../contract/api.ts';
import { Cancelled, UserError } from '../contract/errors.ts';
import type { RunFacts } from '../contract/estimate.ts';
import { roleOf } from '../contract/model-role.ts';
import { withoutRuntime } from '../contract/platform.ts';
import type { SitesReport } from '../contract/site.ts';
import { askMedia } from './ask-media.ts';
import { askModel, askPrompt } from './asking.ts';
import type { HostEngine } from './engine.ts';
import { showFailure } from './failures.ts';
import { askWhenLarge, largeTraceBytes } from './large-run.ts';
import { hasTokenizer, mostModelBytes, unusedTraceFile } from './model-files.ts';
import { progressText, seconds } from './progress-text.ts';
import { promptTitle, readPrompt } from './prompts.ts';
import { setting } from './read-setting.ts';
import type { OpenTraces } from './open-traces.ts';
import { mightBeLarge } from './run-choices.ts';
import type { Kept, Session, SourceRef } from './session.ts';
import { closeTrace, showTrace, showTraceInstead } from './show-trace.ts';
import type { Status } from './status.ts';
import { traceFolder } from './traces/trace-folder.ts';

export interface TraceArguments {
  /** Absolute path of an .onnx file; asked for when not remembered. */
  readonly model?: string;
  /** As typed, or as it was; asked for when not remembered. */
  readonly prompt?: string | Prompt;
  /** The class whose lens was clicked. */
  readonly source?: SourceRef;
  /** Asks although something is remembered. */
  readonly ask?: boolean;
  /** What to keep; chosen before, or asked for when the run is large. */
  readonly kept?: Kept;
}

/** A trace that nobody clicked for: the status item alone shows its progress, and no editor comes to the front. */
export interface Unasked {
  readonly signal: AbortSignal;
  /** The trace that this one supersedes: it is shown in that one's place, if that is looked at. */
  readonly instead: string;
  /** Whether a failure is of no interest any more. */
  forgives(): Promise<boolean>;
}

export interface Tracing {
  /** Traces and opens what came out. Failures are shown, not thrown. Returns the trace's path; undefined when there is none. */
  trace(args: TraceArguments, unasked?: Unasked): Promise<string | undefined>;
  /** Ends the running trace. */
  cancel(): void;
  /** Resolves when nothing is being traced. */
  idle(): Promise<void>;
  dispose(): void;
}

/** Models of the workspace to choose among, and what is done with a new trace besides opening it. */
export interface Around { readonly found: () => Promise<readonly string[]>; readonly made: (file: string) => void; readonly openTraces: OpenTraces }

export function createTracing(context: vscode.ExtensionContext, engine: HostEngine, session: Session, status: Status, log: vscode.LogOutputChannel, around: Around): Tracing {
  let running: { readonly model: string; readonly cancel: AbortController; readonly ended: Promise<void> } | undefined;

  const refuseSecond = (): void => { if (running) throw new UserError(`AttnScope is already tracing ${basename(running.model)}.`, 'Wait for it, or cancel it in its notification or in the status bar.'); };
  /** Takes the place of what runs, for one model at a time; `end` gives it back. */
  const begin = (model: string): { readonly cancel: AbortController; end(): void } => {
    // Another one may have been started while this one was asking.
    refuseSecond();
    const cancel = new AbortController();
    let ended: () => void = () => undefined;
    running = { model, cancel, ended: new Promise(resolve => { ended = resolve; }) };
    return { cancel, end: () => { running = undefined; status.show('trace', undefined); ended(); } };
  };
  const run = async (model: string, prompt: Prompt, kept: Kept, unasked: Unasked | undefined): Promise<string> => {
    const out = unusedTraceFile(await traceFolder(context), model, new Date()), started = Date.now(), { cancel, end } = begin(model);
    let phase: Progress | undefined, shown: Promise<void> | undefined;
    const work = async (report: (text: string) => void): Promise<string> => {
      const tell = (): void => {
        const text = progressText(phase, Date.now() - started);
        report(text);
        status.show('trace', { text: `${basename(model)}: ${text}`, model: basename(model) });
        around.openTraces.say(out, text);
      };
      tell();
      const ticking = setInterval(tell, 200);
      try {
        const traced = engine.trace(requestFor(model, prompt, out, kept), { signal: cancel.signal, onProgress: now => { phase = now; begun(); tell(); } });
        // The editor of the new trace opens when the model starts to run, after most refusals: it is ready when the trace is, and does not come to the front later, while a person types elsewhere.
        const begun = (): void => {
          if (shown || unasked || phase?.phase !== 'run') return;
          around.openTraces.expect(out, traced);
          shown = showTrace(out);
        };
        const { file, manifest } = await traced;
        await (shown ?? (unasked ? undefined : showTrace(out)));
        log.info(`Traced ${model} on ${promptTitle(prompt)} in ${seconds(Date.now() - started)}: ${file}`);
        status.ranOn({ device: manifest.device, versions: manifest.runtime });
        return file;
      } finally { clearInterval(ticking); }
    };
    try {
      if (unasked) {
        const stop = (): void => cancel.abort();
        unasked.signal.addEventListener('abort', stop, { once: true });
        if (unasked.signal.aborted) stop();
        return await work(() => undefined);
      }
      return await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: `Tracing ${basename(model)}`, cancellable: true }, (progress, token) => {
        token.onCancellationRequested(() => cancel.abort());
        return work(message => progress.report({ message }));
      });
    } catch (error) {
      await shown?.then(() => closeTrace(out));
      throw error;
    } finally { end(); }
  };

  /** Weighs the run where it might be large, and asks where it is. */
  const chooseKept = async (model: string, prompt: Prompt): Promise<Kept | undefined> => {
    if (!mightBeLarge(await mostModelBytes(model), prompt, largeTraceBytes())) return {};
    const out = unusedTraceFile(await traceFolder(context), model, new Date()), { cancel, end } = begin(model);
    let facts: RunFacts;
    try {
      facts = await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: `Estimating the run of ${basename(model)}`, cancellable: true }, (_, token) => {
        token.onCancellationRequested(() => cancel.abort());
        return engine.weigh(requestFor(model, prompt, out, {}), cancel.signal);
      });
    } finally { end(); }
    return askWhenLarge(model, facts, storedType());
  };

  return {
    trace: async (args, unasked) => {
      try {
        if (!await trusted()) return undefined;
        const refused = setting('attnscope.engine.node') ? undefined : withoutRuntime('Models cannot be run', process.platform, process.arch);
        if (refused) throw refused;
        refuseSecond();
        const near = args.source ? vscode.Uri.parse(args.source.uri).fsPath : vscode.window.activeTextEditor?.document.uri.fsPath;
        const chosen = session.chosen(args.source);
        const remembered = chosen.model !== undefined && existsSync(chosen.model) ? chosen.model : undefined;
        const model = args.model ?? (args.ask ? undefined : remembered) ?? await askModel(near, { always: args.ask ?? false, current: remembered, chosen: models => session.chosenAmong(models), found: around.found });
        if (model === undefined) return undefined;
        const prompt = await promptFor(model, args, chosen.prompt, { session, engine });
        if (prompt === undefined) return undefined;
        const kept = args.kept ?? (args.ask ? undefined : keptBefore(session, model, prompt)) ?? await chooseKept(model, prompt);
        if (kept === undefined) return undefined;
        let file: string;
        try { file = await run(model, prompt, kept, unasked); } catch (error) {
          // What the engine refused is asked for anew the next time; what was cancelled, or lost with a process, is not.
          if (!(error instanceof UserError)) session.choose(args.source, { model, prompt });
          throw error;
        }
        session.choose(args.source, { model, prompt });
        session.record({ model, file, prompt, createdMs: Date.now(), source: args.source, ...(kept.layers || kept.dtype ? { kept } : {}) });
        if (unasked) await showTraceInstead(file, unasked.instead);
        around.made(file);
        return file;
      } catch (error) {
        if (error instanceof Cancelled) log.info('The trace was cancelled.');
        else if (await unasked?.forgives()) log.info(`Not traced again yet: ${error instanceof Error ? error.message : String(error)}`);
        else void showFailure(error, log);
        return undefined;
      }
    },
    cancel: () => running?.cancel.abort(),
    idle: async () => { while (running) await running.ended; },
    dispose: () => running?.cancel.abort(),
  };
}

function storedType(): 'auto' | 'fp32' | 'fp16' { return setting('attnscope.storedType') as 'auto' | 'fp32' | 'fp16'; }

function requestFor(model: string, prompt: Prompt, out: string, { layers, dtype }: Kept): TraceRequest {
  const generate = prompt.kind === 'text' || prompt.kind === 'ids' ? prompt.generate : undefined, keep = { ...(layers ? { layers } : {}), ...(setting('attnscope.keepPatterns') ? { pattern: true } : {}), ...(setting('attnscope.keepResidualStream') ? { resid: 'found' as const } : {}) };
  return { model, prompt, out, dtype: dtype ?? storedType(), ...(Object.keys(keep).length ? { keep } : {}), ...(generate ? { generate } : {}) };
}

/** What was chosen for the same run before: it is not asked for twice. */
function keptBefore(session: Session, model: string, prompt: Prompt): Kept | undefined {
  const before = session.latest().find(one => one.model === model && JSON.stringify(one.prompt) === JSON.stringify(prompt));
  return before && (before.kept ?? {});
}

/** Given, else remembered if it fits the model, else asked for: a text or ids, an image where the model looks at one, or both. */
async function promptFor(model: string, args: TraceArguments, remembered: Prompt | undefined, { session, engine }: { readonly session: Session; readonly engine: HostEngine }): Promise<Prompt | undefined> {
  if (typeof args.prompt === 'object') return args.prompt;
  if (await hears(engine, model)) {
    if (remembered?.kind === 'audio' && existsSync(remembered.file) && !args.ask) return remembered;
    const file = await askMedia('sound', model, remembered?.kind === 'audio' ? remembered.file : undefined);
    return file === undefined ? undefined : { kind: 'audio', file };
  }
  const tokenizer = hasTokenizer(model), known = session.latest().find(one => one.model === model)?.prompt, before = imageOf(known) ?? imageOf(remembered);
  const fits = remembered && remembered.kind !== 'audio' && (remembered.kind !== 'text' || tokenizer) && (imageOf(remembered) === undefined || existsSync(imageOf(remembered)!));
  // What ran before on this very model needs no look at it.
  if (args.prompt === undefined && fits && !args.ask && JSON.stringify(known) === JSON.stringify(remembered)) return remembered;
  const report = engine.sites(model).catch(() => undefined), takes = async (): Promise<{ readonly image: boolean; readonly text: boolean }> => {
    const { picture, inputs } = await report ?? { picture: undefined, inputs: [] };
    return { image: picture !== undefined, text: picture === undefined || inputs.some(name => name !== picture) };
  };
  const { image, text } = await takes();
  if (args.prompt === undefined && fits && !args.ask && (imageOf(remembered) !== undefined) === image && (remembered.kind !== 'image') === text) return remembered;
  let said: Prompt | undefined;
  if (text && args.prompt !== undefined) {
    const read = readPrompt(args.prompt, tokenizer);
    if ('problem' in read) throw new UserError(read.problem);
    said = read.prompt;
  } else if (text) {
    said = await askPrompt(model, session.prompts(), { pair: tokenizer ? takesPair(report) : Promise.resolve(false), goesOn: goesOn(report), tokens: setting('attnscope.generatedTokens') });
    if (said === undefined) return undefined;
  }
  if (!image) return said;
  const file = before !== undefined && existsSync(before) && !args.ask ? before : await askMedia('image', model, before);
  if (file === undefined) return undefined;
  return said === undefined ? { kind: 'image', image: file } : said.kind === 'audio' ? said : { ...said, image: file };
}

function imageOf(prompt: Prompt | undefined): string | undefined { return prompt?.image; }

/** Whether the model is a speech model in two files, which takes a sound. Only the decoder of such a pair is looked into. */
async function hears(engine: HostEngine, model: string): Promise<boolean> {
  const { role } = roleOf(model);
  return (role === 'decoder' || role === 'decoder-merged') && engine.sites(model).then(report => report.inputs.includes('input_features'), () => false);
}

/** Whether a prompt may be two texts: the model takes the segment of each token as an input, or it is a text encoder. */
async function takesPair(asked: Promise<SitesReport | undefined>): Promise<boolean> {
  const report = await asked;
  return report !== undefined && (report.inputs.some(name => name === 'token_type_ids' || name === 'segment_ids') || readsBothWays(report));
}

/** Whether the model may go on by itself: a decoder of one sequence, as far as its graph shows. */
async function goesOn(asked: Promise<SitesReport | undefined>): Promise<boolean> {
  const report = await asked, own = report?.sites.filter(site => site.kind === 'self' && site.stack === 'main') ?? [];
  return report !== undefined && report.inputs.includes('input_ids') && !report.sites.some(site => site.stack === 'decoder' || site.kind === 'cross') && own.length > 0 && own.every(site => site.mask.causal);
}

/** Tokens in, and no self-attention that hides what comes later. */
function readsBothWays({ inputs, sites }: SitesReport): boolean {
  const own = sites.filter(site => site.kind === 'self');
  return inputs.includes('input_ids') && own.length > 0 && own.every(site => !site.mask.causal);
}

/** Running somebody's model needs a trusted workspace; says so otherwise. */
async function trusted(): Promise<boolean> {
  if (vscode.workspace.isTrusted) return true;
  const manage = 'Manage Workspace Trust';
  void vscode.window.showWarningMessage('AttnScope runs no model of a workspace that is not trusted. Traces can still be opened.', manage)
    .then(answer => { if (answer === manage) void vscode.commands.executeCommand('workbench.trust.manage'); });
  return false;
}
