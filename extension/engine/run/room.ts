/** Whether a trace fits: the type it is stored in, memory, disk. */
import { statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { dirname } from 'node:path';
import { UserError } from '../../contract/errors.ts';
import type { SitePlan } from '../sites/site-plan.ts';
import type { Inputs } from './inputs.ts';

export interface Tokens { readonly batch: number; readonly length: number }

/** float32 up to this many bytes of q, k and v, then float16. */
const mostFloat32 = 2 ** 30;

/** Batch and number of positions of the prompt; for models without tokens, of the largest input. */
export function requestedTokens(inputs: Inputs): Tokens {
  const longest = [...inputs.sides].sort((a, b) => b.ids[0].length - a.ids[0].length)[0];
  if (longest) return { batch: longest.ids.length, length: longest.ids[0].length };
  const first = Object.values(inputs.feeds)[0];
  return { batch: first?.dims[0] ?? 1, length: 256 };
}

/** Elements of q, k and v of all sites. */
export function storedElements(plans: readonly SitePlan[], { batch, length }: Tokens): number {
  return plans.reduce((sum, { site }) => {
    const heads = site.heads ?? 16, kv = site.kvHeads ?? heads, dim = site.headDim ?? 64, value = site.valueDim ?? dim;
    return sum + batch * length * (heads * dim + kv * dim + kv * value);
  }, 0);
}

export function chooseStored(asked: 'auto' | 'fp16' | 'fp32', plans: readonly SitePlan[], tokens: Tokens): 'F32' | 'F16' {
  if (asked !== 'auto') return asked === 'fp16' ? 'F16' : 'F32';
  return storedElements(plans, tokens) * 4 <= mostFloat32 ? 'F32' : 'F16';
}

/** Errors: `UserError` when the trace cannot fit into memory or on the disk. */
export function checkRoom(plans: readonly SitePlan[], tokens: Tokens, stored: 'F32' | 'F16', out: string, modelBytes: number): void {
  const bytes = storedElements(plans, tokens) * (stored === 'F16' ? 2 : 4);
  const heads = Math.max(...plans.map(plan => plan.site.heads ?? 16));
  // Scores, masked scores and probabilities of one layer are alive together.
  const memory = modelBytes + bytes + 3 * 4 * tokens.batch * heads * tokens.length ** 2;
  const free = process.availableMemory?.() ?? freemem();
  if (memory > free) throw new UserError(`Tracing ${tokens.batch} × ${tokens.length} tokens needs about ${gigabytes(memory)} of memory; ${gigabytes(free)} are free.`, 'Use a shorter prompt or a smaller batch.');
  let disk: number;
  try { const { bavail, bsize } = statfsSync(dirname(out)); disk = bavail * bsize; } catch { return; }
  if (bytes + 2 ** 20 > disk) throw new UserError(`The trace needs about ${gigabytes(bytes)} on the disk of ${dirname(out)}; ${gigabytes(disk)} are free.`, 'Free some space, write it to another disk, or store it as fp16.');
}

function gigabytes(bytes: number): string { return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`; }
