/** How long a plan takes on the device: the median of many runs over rotating inputs, by timestamp queries where there are any. */
import type { OnDevice, Gpu } from './gpu.ts';
import { GPU_BUFFER } from './gpu.ts';
import type { Plan } from './plan.ts';

export interface Timing { /** Median of `rounds`, all passes together. */ readonly ms: number; readonly rounds: number; /** Device clock, or the host's around submission and completion. */ readonly by: 'timestamps' | 'clock' }

/** `inputs`: sets of buffers that take turns, so that no cache keeps one of them warm. */
export async function timePlan(gpu: Gpu, plan: Plan, inputs: readonly OnDevice[], { rounds = 20, warmUp = 3 }: { readonly rounds?: number; readonly warmUp?: number } = {}): Promise<Timing> {
  const made = await gpu.allocate(plan), prepared = await Promise.all(inputs.map(given => gpu.prepare(plan, new Map([...given, ...made])))), { device } = gpu;
  const count = 2 * plan.passes.length, queries = gpu.timestamps ? device.createQuerySet({ type: 'timestamp', count }) : undefined;
  const resolved = device.createBuffer({ size: count * 8, usage: GPU_BUFFER.queryResolve | GPU_BUFFER.copySrc }), times: number[] = [];
  try {
    for (let n = 0; n < warmUp + rounds; n++) {
      const encoder = device.createCommandEncoder();
      for (const name of plan.zero ?? []) encoder.clearBuffer(made.get(name)!);
      prepared[n % prepared.length].passes.forEach((pass, p) => pass.encode(encoder, queries && { querySet: queries, beginningOfPassWriteIndex: 2 * p, endOfPassWriteIndex: 2 * p + 1 }));
      if (queries) encoder.resolveQuerySet(queries, 0, count, resolved, 0);
      const commands = encoder.finish(), start = performance.now();
      device.queue.submit([commands]);
      await device.queue.onSubmittedWorkDone();
      const clock = performance.now() - start;
      gpu.alive();
      if (n < warmUp) continue;
      if (!queries) { times.push(clock); continue; }
      const stamps = new BigInt64Array(await gpu.read(resolved, count * 8));
      let sum = 0;
      for (let p = 0; p < plan.passes.length; p++) sum += Number(stamps[2 * p + 1] - stamps[2 * p]);
      times.push(sum / 1e6);
    }
  } finally {
    for (const one of prepared) one.done();
    for (const buffer of made.values()) gpu.pool.give(buffer);
    queries?.destroy();
    resolved.destroy();
  }
  times.sort((a, b) => a - b);
  return { ms: times[times.length >> 1], rounds, by: queries ? 'timestamps' : 'clock' };
}
