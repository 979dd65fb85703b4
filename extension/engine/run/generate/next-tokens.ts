/** The most likely next tokens of each sample. */
import type { NextToken, NotFinite } from '../../../contract/trace.ts';
import { dataType, type GraphView, type Model } from '../../onnx/model.ts';
import type { SitePlan } from '../../sites/site-plan.ts';
import type { FetchedTensor } from '../session/runtime.ts';

type Logits = Pick<FetchedTensor, 'dims' | 'data'>;
const shown = 5;
const floats: readonly number[] = [dataType.float, dataType.float16, dataType.bfloat16, dataType.double];

/**
 * The output that holds logits [batch, position, vocabulary] of a model that says what comes next: one named so; otherwise the first
 * one of three axes whose last is as wide as the table of the token ids, in a graph with causal attention.
 */
export function logitsOutput(model: Model, view: GraphView, plans: readonly SitePlan[]): string | undefined {
  const causal = plans.some(plan => plan.site.kind === 'self' && (plan.site.mask.causal || plan.rule.causal));
  if (!causal) return undefined;
  const outputs = model.graph.outputs.filter(output => output.type === undefined || floats.includes(output.type));
  const widths = new Set([...model.graph.initializers.values()].filter(tensor => tensor.dims.length === 2).map(tensor => tensor.dims[0]));
  const shape = (name: string): readonly unknown[] | undefined => outputs.find(output => output.name === name)?.dims ?? view.dims(name);
  const fits = (name: string): boolean => { const dims = shape(name); return dims?.length === 3; };
  const named = outputs.find(output => /^(lm_)?logits$/.test(model.usual(output.name)) && fits(output.name));
  if (named) return named.name;
  return outputs.find(output => {
    const dims = view.dims(output.name) ?? output.dims;
    return fits(output.name) && typeof dims?.[2] === 'number' && widths.has(dims[2]) && !/hidden|embed/.test(output.name);
  })?.name;
}

/** The first logit that is no finite number (a masked one, −inf, is as it should be). `logits` [batch, vocabulary]. */
export function brokenLogit({ dims: [, width], data }: Logits): NotFinite | undefined {
  let first: Omit<NotFinite, 'count'> | undefined, count = 0;
  (data as Float32Array).forEach((value, n) => {
    if (value < Infinity) return;
    count++;
    first ??= { tensor: 'logits', index: [Math.floor(n / width), n % width], value: `${value}` as NotFinite['value'] };
  });
  return first && { ...first, count };
}

/** `logits` [batch, vocabulary], all right; five a sample, most likely first, softmax in float64. */
export function nextTokens(logits: Logits, name: (id: number) => string): NextToken[][] {
  const [batch, width] = logits.dims, data = logits.data as Float32Array;
  return Array.from({ length: batch }, (_, b) => {
    const row = data.subarray(b * width, (b + 1) * width), best: number[] = [];
    let most = -Infinity, sum = 0;
    for (const x of row) if (x > most) most = x;
    for (const x of row) sum += Math.exp(x - most);
    for (let id = 0; id < width; id++) {
      if (best.length === shown && !(row[id] > row[best[shown - 1]])) continue;
      const at = best.findIndex(other => row[id] > row[other]);
      best.splice(at < 0 ? best.length : at, 0, id);
      best.length = Math.min(best.length, shown);
    }
    // Every token is masked.
    if (!(sum > 0)) return [];
    return best.map(id => ({ id, token: name(id), probability: Number((Math.exp(row[id] - most) / sum).toPrecision(7)) }));
  });
}
