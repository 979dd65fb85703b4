/** The session of the last trace, kept for a while: the next prompt for the same model then starts at once, in memory that is warm. */
import { createHash } from 'node:crypto';
import type { Model } from '../../onnx/model.ts';
import { fileStamp } from './file-hash.ts';
import { Runtime } from './runtime.ts';

/** On Windows a file cannot be written while a session maps it, and people export again and again. */
const keptMs = process.platform === 'win32' ? 0 : 30_000;
let kept: { readonly key: string; readonly runtime: Runtime; readonly timer: NodeJS.Timeout } | undefined;

/** Runs `work` with a session over `skeleton`; it is kept when that succeeds and it runs `alone`. Errors: those of `Runtime.create` and of `work`. */
export async function withRuntime<T>(skeleton: Uint8Array, model: Model, { ready, alone }: { readonly ready: () => void; readonly alone: boolean }, work: (runtime: Runtime) => Promise<T>): Promise<T> {
  const key = `${fileStamp(model)} ${createHash('sha256').update(skeleton).digest('hex')}`, last = kept;
  kept = undefined;
  clearTimeout(last?.timer);
  if (last && last.key !== key) await last.runtime.release();
  const runtime = last?.key === key ? last.runtime : await Runtime.create(skeleton, model);
  ready();
  let result: T;
  try { result = await work(runtime); } catch (error) { await runtime.release(); throw error; }
  if (keptMs && alone) kept = { key, runtime, timer: setTimeout(() => { kept = undefined; void runtime.release(); }, keptMs).unref() };
  else await runtime.release();
  return result;
}
