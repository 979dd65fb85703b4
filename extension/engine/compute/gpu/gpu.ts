/** The one place that talks to the GPU: uploads, runs plans, reads back, and counts the memory that it holds. */
import { Cancelled, UserError } from '../../../contract/errors.ts';
import { openAdapter, type Opened, type Toggles } from './adapter.ts';
import { BufferPool } from './buffer-pool.ts';
import { Pipelines } from './pipelines.ts';
import type { Limits, Pass, Plan } from './plan.ts';
import { shaderText, uniformBytes } from './shader-text.ts';

/** Tensors on the device, by the names that plans use. */
export type OnDevice = ReadonlyMap<string, GPUBuffer>;
type Data = Float32Array | Uint32Array | Int32Array | Uint16Array;

/** The device went away in the middle (a driver that was restarted, a GPU that was unplugged); what was running is to be run anew, once. */
export class GpuLost extends Error { constructor(why: string) { super(`The GPU was lost: ${why || 'the driver gave no reason'}.`); this.name = 'GpuLost'; } }

export class Gpu {
  readonly name: string;
  readonly software: boolean;
  readonly limits: Limits;
  readonly toggles: readonly string[];
  readonly timestamps: boolean;
  readonly device: GPUDevice;
  readonly pool: BufferPool;
  readonly #pipelines: Pipelines;
  readonly #shaders: string;
  #lost: string | undefined;

