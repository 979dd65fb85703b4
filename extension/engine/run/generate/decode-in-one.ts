/** Encoder and decoder in one graph: what the decoder says to a text, before the tapped run reads both. */
import type { Progress, TraceRequest } from '../../../contract/api.ts';
import type { Model } from '../../onnx/model.ts';
import { filledIds, filledPhrase, generate, openSteps, usualTokens } from './decode.ts';
import { readDecodingRules } from './decoding-rules.ts';
import { decoderIdNames, idInput } from '../inputs/input-names.ts';
import { fillInputs, type Given, type Inputs } from '../inputs/inputs.ts';
import { positionLimit } from '../inputs/limits.ts';
import type { ModelConfig } from '../inputs/model-config.ts';

interface InOne { readonly request: TraceRequest; readonly model: Model; readonly config: ModelConfig; readonly prompt: Given; /** Filled for one start token. */ readonly inputs: Inputs; readonly logits: string | undefined }

/** Makes the inputs with start tokens and generated ones; undefined where the decoder's tokens were given, and for graphs that have no decoder, no logits or no room for more than they were exported for. */
export function decoderTokens({ request, model, config, prompt, inputs, logits }: InOne): ((progress: (progress: Progress) => void) => Promise<Inputs>) | undefined {
  const decoder = idInput(model, decoderIdNames), source = inputs.sides.find(side => side.name === 'text');
  if (!decoder || !source || logits === undefined || inputs.filled[decoder.name] === undefined || typeof decoder.dims?.[1] === 'number' || source.ids.length !== 1) return undefined;
  const fill = (ids: readonly number[]): Inputs => fillInputs(model, { ...prompt, tensors: new Map([...prompt.tensors ?? [], [decoder.name, { shape: [1, ids.length], values: [...ids] }]]) }, config);
  return async progress => {
    const rules = readDecodingRules(model.path, undefined), steps = await openSteps({ model, logits, feeds: ids => fill(ids).feeds }, undefined), most = Math.min(rules.most ?? Infinity, positionLimit(model, config)?.positions ?? Infinity);
    try {
      const { ids, given } = await generate(steps, rules, request.generate ?? usualTokens, most, progress), made = fill(ids);
      return { ...made, filled: { ...made.filled, [filledIds]: filledPhrase(given, ids.length - given) } };
    } finally { await steps.release(); }
  };
}
