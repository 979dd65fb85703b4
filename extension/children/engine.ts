/** The engine as its users see it: two child processes that start when needed, can be killed, and come back. */
import { rmSync, statSync } from 'node:fs';
import type { AnalysisApi, Captured, Hello, Progress, RunnerApi, TraceRequest } from '../contract/api.ts';
import { Cancelled, PeerGone } from '../contract/errors.ts';
import type { RunFacts } from '../contract/estimate.ts';
import { connect, type Api, type CallOptions, type Client } from '../contract/rpc.ts';
import type { SitesReport } from '../contract/site.ts';
import type { Manifest } from '../contract/trace.ts';
import { startChild, type Child } from './start-child.ts';

export interface EngineOptions {
  /** Absolute paths of the two bundles. */
  readonly scripts: Readonly<Record<Hello['role'], string>>;
  /** Node.js for the children; this process's own when empty. */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLog?: (role: Hello['role'], line: string) => void;
  /** A child is gone; not called for those that we end ourselves. */
  readonly onGone?: (role: Hello['role'], reason: string) => void;
}

interface Completed { readonly file: string; readonly manifest: Manifest }
interface Running<A extends Api<A>> { readonly child: Promise<Child>; readonly client: Promise<Client<A>>; ended?: string }

export class Engine {
  readonly #options: EngineOptions;
  #runner: Running<RunnerApi> | undefined;
  #analysis: Running<AnalysisApi> | undefined;
  #disposed = false;
  constructor(options: EngineOptions) { this.#options = options; }

  /** Recognises the sites of a model. Cancelling ends the runner. */
  sites(model: string, options: CallOptions = {}): Promise<SitesReport> { return this.#onRunner(client => client.sites({ model }), options.signal); }

  /** What a trace would take; the model is not run. Cancelling ends the runner. */
  weigh(request: TraceRequest, options: CallOptions = {}): Promise<RunFacts> { return this.#onRunner(client => client.weigh(request), options.signal); }

  /**
   * Runs the model once and writes the capture. A run cannot be interrupted, so cancelling ends the runner; the next call starts another.
   * Whatever ends it early, the files of the capture are removed.
   */
  async capture(request: TraceRequest, options: { readonly signal?: AbortSignal; readonly onProgress?: (progress: Progress) => void } = {}): Promise<Captured> {
    try {
      return await this.#onRunner(client => client.capture(request, { onProgress: value => options.onProgress?.(value as Progress) }), options.signal);
    } catch (error) {
      for (const suffix of ['part', 'side', 'capture']) rmSync(`${request.out}.${suffix}`, { force: true });
      throw error;
    }
  }

  /**
   * Runs the model, completes the trace and publishes it at `request.out`. Cancelling ends the run within a second and leaves no file.
   * When analysis dies over a finished capture, its successor completes it: a run is not lost to that. Errors: `UserError`, `Cancelled`, `PeerGone`.
   */
  async trace(request: TraceRequest, options: { readonly signal?: AbortSignal; readonly onProgress?: (progress: Progress) => void } = {}): Promise<Completed> {
    const { signal, onProgress } = options, before = writtenAt(request.out), captured = await this.capture(request, options);
    const complete = async (): Promise<Completed> => (await this.analysis()).complete(captured, { ...(signal ? { signal } : {}), onProgress: value => onProgress?.(value as Progress) });
    try {
      return await complete().catch(async (error: unknown) => {
        if (!(error instanceof PeerGone) || this.#disposed || signal?.aborted) throw error;
        return writtenAt(request.out) === before ? complete() : this.#published(request.out);
      });
    } catch (error) {
      // The analysis process that was completing it may be the one that died: its successor cleans up.
      if (!this.#disposed) await this.analysis().then(analysis => analysis.discard({ out: request.out })).catch((failure: unknown) => this.#options.onLog?.('analysis', String(failure)));
      throw signal?.aborted ? new Cancelled() : error;
    }
  }

  /** The trace at `out`, which an analysis process renamed into place and died before it could say so. */
  async #published(out: string): Promise<Completed> {
    const analysis = await this.analysis(), { trace, file, manifest } = await analysis.open({ file: out });
    await analysis.discard({ out });
    await analysis.close({ trace });
    return { file, manifest };
  }

  /** The process that owns traces; started when first asked for. Errors: `UserError`, `PeerGone`. */
  analysis(): Promise<Client<AnalysisApi>> { return (this.#analysis ??= this.#start<AnalysisApi>('analysis')).client; }

  /** Who the children are, as far as they run. */
  async hellos(): Promise<readonly Hello[]> {
    const children = await Promise.allSettled([this.#runner?.child, this.#analysis?.child]);
    return children.flatMap(child => child.status === 'fulfilled' && child.value ? [child.value.hello] : []);
  }

  /** Ends one child; it starts again when it is needed. */
  async restart(role: Hello['role']): Promise<void> { await this.#end(role, `The ${role} was restarted.`); }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await Promise.all([this.#end('runner', 'AttnScope was closed.'), this.#end('analysis', 'AttnScope was closed.')]);
  }

  async #onRunner<T>(call: (client: Client<RunnerApi>) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (signal?.aborted) throw new Cancelled();
    const running = this.#runner ??= this.#start<RunnerApi>('runner');
    let onAbort: (() => void) | undefined;
    const cancelled = new Promise<never>((_, reject) => {
      onAbort = () => { void this.#end('runner', 'The run was cancelled.', running).then(() => reject(new Cancelled())); };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    // A killed runner fails the call before `cancelled` does: the caller asked for it, so it is no failure.
    const answer = running.client.then(call).catch((error: unknown) => { throw signal?.aborted && error instanceof PeerGone ? new Cancelled() : error; });
    try { return await Promise.race([answer, cancelled]); } finally { if (onAbort) signal?.removeEventListener('abort', onAbort); }
  }

  #start<A extends Api<A>>(role: Hello['role']): Running<A> {
    const { scripts, node, env, onLog, onGone } = this.#options;
    const child = this.#disposed ? Promise.reject(new PeerGone('AttnScope was closed.'))
      : startChild({ role, script: scripts[role], node, env: { ...env, ...(role === 'runner' ? runnerEnv : {}) }, onLog: line => onLog?.(role, line) });
    const running: Running<A> = { child, client: child.then(started => connect<A>(started.port)) };
    const forget = (): void => {
      if (this.#runner === (running as unknown)) this.#runner = undefined;
      if (this.#analysis === (running as unknown)) this.#analysis = undefined;
    };
    child.then(started => started.closed, () => 'failed').then(reason => { forget(); if (running.ended === undefined && reason !== 'failed') onGone?.(role, reason); });
    running.client.catch(() => undefined);
    return running;
  }

  async #end(role: Hello['role'], reason: string, only?: Running<RunnerApi>): Promise<void> {
    const running = role === 'runner' ? this.#runner : this.#analysis;
    if (!running || (only && running !== only)) return;
    running.ended = reason;
    if (role === 'runner') this.#runner = undefined; else this.#analysis = undefined;
    const child = await running.child.catch(() => undefined);
    child?.kill(reason);
    await child?.closed;
  }
}

/** When a file was written, in ms; 0 when it is not there. */
function writtenAt(file: string): number { return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0; }

/** onnxruntime refuses operator sets newer than its own release unless told otherwise. */
const runnerEnv = { ALLOW_RELEASED_ONNX_OPSET_ONLY: '0' };
