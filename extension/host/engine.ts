/** The engine as the host holds it: which Node it runs on, its log, and one event for when its open traces are lost. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { AnalysisApi, Hello, Progress, TraceRequest } from '../contract/api.ts';
import type { RunFacts } from '../contract/estimate.ts';
import type { Client } from '../contract/rpc.ts';
import type { SitesReport } from '../contract/site.ts';
import type { Manifest } from '../contract/trace.ts';
import { Engine } from '../children/engine.ts';
import { createLosses } from './losses.ts';
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
  /** Who the processes are that run now; starts none. */
  hellos(): Promise<readonly Hello[]>;
  /** Path of the Node.js that they run on. */
  readonly node: string;
  /** Analysis is gone: ids of open traces mean nothing any more. `reason`, a sentence: it died again at once and is not started by itself; undefined: the next call finds a new one. */
  readonly onDidLoseTraces: vscode.Event<{ readonly reason: string | undefined }>;
  dispose(): Promise<void>;
}

export function createEngine(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): HostEngine {
  const lost = new vscode.EventEmitter<{ readonly reason: string | undefined }>(), losses = createLosses();
  const dist = join(context.extensionPath, 'dist');
  let node = '';
  const make = (): Engine => {
    node = engineNode(dist);
    log.info(`The engine runs on ${node}.`);
    return new Engine({
      scripts: { runner: join(dist, 'runner.js'), analysis: join(dist, 'analysis.js') },
      node,
      env: { ATTNSCOPE_DEVICE: setting('attnscope.device') },
      onLog: (role, line) => log.info(`[${role}] ${line}`),
      onGone: (role, reason) => {
        log.error(reason);
        if (role === 'analysis') lost.fire({ reason: losses.again(Date.now()) ? reason : undefined });
      },
    });
  };
  let engine = make();
  return {
    trace: (request, options) => engine.trace(request, options),
    sites: model => engine.sites(model),
    weigh: (request, signal) => engine.weigh(request, { signal }),
    analysis: () => engine.analysis(),
    restart: async () => {
      const old = engine;
      engine = make();
      losses.forget();
      await old.dispose();
      lost.fire({ reason: undefined });
    },
    hellos: () => engine.hellos(),
    get node() { return node; },
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
