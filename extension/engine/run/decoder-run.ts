/** Runs a lone decoder that is gone through in pieces or goes on by itself, whichever way its graph allows. */
import type { Generated, TraceInput } from '../../contract/trace.ts';
import { generateAgain } from './generate-again.ts';
import { withGenerated } from './generation.ts';
import type { Prepared } from './prepare-run.ts';
import { runStages, type Staged, type Staging } from './stages.ts';
import { runStitched } from './stitched-run.ts';

export interface Decoded { readonly staged: Staged; readonly input: TraceInput; readonly generated?: Generated }

/** Errors: `UserError` of inputs and of onnxruntime. */
export async function runDecoder({ main, config, tokenizer, input: inputOf, decoder }: Prepared & { readonly decoder: NonNullable<Prepared['decoder']> }, staging: Staging): Promise<Decoded> {
  const { inputs, cache, next, generation, rowsAtOnce = Infinity } = decoder, given = inputs.sides[0].ids[0].length;
  const told = (how: Generated['how'], stopped: Generated['stopped']): { readonly generated?: Generated } => (generation ? { generated: { from: given, steps: generation.steps, how, stopped, ...(generation.sampling ? { sampling: generation.sampling } : {}) } } : {});
  const whole = (ids: readonly number[]): TraceInput => { const input = inputOf(new Map([[main.name, inputs]])); return generation ? withGenerated(input, ids, tokenizer) : input; };
  if (cache) {
    const { sites, ids, stopped, sha256, last } = await runStitched({ stage: main, inputs, config, cache, rowsAtOnce, ...(next ? { next } : {}), ...(generation ? { generation } : {}) }, staging);
    const staged: Staged = { sites, inputs: new Map([[main.name, inputs]]), sha256: new Map([[main.name, sha256]]), ...(last ? { last } : {}) };
    return { staged, input: whole(ids[0]), ...told('cache', stopped) };
  }
  const made = await generateAgain(main, inputs, config, generation!, staging), staged = await runStages([{ ...main, inputs: () => made.inputs }], staging);
  return { staged, input: whole(made.ids), ...told('again', made.stopped) };
}
