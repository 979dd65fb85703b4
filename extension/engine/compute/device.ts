/** What WGSL can run on here: asks Dawn for an adapter, doubles a buffer and reads it back. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Device { /** Name of the adapter; null when there is none. */ readonly webgpu: string | null; readonly why?: string }

let known: Promise<Device> | undefined;

/** `shaders`: the folder of the WGSL files. Asked once a process; loading Dawn takes a while and is put off until then. */
export function probeDevice(shaders: string): Promise<Device> {
  return known ??= probe(shaders).catch((error: unknown) => ({ webgpu: null, why: `WebGPU cannot be used here: ${error instanceof Error ? error.message : String(error)}` }));
}

async function probe(shaders: string): Promise<Device> {
  const { create, globals } = await import('webgpu');
  const usage = (globals as unknown as { GPUBufferUsage: Record<'STORAGE' | 'COPY_SRC' | 'COPY_DST' | 'MAP_READ', number>; GPUMapMode: Record<'READ', number> });
  const gpu = create([]), adapter = await gpu.requestAdapter();
  if (!adapter) return { webgpu: null, why: 'WebGPU finds no adapter: there is no GPU, or its Vulkan driver is missing.' };
  const device = await adapter.requestDevice();
  try {
    const count = 1_000, size = count * 4, { GPUBufferUsage: use, GPUMapMode: mode } = usage;
    const values = device.createBuffer({ size, usage: use.STORAGE | use.COPY_SRC | use.COPY_DST }), back = device.createBuffer({ size, usage: use.MAP_READ | use.COPY_DST });
    device.queue.writeBuffer(values, 0, Float32Array.from({ length: count }, (_, i) => i - 0.25));
    const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module: device.createShaderModule({ code: readFileSync(join(shaders, 'probe/double.wgsl'), 'utf8') }), entryPoint: 'main' } });
    const encoder = device.createCommandEncoder(), pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: values } }] }));
    pass.dispatchWorkgroups(Math.ceil(count / 64));
    pass.end();
    encoder.copyBufferToBuffer(values, 0, back, 0, size);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(mode.READ);
    const got = new Float32Array(back.getMappedRange().slice(0));
    back.unmap();
    const wrong = got.findIndex((value, i) => value !== 2 * (i - 0.25));
    if (wrong >= 0) return { webgpu: null, why: `WebGPU computes wrongly here: element ${wrong} is ${got[wrong]} instead of ${2 * (wrong - 0.25)}.` };
    const { vendor, architecture, description, device: model } = adapter.info;
    return { webgpu: [vendor, architecture, description || model].filter(Boolean).join(' ') || 'unnamed adapter' };
  } finally { device.destroy(); }
}
