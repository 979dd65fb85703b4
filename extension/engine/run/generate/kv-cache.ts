/** The key-value cache of a decoder: which inputs take what which outputs gave, by the names that exporters give them. */
import type { Model, ValueInfo } from '../../onnx/model.ts';
import { openInputs } from '../../onnx/picture-input.ts';
import { isPast } from '../inputs/input-names.ts';

/** `past` takes in the next run what `present` gave in this one. */
export interface CachePair { readonly past: ValueInfo; readonly present: string }

/** Every past input with its output, in the order of the graph, by their usual names (`gives`: the graph whose outputs are looked at, where the first run is another's); undefined where there are none, or one has no output that would fill it. */
export function cacheOf(model: Model, gives: Model = model): readonly CachePair[] | undefined {
  const pasts = openInputs(model).filter(input => isPast(model, input.name) && input.dims !== undefined && input.dims.length >= 3), outputs = new Map(gives.graph.outputs.map(output => [gives.usual(output.name), output.name]));
  if (!pasts.length) return undefined;
  const pairs = pasts.flatMap(past => { const present = spellings(model.usual(past.name)).map(name => outputs.get(name)).find(name => name !== undefined); return present === undefined ? [] : [{ past, present }]; });
  return pairs.length === pasts.length ? pairs : undefined;
}

/** optimum, transformers.js and onnxruntime-genai say `present.0.key`; older scripts `present_0`, `present_key_values.0.key`, `present_key_0`, `new_key_cache_0`. */
function spellings(past: string): readonly string[] {
  return [past.replace(/^past_key_values/, 'present'), past.replace(/^(decoder_)?past/, '$1present'), past.replace(/^past_key_values/, 'present_key_values'), `new_${past}`, `present_${past}`, `${past}_out`].filter(name => name !== past);
}
