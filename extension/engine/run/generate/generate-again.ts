/** A decoder without a cache goes on: it is run over all tokens for every new one, and then traced over all of them at once. */
import type { Generated } from '../../../contract/trace.ts';
import { writeSkeleton } from '../../onnx/writer.ts';
import type { Generation } from './generation.ts';
import type { Inputs } from '../inputs/inputs.ts';
import { ownFeeds } from '../taps/own-feeds.ts';
import { pieceInputs, type Feeding } from '../inputs/piece-inputs.ts';
import { Runtime } from '../session/runtime.ts';
import type { Stage, Staging } from '../stages.ts';
import { planTaps } from '../taps/taps.ts';

/** The inputs of the whole, generated tokens included. Errors: `UserError` of inputs and of onnxruntime. */
export async function generateAgain({ model, view, logits }: Stage, feeding: Feeding, generation: Generation, { progress, lap, stored }: Staging): Promise<{ readonly inputs: Inputs; readonly ids: readonly number[]; readonly stopped: Generated['stopped'] }> {
  const taps = planTaps(model, view, [], { stored, keepZ: false, logits: logits! }), ids = [...feeding.inputs.sides[0].ids[0]];
  const filled = (): Promise<Inputs> => pieceInputs(feeding, model, [ids], { start: 0, to: ids.length });
  progress({ phase: 'session' });
  const runtime = await Runtime.create(writeSkeleton(model, taps.edits), model);
  let stopped: Generated['stopped'] = 'length';
  try {
    for (let n = 0; n < generation.count; n++) {
      progress({ phase: 'generate', done: n, total: generation.count });
      const fed = await filled(), fetched = await runtime.run({ ...fed.feeds, ...ownFeeds(taps, fed) }, model, { only: [taps.lastLogits!] });
      const id = generation.next(fetched.take(taps.lastLogits!).data as Float32Array);
      ids.push(id);
      if (generation.ends(id)) { stopped = 'end'; break; }
    }
  } finally { await runtime.release(); }
  lap('generate');
  return { inputs: await filled(), ids, stopped };
}
