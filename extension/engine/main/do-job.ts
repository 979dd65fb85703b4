/** The thread's side of a job: does what `workerData` asks for, and says how it ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { toWire } from '../../contract/errors.ts';
import { completeCapture } from '../analysis/complete.ts';
import { diffTraces } from '../analysis/diff.ts';
import { exportMap } from '../analysis/export-map.ts';
import { exportPattern } from '../analysis/export-pattern.ts';
import { openTrace, type TraceFile } from '../trace/open.ts';
import type { Job, JobMessage } from './job.ts';

/** Never rejects: failures are messages. */
export async function doJob(): Promise<void> {
  const post = (message: JobMessage): void => parentPort!.postMessage(message);
  try { post({ ok: await done(workerData as Job, value => post({ progress: value })) }); } catch (error) { post({ err: toWire(error) }); }
}

async function done(job: Job, progress: (value: unknown) => void): Promise<unknown> {
  switch (job.kind) {
    case 'complete': return completeCapture(job.captured, { progress });
    case 'diff': return withTrace(job.a, a => withTrace(job.b, b => diffTraces(a, b, { allRows: job.allRows, tolerance: job.tolerance, progress })));
    case 'pattern': return withTrace(job.request.file, trace => exportPattern(trace, job.request));
    case 'map': return withTrace(job.file, trace => exportMap(trace, { ...job.head, out: job.out }));
  }
}

async function withTrace<T>(file: string, work: (trace: TraceFile) => Promise<T>): Promise<T> {
  const trace = openTrace(file);
  try { return await work(trace); } finally { trace.close(); }
}
