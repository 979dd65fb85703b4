/** What a trace will take, from its sites and its tokens; whether that fits into memory and on the disk; the type it is stored in. */
import { statSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { dirname } from 'node:path';
import { UserError } from '../../contract/errors.ts';
import { autoStored, estimate, liveMatrices, type Choice, type RunFacts, type SiteFacts } from '../../contract/estimate.ts';
import type { Model, Node } from '../onnx/model.ts';
import { elementCount } from '../onnx/tensors.ts';
import type { SitePlan } from '../sites/site-plan.ts';
import { headerSpaceFor } from '../trace/part-writer.ts';
import type { Inputs } from './inputs/inputs.ts';

export interface Tokens { readonly batch: number; readonly length: number; /** Keys of cross-attention, where they are not as many. */ readonly source?: number }

/** Batch and number of positions of the prompt; for models without tokens, of the largest input. */
export function requestedTokens(inputs: Inputs): Tokens {
  const longest = [...inputs.sides].sort((a, b) => b.ids[0].length - a.ids[0].length)[0];
  if (longest) return { batch: longest.ids.length, length: longest.ids[0].length };
  const first = Object.values(inputs.feeds)[0];
  return { batch: first?.dims[0] ?? 1, length: 256 };
}

interface Weighed {
  readonly model: Model;
  readonly plans: readonly SitePlan[];
  readonly tokens: Tokens;
  /** Width of the logits, where the model has any. */
  readonly vocabulary?: number;
  /** Length of the text, which the header repeats. */
  readonly textLength: number;
  /** Where the trace will lie. */
  readonly out: string;
}

export function factsOf({ model, plans, tokens, vocabulary, textLength, out }: Weighed): RunFacts {
  const { batch, length } = tokens, disk = diskOf(out);
  return {
    batch, tokens: length, sites: plans.map(plan => siteFacts(plan, tokens)), weightBytes: model.bytes + [...model.dataFiles.values()].reduce((sum, file) => sum + sizeOf(file), 0),
    weights: productWeights(model), logitsBytes: vocabulary === undefined ? 0 : 4 * batch * length * vocabulary,
    headerBytes: headerSpaceFor({ tensors: plans.length * 12, heads: plans.reduce((sum, plan) => sum + (plan.site.heads ?? 64), 0), batch, tokens: length, textLength, sites: plans.length }),
    freeBytes: process.availableMemory?.() ?? freemem(), ...(disk === undefined ? {} : { diskBytes: disk }),
  };
}

/** From so many bytes of scores and logits on, a prompt is run in pieces that stay below a quarter of it. */
const mostAtOnce = 2 ** 30;

/** Rows of a piece of a prompt that is too long to be run at once: then tokens × tokens exists nowhere. Undefined: it is run at once. */
export function rowsThatFit({ tokens, sites, logitsBytes }: RunFacts): number | undefined {
  const bytes = Math.max(0, ...sites.map(site => site.cells)) * 4 * liveMatrices + logitsBytes;
  return bytes <= mostAtOnce || tokens < 2 ? undefined : Math.max(16, Math.floor(tokens * mostAtOnce / 4 / bytes));
}

/** Facts of several graphs that run one after the other; both models count, although only one is open at a time. */
export function sumFacts([first, ...rest]: readonly RunFacts[]): RunFacts {
  return rest.reduce((all, one) => ({
    ...all, batch: Math.max(all.batch, one.batch), tokens: Math.max(all.tokens, one.tokens), sites: [...all.sites, ...one.sites], weightBytes: all.weightBytes + one.weightBytes,
    weights: all.weights + one.weights, logitsBytes: all.logitsBytes + one.logitsBytes, headerBytes: all.headerBytes + one.headerBytes,
  }), first);
}

function siteFacts({ site }: SitePlan, { batch, length, source = length }: Tokens): SiteFacts {
  const heads = site.heads ?? 16, kv = site.kvHeads ?? heads, dim = site.headDim ?? 64, value = site.valueDim ?? dim, keys = site.kind === 'cross' ? source : length;
  return {
    layer: site.layer, ...(site.block && site.weights?.q ? { resid: batch * length * site.weights.q.width } : {}), elements: batch * (length * heads * dim + keys * kv * (dim + value)),
    // lse, entropy, max, max_key a row; received a key; 32 × 32 pooled.
    statisticsBytes: 4 * batch * heads * (4 * length + keys + 32 * 32),
    cells: batch * heads * length * keys, products: batch * heads * length * keys * (dim + value),
  };
}

/** Weights of the model's matrix products, as far as they are constants of the graph (behind a transpose, a cast or a dequantization). */
function productWeights({ graph }: Model): number {
  const behind = new Map<string, string>();
  for (const { op, inputs, outputs } of graph.nodes) if (/^(Transpose|Cast|DequantizeLinear|Identity|Reshape)$/.test(op) && graph.initializers.has(inputs[0])) behind.set(outputs[0], inputs[0]);
  return graph.nodes.reduce((sum, node) => sum + weightsOf(node, name => graph.initializers.get(behind.get(name) ?? name)?.dims), 0);
}

function weightsOf(node: Node, dims: (name: string) => readonly number[] | undefined): number {
  if (/NBits$|Bnb4$/.test(node.op)) return (node.attributes.get('K')?.i ?? 0) * (node.attributes.get('N')?.i ?? 0);
  if (!/MatMul|^Gemm$|^FusedGemm$/.test(node.op)) return 0;
  return node.inputs.map(dims).reduce((sum, found) => sum + (found && found.length > 1 ? elementCount(found) : 0), 0);
}

export function chooseStored(asked: 'auto' | 'fp16' | 'fp32', facts: Pick<RunFacts, 'sites'>, layers?: readonly number[]): 'F32' | 'F16' {
  if (asked !== 'auto') return asked === 'fp16' ? 'F16' : 'F32';
  return autoStored(facts, layers);
}

/** Errors: `UserError` when the trace cannot fit into memory or on the disk. */
export function checkRoom(facts: RunFacts, choice: Choice, out: string): void {
  const { memoryBytes, fileBytes } = estimate(facts, choice), { batch, tokens, freeBytes, diskBytes } = facts;
  if (memoryBytes > freeBytes) throw new UserError(`Tracing ${batch} × ${tokens} tokens needs about ${gigabytes(memoryBytes)} of memory; ${gigabytes(freeBytes)} are free.`, 'Use a shorter prompt or a smaller batch.');
  if (diskBytes !== undefined && fileBytes + 2 ** 20 > diskBytes) throw new UserError(`The trace needs about ${gigabytes(fileBytes)} on the disk of ${dirname(out)}; ${gigabytes(diskBytes)} are free.`, 'Free some space, write it to another disk, keep fewer layers, or store it as fp16.');
}

function diskOf(out: string): number | undefined {
  try { const { bavail, bsize } = statfsSync(dirname(out)); return bavail * bsize; } catch { return undefined; }
}

function sizeOf(file: string): number {
  try { return statSync(file).size; } catch { return 0; }
}

function gigabytes(bytes: number): string { return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`; }
