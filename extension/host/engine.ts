/** The engine as the host holds it: which Node it runs on, its log, and one event for when its open traces are lost. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { AnalysisApi, Progress, TraceRequest } from '../contract/api.ts';
import { Cancelled } from '../contract/errors.ts';
import type { RunFacts } from '../contract/estimate.ts';
import type { Client } from '../contract/rpc.ts';
import type { SitesReport } from '../contract/site.ts';
import type { Manifest } from '../contract/trace.ts';
import { Engine } from '../children/engine.ts';
import { setting } from './read-setting.ts';

export interface HostEngine {
  /**
   * Runs the model, completes the trace and publishes it at `request.out`. Cancelling ends the run within a second and leaves no file.
   * Errors: `UserError`, `Cancelled`, `PeerGone`.
   */
  trace(request: TraceRequest, options: { readonly signal: AbortSignal; onProgress(progress: Progress): void }): Promise<{ readonly file: string; readonly manifest: Manifest }>;
  /** Recognises the sites of a model; runs nothing. Errors: `UserError`, `PeerGone`. */
  sites(model: string): Promise<SitesReport>;
  /** What `trace` would take; runs nothing of the model. Errors: as `trace`. */
  weigh(request: TraceRequest, signal: AbortSignal): Promise<RunFacts>;
  /** The process that owns traces; starts it when it does not run. */
  analysis(): Promise<Client<AnalysisApi>>;
  /** Ends both processes, reads the settings anew; they start when they are needed. */
  restart(): Promise<void>;
  /** Analysis is gone: ids of open traces mean nothing any more. `reason` is a sentence; undefined when it was restarted on purpose. */
  readonly onDidLoseTraces: vscode.Event<{ readonly reason: string | undefined }>;
  dispose(): Promise<void>;
}

export function createEngine(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): HostEngine {
  const lost = new vscode.EventEmitter<{ readonly reason: string | undefined }>();
  const dist = join(context.extensionPath, 'dist');
  const make = (): Engine => {
    const node = engineNode(dist);
    log.info(`The engine runs on ${node}.`);
    return new Engine({
      scripts: { runner: join(dist, 'runner.js'), analysis: join(dist, 'analysis.js') },
      node,
      onLog: (role, line) => log.info(`[${role}] ${line}`),
      onGone: (role, reason) => {
        log.error(reason);
        if (role === 'analysis') lost.fire({ reason });
      },
    });
  };
  let engine = make();
  return {
    trace: async (request, { signal, onProgress }) => {
      const using = engine;
      const captured = await using.capture(request, { signal, onProgress });
      try {
        return await (await using.analysis()).complete(captured, { signal, onProgress: progress => onProgress(progress as Progress) });
      } catch (error) {
        // The analysis process that was completing it may be the one that died: its successor cleans up.
        await using.analysis().then(analysis => analysis.discard({ out: request.out })).catch((failure: unknown) => log.warn(String(failure)));
        throw signal.aborted ? new Cancelled() : error;
      }
    },
    sites: model => engine.sites(model),
    weigh: (request, signal) => engine.weigh(request, { signal }),
    analysis: () => engine.analysis(),
    restart: async () => {
      const old = engine;
      engine = make();
      await old.dispose();
      lost.fire({ reason: undefined });
    },
    onDidLoseTraces: lost.event,
    dispose: async () => { lost.dispose(); await engine.dispose(); },
  };
}

/** The setting, else the Node.js inside the package, else the one that the extension host runs on. */
function engineNode(dist: string): string {
  const chosen = setting('attnscope.engine.node');
  if (chosen) return chosen;
  const own = process.platform === 'win32' ? join(dist, 'node', 'bin', 'node.exe') : join(dist, 'node', 'bin', 'node');
  return existsSync(own) ? own : process.execPath;
}
