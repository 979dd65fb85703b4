/** The graph of runs behind a cache, where it is not the one that reads the prompt: the other branch of a merged decoder, or a file of its own. */
import type { TraceRequest } from '../../../contract/api.ts';
import { fileOf, readFolder } from '../../folder/folder.ts';
import { viewGraph } from '../../onnx/graph-view.ts';
import type { Model } from '../../onnx/model.ts';
import { openModel } from '../../onnx/open.ts';
import { otherBranch } from '../../sites/parts.ts';
import { recognise, type Assumed } from '../../sites/recognise.ts';
import type { SitePlan } from '../../sites/site-plan.ts';
import { keptOf } from '../kept-layers.ts';
import { cacheOf, type CachePair } from './kv-cache.ts';
import { logitsOutput } from './next-tokens.ts';
import type { Stage } from '../stages.ts';

export interface CacheSteps { readonly next: Stage; readonly cache: readonly CachePair[] }

/** `first` reads the prompt: of `whole` in the branch without a cache, where it has branches. `named`: how the run names the sites. Undefined: `first` itself goes on, or nothing does. Errors: those of `openModel`. */
export async function stepsBehind(whole: Model, first: Pick<Assumed, 'model' | 'assumed'>, request: TraceRequest, named = (plans: readonly SitePlan[]): readonly SitePlan[] => plans): Promise<CacheSteps | undefined> {
  const branch = otherBranch(whole, first);
  return (branch && stepsOf(first.model, branch, request, named)) ?? await decoderWithPast(first.model, request, named);
}

type Named = (plans: readonly SitePlan[]) => readonly SitePlan[];

/** decoder_with_past_model.onnx beside decoder_model.onnx, where the one's outputs fill the other's past. */
async function decoderWithPast(model: Model, request: TraceRequest, named: Named): Promise<CacheSteps | undefined> {
  const folder = readFolder(model.path), file = folder.chosen?.role === 'decoder' ? fileOf(folder, 'decoder-with-past') : undefined;
  return file && stepsOf(model, await openModel(file.path), request, named);
}

function stepsOf(model: Model, other: Model, request: TraceRequest, named: Named): CacheSteps | undefined {
  const view = viewGraph(other), plans = named(recognise(other).plans), cache = cacheOf(other), outputs = new Set(model.graph.outputs.map(output => output.name)), logits = logitsOutput(other, view, plans);
  if (!cache?.every(({ present }) => outputs.has(present)) || logits === undefined) return undefined;
  return { cache, next: { name: 'next', model: other, view, plans: keptOf(plans, request.keep?.layers).plans, inputs: () => { throw new Error('Its inputs are those of a step.'); }, logits } };
}
