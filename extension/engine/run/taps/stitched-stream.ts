/** The residual stream over several runs: rows of each block are put one behind the other. */
import { UserError } from '../../../contract/errors.ts';
import type { PartWriter } from '../../trace/part-writer.ts';
import type { FetchedTensor } from '../session/runtime.ts';
import type { Taps } from './taps.ts';

export class StitchedStream {
  /** By the name that it has in a trace; each [batch, rows, width]. */
  readonly #parts = new Map<string, FetchedTensor[]>();

  /** What one run of a piece gave. */
  add(resid: Taps['resid'], take: (output: string) => FetchedTensor): void {
    for (const { name, output } of resid) { const parts = this.#parts.get(name) ?? []; parts.push(take(output)); this.#parts.set(name, parts); }
  }

  /** Errors: `UserError` where not every run showed all `length` positions: another graph goes on behind the cache. */
  write(part: PartWriter, stored: 'F32' | 'F16', length: number): void {
    for (const [name, parts] of this.#parts) {
      const [batch, , width] = parts[0].dims, total = parts.reduce((sum, { dims }) => sum + dims[1], 0);
      if (total !== length) throw new UserError(`The residual stream ${name} was found for ${total} of ${length} positions.`, 'Leave resid out of --keep.');
      part.append(name, stored, [batch, total, width], Array.from({ length: batch }, (_, b) => parts.map(({ dims, data }) => (data as Float32Array).subarray(b * dims[1] * width, (b + 1) * dims[1] * width))).flat());
    }
  }
}