  private constructor(opened: Opened, shaders: string) {
    this.device = opened.device;
    this.name = opened.name;
    this.software = opened.software;
    this.limits = opened.limits;
    this.toggles = opened.toggles;
    this.timestamps = opened.timestamps;
    this.#shaders = shaders;
    this.pool = new BufferPool(opened.device, opened.limits);
    this.#pipelines = new Pipelines(opened.device);
    void opened.device.lost.then(({ reason, message }) => { if (reason !== 'destroyed') this.#lost = message; else this.#lost ??= 'it was closed'; });
  }

  /** Undefined when there is no adapter. `shaders`: the folder of the WGSL files. */
  static async open(shaders: string, toggles: Toggles = {}): Promise<Gpu | undefined> {
    const opened = await openAdapter(toggles);
    return opened && new Gpu(opened, shaders);
  }

  get lost(): string | undefined { return this.#lost; }
  close(): void { this.device.destroy(); }

  /** A copy of `data` on the device; to be given back to `pool`. */
  async upload(data: Data): Promise<GPUBuffer> {
    const buffer = await this.pool.take(Math.max(16, Math.ceil(data.byteLength / 4) * 4));
    const whole = data.byteLength % 4 ? new Uint16Array(data.length + 1) : data;
    if (whole !== data) whole.set(data);
    if (whole.byteLength) this.device.queue.writeBuffer(buffer, 0, whole.buffer as ArrayBuffer, whole.byteOffset, whole.byteLength);
    return buffer;
  }

  /**
   * Runs a plan over `given` and what it makes itself; resolves with copies of the buffers named in `wanted` (their first `elements` of four bytes).
   * Throws UserError where the device cannot (with the numbers), GpuLost, Cancelled.
   */
  async run<Name extends string>(plan: Plan, given: OnDevice, wanted: readonly Name[], signal?: AbortSignal): Promise<Readonly<Record<Name, ArrayBuffer>>> {
    const made = await this.allocate(plan);
    try {
      await this.submit(plan, new Map([...given, ...made]), signal);
      const entries: [Name, ArrayBuffer][] = [];
      for (const name of wanted) {
        const buffer = made.get(name) ?? given.get(name);
        if (!buffer) throw new Error(`The plan has no buffer ${name}.`);
        entries.push([name, await this.read(buffer, plan.buffers[name] * 4)]);
      }
      return Object.fromEntries(entries) as Record<Name, ArrayBuffer>;
    } finally { for (const buffer of made.values()) this.pool.give(buffer); }
  }

  /** The buffers that a plan writes. */
  async allocate(plan: Plan): Promise<Map<string, GPUBuffer>> {
    const made = new Map<string, GPUBuffer>();
    try {
      for (const [name, elements] of Object.entries(plan.buffers)) made.set(name, await this.pool.take(Math.max(16, elements * 4)));
    } catch (error) { for (const buffer of made.values()) this.pool.give(buffer); throw error; }
    return made;
  }

  /** Queues a plan whose buffers are all there, once, and waits for it. */
  async submit(plan: Plan, buffers: OnDevice, signal?: AbortSignal): Promise<void> {
    const prepared = await this.prepare(plan, buffers);
    try {
      if (signal?.aborted) throw new Cancelled();
      this.alive();
      this.device.pushErrorScope('validation');
      const encoder = this.device.createCommandEncoder();
      for (const name of plan.zero ?? []) encoder.clearBuffer(buffers.get(name)!);
      for (const one of prepared.passes) one.encode(encoder);
      this.device.queue.submit([encoder.finish()]);
      const refused = await this.device.popErrorScope();
      if (refused) throw new Error(`WebGPU refuses a plan: ${refused.message}`);
      await this.device.queue.onSubmittedWorkDone();
      this.alive();
      if (signal?.aborted) throw new Cancelled();
    } finally { prepared.done(); }
  }

  /** Pipelines, uniforms and bindings of a plan, ready to be encoded any number of times. */
  async prepare(plan: Plan, buffers: OnDevice): Promise<{ readonly passes: readonly Prepared[]; done(): void }> {
    this.alive();
    const uniforms: GPUBuffer[] = [], passes: Prepared[] = [];
    for (const pass of plan.passes) {
      const shader = shaderText(this.#shaders, pass.shader);
      this.#check(pass);
      const pipeline = await this.#pipelines.get(pass.shader, shader, pass.entry ?? 'main', pass.constants ?? {});
      const bound = [...pass.reads, ...pass.writes].map(name => {
        const buffer = buffers.get(name);
        if (!buffer) throw new Error(`${pass.shader}: there is no buffer ${name}.`);
        return buffer;
      });
      shader.uniforms.forEach((fields, n) => {
        const bytes = uniformBytes(fields, pass.uniforms?.[n] ?? {}, pass.shader);
        const buffer = this.device.createBuffer({ size: bytes.byteLength, usage: GPU_BUFFER.uniform | GPU_BUFFER.copyDst });
        this.device.queue.writeBuffer(buffer, 0, bytes);
        uniforms.push(buffer);
        bound.push(buffer);
      });
      const group = this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: bound.map((buffer, binding) => ({ binding, resource: { buffer } })) });
      const [x, y = 1, z = 1] = pass.grid;
      passes.push({
        encode: (encoder, timestampWrites) => {
          const compute = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
          compute.setPipeline(pipeline);
          compute.setBindGroup(0, group);
          compute.dispatchWorkgroups(x, y, z);
          compute.end();
        },
      });
    }
    return { passes, done: () => { for (const buffer of uniforms) buffer.destroy(); } };
  }

  /** The first `bytes` of a buffer. */
  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    this.alive();
    const size = Math.max(4, bytes), back = this.device.createBuffer({ size, usage: GPU_BUFFER.mapRead | GPU_BUFFER.copyDst });
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, back, 0, size);
      this.device.queue.submit([encoder.finish()]);
      await back.mapAsync(1);
      return back.getMappedRange().slice(0, bytes);
    } catch (error) {
      this.alive();
      throw error;
    } finally { back.destroy(); }
  }

  alive(): void { if (this.#lost !== undefined) throw new GpuLost(this.#lost); }

  #check({ shader, grid }: Pass): void {
    const most = Math.max(...grid.map(n => n ?? 1));
    if (most > this.limits.groupsPerDimension) throw new UserError(`${shader} needs a grid of ${most.toLocaleString('en')} workgroups; ${this.name} allows ${this.limits.groupsPerDimension.toLocaleString('en')}.`, 'Use fewer tokens, or the CPU.');
  }
}

export interface Prepared { encode(encoder: GPUCommandEncoder, timestampWrites?: GPUComputePassTimestampWrites): void }

/** GPUBufferUsage, which Node does not have as a global. */
export const GPU_BUFFER = { mapRead: 1, copySrc: 4, copyDst: 8, uniform: 64, storage: 128, queryResolve: 512 } as const;
