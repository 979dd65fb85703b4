/** One trace from the click to the open editor: what to run, progress with a cancel, what went wrong, and what is remembered. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';
import type { Progress, Prompt } from '../contract/api.ts';
import { Cancelled, UserError } from '../contract/errors.ts';
import { askModel, askPrompt } from './asking.ts';
import type { HostEngine } from './engine.ts';
import { showFailure } from './failures.ts';
import { traceEditor } from './manifest/contributions.ts';
import { hasTokenizer, unusedTraceFile } from './model-files.ts';
import { progressText, seconds } from './progress-text.ts';
import { promptTitle, readPrompt } from './prompts.ts';
import { setting } from './read-setting.ts';
import type { Session, SourceRef } from './session.ts';
import { createStatus } from './status.ts';

export interface TraceArguments {
  /** Absolute path of an .onnx file; asked for when not remembered. */
  readonly model?: string;
  /** As typed, or as it was; asked for when not remembered. */
  readonly prompt?: string | Prompt;
  /** The class whose lens was clicked. */
  readonly source?: SourceRef;
  /** Asks although something is remembered. */
  readonly ask?: boolean;
}

export interface Tracing {
  /** Traces and opens what came out. Failures are shown, not thrown. Returns the trace's path; undefined when there is none. */
  trace(args: TraceArguments): Promise<string | undefined>;
  /** Ends the running trace. */
  cancel(): void;
  dispose(): void;
}

export function createTracing(context: vscode.ExtensionContext, engine: HostEngine, session: Session, log: vscode.LogOutputChannel): Tracing {
  let running: { readonly model: string; readonly cancel: AbortController } | undefined;
  const status = createStatus(() => running?.cancel.abort());

  const refuseSecond = (): void => { if (running) throw new UserError(`AttnScope is already tracing ${basename(running.model)}.`, 'Wait for it, or cancel it in its notification or in the status bar.'); };
  const run = async (model: string, prompt: Prompt): Promise<string> => {
    const out = unusedTraceFile(await traceFolder(context), model, new Date());
    // Another one may have been started while this one was asking.
    refuseSecond();
    const cancel = new AbortController();
    running = { model, cancel };
    const started = Date.now();
    let phase: Progress | undefined;
    try {
      return await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: `Tracing ${basename(model)}`, cancellable: true }, async (progress, token) => {
        token.onCancellationRequested(() => cancel.abort());
        const tell = (): void => {
          const text = progressText(phase, Date.now() - started);
          progress.report({ message: text });
          status.show({ text, model: basename(model) });
        };
        tell();
        const ticking = setInterval(tell, 200);
        try {
          const { file } = await engine.trace({ model, prompt, out, dtype: setting('attnscope.storedType') as 'auto' | 'fp32' | 'fp16' }, { signal: cancel.signal, onProgress: now => { phase = now; tell(); } });
          log.info(`Traced ${model} on ${promptTitle(prompt)} in ${seconds(Date.now() - started)}: ${file}`);
          return file;
        } finally { clearInterval(ticking); }
      });
    } finally {
      running = undefined;
      status.show(undefined);
    }
  };

  return {
    trace: async args => {
      try {
        if (!await trusted()) return undefined;
        refuseSecond();
        const near = args.source ? vscode.Uri.parse(args.source.uri).fsPath : vscode.window.activeTextEditor?.document.uri.fsPath;
        const chosen = session.chosen(args.source);
        const remembered = chosen.model !== undefined && existsSync(chosen.model) ? chosen.model : undefined;
        const model = args.model ?? (args.ask ? undefined : remembered) ?? await askModel(near, { always: args.ask ?? false, current: remembered });
        if (model === undefined) return undefined;
        const prompt = await promptFor(model, args, chosen.prompt, session);
        if (prompt === undefined) return undefined;
        let file: string;
        try { file = await run(model, prompt); } catch (error) {
          // What the engine refused is asked for anew the next time; what was cancelled, or lost with a process, is not.
          if (!(error instanceof UserError)) session.choose(args.source, { model, prompt });
          throw error;
        }
        session.choose(args.source, { model, prompt });
        session.record({ model, file, prompt, createdMs: Date.now(), source: args.source });
        await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), traceEditor, { preview: false });
        return file;
      } catch (error) {
        if (error instanceof Cancelled) log.info('The trace was cancelled.');
        else void showFailure(error, log);
        return undefined;
      }
    },
    cancel: () => running?.cancel.abort(),
    dispose: () => { running?.cancel.abort(); status.dispose(); },
  };
}

/** Given, else remembered if it fits the model, else asked for. */
async function promptFor(model: string, args: TraceArguments, remembered: Prompt | undefined, session: Session): Promise<Prompt | undefined> {
  if (typeof args.prompt === 'object') return args.prompt;
  const tokenizer = hasTokenizer(model);
  if (args.prompt !== undefined) {
    const read = readPrompt(args.prompt, tokenizer);
    if ('problem' in read) throw new UserError(read.problem);
    return read.prompt;
  }
  const fits = remembered && (remembered.kind !== 'text' || tokenizer);
  return fits && !args.ask ? remembered : askPrompt(model, session.prompts());
}

/** Running somebody's model needs a trusted workspace; says so otherwise. */
async function trusted(): Promise<boolean> {
  if (vscode.workspace.isTrusted) return true;
  const manage = 'Manage Workspace Trust';
  void vscode.window.showWarningMessage('AttnScope runs no model of a workspace that is not trusted. Traces can still be opened.', manage)
    .then(answer => { if (answer === manage) void vscode.commands.executeCommand('workbench.trust.manage'); });
  return false;
}

async function traceFolder(context: vscode.ExtensionContext): Promise<string> {
  const chosen = setting('attnscope.traceFolder');
  if (chosen && !isAbsolute(chosen)) throw new UserError(`The setting attnscope.traceFolder must be an absolute path; found "${chosen}".`, 'Correct it, or leave it empty.');
  const folder = chosen || join((context.storageUri ?? context.globalStorageUri).fsPath, 'traces');
  try { await mkdir(folder, { recursive: true }); } catch (error) { throw new UserError(`The folder for traces cannot be made: ${(error as Error).message}.`, 'Check the setting attnscope.traceFolder.'); }
  return folder;
}
