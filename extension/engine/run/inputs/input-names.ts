/** What the inputs of a graph are, by the names that exporters give them or that genai_config.json says. */
import { dataType, type Model, type ValueInfo } from '../../onnx/model.ts';
import { openInputs } from '../../onnx/picture-input.ts';
import { feedType } from './feeds.ts';

/** Usual names of inputs that hold past keys and values. */
const pastName = /^(past_key_values|past|decoder_past|past_key|past_value|cache_k|cache_v|key_cache|value_cache)(\.|_|$)/;

const idNames = ['input_ids', 'input', 'tokens', 'token_ids', 'ids', 'idx'];
export const decoderIdNames: readonly string[] = ['decoder_input_ids'];

/** Whether `name` is an input that holds past keys or values. */
export function isPast(model: Pick<Model, 'usual'>, name: string): boolean { return pastName.test(model.usual(name)); }

/** The input that is usually called `usual`. */
export function inputCalled(model: Model, usual: string): ValueInfo | undefined { return openInputs(model).find(input => model.usual(input.name) === usual); }

/** The input that takes token ids, if there is one. */
export function idInput(model: Model, names: readonly string[] = idNames): ValueInfo | undefined {
  const inputs = openInputs(model);
  return names.map(name => inputs.find(input => model.usual(input.name) === name && /^int/.test(feedType(name, input.type)))).find(Boolean);
}

/** The input that takes embeddings [batch, tokens, width] in the place of ids: of language models that read images as well. */
export function embedsInput(model: Model): ValueInfo | undefined {
  return idInput(model) ? undefined : inputCalled(model, 'inputs_embeds') ?? openInputs(model).find(input => /embed/.test(input.name) && floats.includes(input.type ?? dataType.float));
}
const floats: readonly number[] = [dataType.float, dataType.float16, dataType.double];
