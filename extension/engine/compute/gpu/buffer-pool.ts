/** Storage buffers that are used again; counts what the device holds for us. */
import { UserError } from '../../../contract/errors.ts';
import { GPU_BUFFER } from './gpu.ts';
import type { Limits } from './plan.ts';

/** Kept for the next plan; more than this is given back to the driver. */
const mostSpare = 256 * 2 ** 20;

export class BufferPool {
  readonly #device: GPUDevice;
  readonly #limits: Limits;
  readonly #spare = new Map<number, GPUBuffer[]>();
  #held = 0;
  #unused = 0;

  constructor(device: GPUDevice, limits: Limits) { this.#device = device; this.#limits = limits; }

  /** Bytes of all buffers, in use or spare. */
  get bytes(): number { return this.#held; }

  /** A buffer of at least `bytes`; what it holds is left over from others. Throws UserError with the numbers when it cannot be had. */
  async take(bytes: number): Promise<GPUBuffer> {
    if (bytes > this.#limits.bindingBytes) throw new OutOfMemory(bytes, `its driver allows ${megabytes(this.#limits.bindingBytes)} a buffer`);
    const size = Math.min(sizeClass(bytes), this.#limits.bindingBytes - this.#limits.bindingBytes % 4), spare = this.#spare.get(size)?.pop();
    if (spare) { this.#unused -= size; return spare; }
    this.#device.pushErrorScope('out-of-memory');
    const buffer = this.#device.createBuffer({ size, usage: GPU_BUFFER.storage | GPU_BUFFER.copySrc | GPU_BUFFER.copyDst });
    const refused = await this.#device.popErrorScope();
    if (refused) {
      buffer.destroy();
      if (this.#unused > 0) { this.clear(); return this.take(bytes); }
      throw new OutOfMemory(bytes, `${megabytes(this.#held)} are in use by AttnScope`);
    }
    this.#held += size;
    return buffer;
  }

  give(buffer: GPUBuffer): void {
    if (this.#unused + buffer.size > mostSpare) { this.#held -= buffer.size; buffer.destroy(); return; }
    const list = this.#spare.get(buffer.size) ?? [];
    list.push(buffer);
    this.#spare.set(buffer.size, list);
    this.#unused += buffer.size;
  }

  /** Gives the spare ones back. */
  clear(): void {
    for (const list of this.#spare.values()) for (const buffer of list) { this.#held -= buffer.size; buffer.destroy(); }
    this.#spare.clear();
    this.#unused = 0;
  }
}

/** The device has no room for a buffer: the work is to be split, or refused with these numbers. */
export class OutOfMemory extends UserError {
  constructor(bytes: number, why: string) { super(`The GPU has no room for a buffer of ${megabytes(bytes)}: ${why}.`, 'Use fewer tokens or layers, or the CPU.'); }
}

/** Steps of an eighth of the power of two below: at most an eighth is wasted. */
function sizeClass(bytes: number): number {
  const step = Math.max(256, 2 ** Math.floor(Math.log2(bytes)) / 8);
  return Math.ceil(bytes / step) * step;
}

function megabytes(bytes: number): string { return `${Math.ceil(bytes / 2 ** 20).toLocaleString('en')} MiB`; }
