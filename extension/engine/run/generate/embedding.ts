/** The graph that makes embeddings of tokens, kept open while a decoder that reads them goes on. */
import { writeSkeleton } from '../../onnx/writer.ts';
import type { Model } from '../../onnx/model.ts';
import { feedOf, feedType, numbersOfFeed, type Feed } from '../inputs/feeds.ts';
import { idInput } from '../inputs/input-names.ts';
import { Runtime } from '../session/runtime.ts';
import type { GivenTensor } from '../inputs/tensor-file.ts';

export interface Embedding { embed(ids: readonly (readonly number[])[]): Promise<GivenTensor>; release(): Promise<void> }

/** Opened when it is first needed. Errors of `embed`: `UserError` with onnxruntime's reason. */
export function openEmbedding(model: Model, output: string): Embedding {
  const input = idInput(model)!;
  let runtime: Promise<Runtime> | undefined;
  return {
    embed: async ids => {
      runtime ??= Runtime.create(writeSkeleton(model), model);
      const fetched = await (await runtime).run({ [input.name]: feedOf(feedType(input.name, input.type), ids.flat(), [ids.length, ids[0].length]) }, model, { only: [output] }), made = fetched.take(output);
      return { shape: made.dims, values: numbersOfFeed(made as Feed) };
    },
    release: async () => { await (await runtime)?.release(); },
  };
}
