/** Runs a decoder that is gone through in pieces or goes on by itself, whichever way its graph allows; what it reads of an image is run before. */
import type { Generated, TraceInput } from '../../../contract/trace.ts';
import { openEmbedding } from './embedding.ts';
import { generateAgain } from './generate-again.ts';
import { withGenerated } from './generation.ts';
import type { Prepared } from '../prepare-run.ts';
import { runStages, type Staged, type Staging } from '../stages.ts';
import { runStitched } from './stitched-run.ts';

export interface Decoded { readonly staged: Staged; readonly input: TraceInput; readonly generated?: Generated }

/** Errors: `UserError` of inputs and of onnxruntime. */
export async function runDecoder({ stages, main, config, tokenizer, input: inputOf, decoder }: Prepared & { readonly decoder: NonNullable<Prepared['decoder']> }, staging: Staging): Promise<Decoded> {
  const { cache, next, embed, generation, rowsAtOnce = Infinity } = decoder, before = await runStages(stages.filter(stage => stage !== main), staging), inputs = await main.inputs(before.earlier), given = inputs.sides[0].ids[0].length;
  const told = (how: Generated['how'], stopped: Generated['stopped']): { readonly generated?: Generated } => (generation ? { generated: { from: given, steps: generation.steps, how, stopped, ...(generation.sampling ? { sampling: generation.sampling } : {}) } } : {});
  const whole = (ids: readonly number[]): TraceInput => { const input = inputOf(new Map([...before.inputs, [main.name, inputs]])); return generation ? withGenerated(input, ids, tokenizer) : input; };
  const behind = ({ sites, last, sha256 }: Pick<Staged, 'sites' | 'last'> & { readonly sha256: string }): Staged => ({ ...before, sites: [...before.sites, ...sites], inputs: new Map([...before.inputs, [main.name, inputs]]), sha256: new Map([...before.sha256, [main.name, sha256]]), ...(last ? { last } : {}) });
  const embedding = embed && openEmbedding(embed.model, embed.output), feeding = { inputs, config, ...(embedding ? { embed: embedding.embed } : {}) };
  try {
    if (cache) {
      const { ids, stopped, ...made } = await runStitched({ stage: main, feeding, cache, rowsAtOnce, ...(next ? { next } : {}), ...(generation ? { generation } : {}) }, staging);
      return { staged: behind(made), input: whole(ids[0]), ...told('cache', stopped) };
    }
    const { inputs: all, ids, stopped } = await generateAgain(main, feeding, generation!, staging), made = await runStages([{ ...main, inputs: () => all }], staging);
    return { staged: behind({ ...made, sha256: made.sha256.get(main.name)! }), input: whole(ids), ...told('again', stopped) };
  } finally { await embedding?.release(); }
}
