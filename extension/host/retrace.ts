/** attnscope.retraceOnChange: a model that is written anew is traced again by itself, with the prompt of its last trace. */
import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { LiveTraces } from './live-traces.ts';
import { setting } from './read-setting.ts';
import { createRetraceSchedule, modelStamp } from './retrace-schedule.ts';
import type { Session } from './session.ts';
import { watchedFiles } from './stale.ts';
import type { Status } from './status.ts';
import type { Tracing } from './tracing.ts';

export interface Retrace {
  /** Gives up what waits for its files, and what runs by itself. */
  cancel(): void;
  dispose(): void;
}

export function createRetrace(around: { readonly session: Session; readonly traces: LiveTraces; readonly tracing: Tracing; readonly status: Status; readonly log: vscode.LogOutputChannel }): Retrace {
  const { session, traces, tracing, status, log } = around;
  const enabled = (): boolean => vscode.workspace.isTrusted && setting('attnscope.retraceOnChange');
  /** Files of each model that was touched, as its last trace names them. */
  const dataFiles = new Map<string, readonly string[]>();
  const latest = (model: string): ReturnType<Session['latest']>[number] | undefined => session.latest().find(trace => trace.model === model);
  const schedule = createRetraceSchedule({
    stamp: model => modelStamp(model, dataFiles.get(model)),
    wanted: async model => enabled() && (await traces.all()).some(live => live.latest.model === model && live.stale !== undefined),
    idle: () => tracing.idle(),
    run: async (model, signal) => {
      const last = latest(model), before = await modelStamp(model, dataFiles.get(model));
      if (!last) return;
      log.info(`${model} was written anew: tracing it again.`);
      await tracing.trace({ model, prompt: last.prompt, kept: last.kept ?? {}, ...(last.source ? { source: last.source } : {}) }, {
        signal, instead: last.file,
        // A model that is still being written fails for a reason that is gone in a moment.
        forgives: async () => signal.aborted || await modelStamp(model, dataFiles.get(model)) !== before,
      });
    },
    waiting: models => status.show('waiting', models.length ? { text: `${models.map(model => basename(model)).join(', ')} changed: traced again when written`, model: models.map(model => basename(model)).join(', ') } : undefined),
  });
  const touched = async (path: string): Promise<void> => {
    if (!enabled()) return;
    for (const { latest: { model }, open } of await traces.all()) {
      const files = watchedFiles(open.manifest);
      if (!files.includes(path)) continue;
      dataFiles.set(model, files);
      schedule.touched(model);
    }
  };
  // Files are watched from the time on that their trace is looked at.
  const watch = (): void => { if (enabled()) void traces.all(); };
  watch();
  const subscriptions = [
    traces.onDidTouch(path => void touched(path)),
    session.onDidChange(watch),
    vscode.workspace.onDidGrantWorkspaceTrust(watch),
    vscode.workspace.onDidChangeConfiguration(change => {
      if (!change.affectsConfiguration('attnscope.retraceOnChange')) return;
      if (enabled()) watch(); else schedule.cancel();
    }),
  ];
  const cancel = (): void => schedule.cancel();
  return { cancel, dispose: () => { cancel(); for (const one of subscriptions) one.dispose(); } };
}
