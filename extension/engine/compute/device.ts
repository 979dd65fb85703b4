/** What WGSL can run on here: opens the GPU as the kernels do, doubles a buffer and reads it back. */
import { Gpu } from './gpu/gpu.ts';

export interface Device { /** Name of the adapter; null when there is none. */ readonly webgpu: string | null; readonly why?: string }

let known: Promise<Device> | undefined;

/** `shaders`: the folder of the WGSL files. Asked once a process; loading Dawn takes a while and is put off until then. */
export function probeDevice(shaders: string): Promise<Device> {
  return known ??= probe(shaders).catch((error: unknown) => ({ webgpu: null, why: `WebGPU cannot be used here: ${error instanceof Error ? error.message : String(error)}` }));
}

async function probe(shaders: string): Promise<Device> {
  const gpu = await Gpu.open(shaders);
  if (!gpu) return { webgpu: null, why: 'WebGPU finds no adapter: there is no GPU, or its Vulkan driver is missing.' };
  try {
    const count = 1_000, values = await gpu.upload(Float32Array.from({ length: count }, (_, i) => i - 0.25));
    await gpu.submit({ buffers: {}, passes: [{ shader: 'probe/double.wgsl', reads: [], writes: ['values'], grid: [Math.ceil(count / 64)] }] }, new Map([['values', values]]));
    const got = new Float32Array(await gpu.read(values, count * 4)), wrong = got.findIndex((value, i) => value !== 2 * (i - 0.25));
    if (wrong >= 0) return { webgpu: null, why: `WebGPU computes wrongly here: element ${wrong} is ${got[wrong]} instead of ${2 * (wrong - 0.25)}.` };
    return { webgpu: gpu.name };
  } finally { gpu.close(); }
}
