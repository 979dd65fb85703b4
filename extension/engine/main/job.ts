/** Long synchronous work of the command line on a thread of its own, so that Ctrl-C is heard at once. */
import { Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import type { Captured, HeadRef } from '../../contract/api.ts';
import { Cancelled, fromWire, type WireError } from '../../contract/errors.ts';

export interface PatternJob { readonly file: string; readonly out: string; readonly sites: readonly string[]; readonly head?: number; readonly rows?: readonly [number, number | undefined]; readonly cols?: readonly [number, number | undefined]; readonly scores: boolean }

export type Job =
  | { readonly kind: 'complete'; readonly captured: Captured }
  | { readonly kind: 'pattern'; readonly request: PatternJob }
  | { readonly kind: 'diff'; readonly a: string; readonly b: string; readonly allRows: boolean; readonly tolerance: number }
  | { readonly kind: 'map'; readonly file: string; readonly head: Omit<HeadRef, 'trace'>; readonly out: string };

export type JobMessage = { readonly progress: unknown } | { readonly ok: unknown } | { readonly err: WireError };

/** Runs a job in a thread that starts from this same bundle. Errors: what the job throws; `Cancelled`. */
export async function runJob(job: Job, options: { readonly signal: AbortSignal; readonly onProgress?: (value: unknown) => void }): Promise<unknown> {
  if (options.signal.aborted) throw new Cancelled();
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: job });
  try {
    return await new Promise<unknown>((resolve, reject) => {
      options.signal.addEventListener('abort', () => reject(new Cancelled()), { once: true });
      worker.on('message', (message: JobMessage) => {
        if ('progress' in message) options.onProgress?.(message.progress);
        else if ('ok' in message) resolve(message.ok);
        else reject(fromWire(message.err));
      });
      worker.on('error', reject);
      worker.on('exit', code => reject(new Error(`The thread of ${job.kind} ended with code ${code}.`)));
    });
  } finally { await worker.terminate(); }
}
