/** A decoder without a cache goes on: it is run over all tokens for every new one, and then traced over all of them at once. */
import type { Generated } from '../../contract/trace.ts';
import { writeSkeleton } from '../onnx/writer.ts';
import { numbersOfFeed } from './feeds.ts';
import type { Generation } from './generation.ts';
import { fillInputs, idInput, type Inputs } from './inputs.ts';
import type { ModelConfig } from './model-config.ts';
import { ownFeeds } from './own-feeds.ts';
import { Runtime } from './runtime.ts';
import type { Stage, Staging } from './stages.ts';
import { pictured } from './stitched-run.ts';
import { planTaps } from './taps.ts';

/** The inputs of the whole, generated tokens included. Errors: `UserError` of inputs and of onnxruntime. */
export async function generateAgain({ model, view, logits }: Stage, inputs: Inputs, config: ModelConfig, generation: Generation, { progress, lap, stored }: Staging): Promise<{ readonly inputs: Inputs; readonly ids: readonly number[]; readonly stopped: Generated['stopped'] }> {
  const taps = planTaps(model, view, [], { stored, keepZ: false, logits: logits! }), ids = [...inputs.sides[0].ids[0]], input = idInput(model)!;
  const others = Object.entries(inputs.feeds).filter(([, feed]) => pictured(feed)).map(([name, feed]) => [name, { shape: feed.dims, values: numbersOfFeed(feed) }] as const);
  const filled = (): Inputs => fillInputs(model, { tensors: new Map([...others, [input.name, { shape: [1, ids.length], values: [...ids] }]]) }, config);
  progress({ phase: 'session' });
  const runtime = await Runtime.create(writeSkeleton(model, taps.edits), model);
  let stopped: Generated['stopped'] = 'length';
  try {
    for (let n = 0; n < generation.count; n++) {
      progress({ phase: 'generate', done: n, total: generation.count });
      const fed = filled(), fetched = await runtime.run({ ...fed.feeds, ...ownFeeds(taps, fed) }, model, { only: [taps.lastLogits!] });
      const id = generation.next(fetched.take(taps.lastLogits!).data as Float32Array);
      ids.push(id);
      if (generation.ends(id)) { stopped = 'end'; break; }
    }
  } finally { await runtime.release(); }
  lap('generate');
  return { inputs: filled(), ids, stopped };
}
