/** What computes in this process: the GPU where there is a real one and nothing speaks against it, else the CPU; nothing is lost on the way from one to the other. */
import { Cancelled, UserError } from '../../../contract/errors.ts';
import { Gpu, GpuLost } from './gpu.ts';

/** `auto` takes a GPU, but not a processor that plays one: the CPU path is quicker than that. */
export type Wanted = 'auto' | 'webgpu' | 'cpu';

export function wantedDevice(text: string | undefined): Wanted { return text === 'webgpu' || text === 'cpu' ? text : 'auto'; }

export class Devices {
  readonly #shaders: string;
  readonly #wanted: Wanted;
  readonly #say: (sentence: string) => void;
  #gpu: Promise<Gpu | undefined> | undefined;
  #losses = 0;
  #off = false;
  #named = false;

  /** `shaders`: the folder of the WGSL files. `say` hears, in a sentence, which GPU it is, and why the CPU takes over. */
  constructor(shaders: string, wanted: Wanted, say: (sentence: string) => void) {
    this.#shaders = shaders;
    this.#wanted = wanted;
    this.#say = say;
  }

  /** Undefined: the CPU computes. */
  async gpu(): Promise<Gpu | undefined> {
    if (this.#wanted === 'cpu' || this.#off) return undefined;
    try {
      const gpu = await (this.#gpu ??= Gpu.open(this.#shaders));
      if (gpu && (this.#wanted === 'webgpu' || !gpu.software)) {
        if (!this.#named) this.#say(`Large maps are computed on ${gpu.name}.`);
        this.#named = true;
        return gpu;
      }
      if (this.#wanted === 'webgpu') this.#turnOff('WebGPU finds no adapter: there is no GPU, or its driver is missing.');
    } catch (error) { this.#turnOff(`WebGPU cannot be used here: ${error instanceof Error ? error.message : String(error)}`); }
    return undefined;
  }

  /**
   * `onGpu` where that is possible, else `onCpu`. A device that is lost is opened again and asked again, once in the life of this process; what it has
   * no room for, and what goes wrong on it otherwise, the CPU does. Throws what `onCpu` throws, and Cancelled.
   */
  async run<T>(onGpu: (gpu: Gpu) => Promise<T>, onCpu: () => Promise<T>): Promise<T> {
    for (;;) {
      const gpu = await this.gpu();
      if (!gpu) return onCpu();
      try { return await onGpu(gpu); } catch (error) {
        if (error instanceof Cancelled) throw error;
        if (error instanceof GpuLost) {
          this.#gpu = undefined;
          if (++this.#losses > 1) this.#turnOff(error.message); else this.#say(`${error.message} It is opened once more.`);
          continue;
        }
        if (error instanceof UserError) this.#say(`${error.message} The CPU does it.`); else this.#turnOff(error instanceof Error ? error.message : String(error));
        return onCpu();
      }
    }
  }

  #turnOff(why: string): void {
    if (!this.#off) this.#say(`${why} The CPU computes from now on.`);
    this.#off = true;
  }
}
