/** The graphs that a model path stands for: one, or the encoder and the decoder of a folder, each with its sites under the names of the whole. */
import { UserError } from '../../contract/errors.ts';
import type { Site, SitesReport } from '../../contract/site.ts';
import { fileOf, readFolder } from '../folder/folder.ts';
import type { Model } from '../onnx/model.ts';
import { inlineModel } from '../onnx/inline.ts';
import { openModel } from '../onnx/open.ts';
import { recogniseInlined, sitesReport, type Assumed, type Recognised } from './recognise.ts';
import type { SitePlan } from './site-plan.ts';

export interface Part { readonly model: Model; readonly found: Recognised }
export interface EncoderDecoder { readonly encoder: Part; readonly decoder: Part; /** The decoder for steps with a cache, where the folder has one: the path of its file, or the other branch of a merged decoder. */ readonly withPast?: string | Model }

/** What the decoder of a pair reads of its encoder. */
export const encoderStates = ['encoder_hidden_states', 'encoder_outputs', 'encoder_output'];

/** Encoder and decoder of a folder (or of the decoder file in one) whose decoder reads what the encoder gives; undefined for everything else. Errors: those of `openModel`. */
export async function openPair(path: string): Promise<EncoderDecoder | undefined> {
  const folder = readFolder(path), { chosen } = folder;
  if (chosen?.role !== 'decoder' && chosen?.role !== 'decoder-merged') return undefined;
  const file = fileOf(folder, 'encoder', chosen);
  if (!file) return undefined;
  const whole = await openModel(chosen.path);
  if (!statesInput(whole)) return undefined;
  const found = recogniseInlined(whole), encoding = recogniseInlined(await openModel(file.path)), past = folder.files.find(one => one.role === 'decoder-with-past' && one.variant === chosen.variant)?.path ?? otherBranch(whole, found);
  const heads = alignmentHeads(folder.json('generation_config.json'));
  return {
    encoder: { model: encoding.model, found: inStackOf(encoding, 'encoder') },
    decoder: { model: found.model, found: withAlignment(inStackOf(found, 'decoder'), heads) }, ...(past === undefined ? {} : { withPast: past }),
  };
}

/** The graph of `whole` behind a cache, where it has branches and `first` is the one without. */
export function otherBranch(whole: Model, { assumed }: Pick<Assumed, 'assumed'>): Model | undefined {
  const branch = Object.keys(assumed).find(name => whole.usual(name) === 'use_cache_branch');
  return branch !== undefined && assumed[branch] === false ? inlineModel(whole, { ...assumed, [branch]: true }) : undefined;
}

/** The decoder's input that takes the encoder's states. */
export function statesInput(decoder: Model): string | undefined { return decoder.graph.inputs.find(input => encoderStates.includes(input.name))?.name; }

/** What `attnscope sites` prints: of a folder with encoder and decoder, or of the decoder in one, the sites of both, as a trace has them. */
export async function reportSites(path: string): Promise<SitesReport> {
  const pair = await openPair(path);
  if (!pair) return sitesReport(await openModel(path));
  const { encoder, decoder } = pair, report = sitesReport(decoder.model), own = (part: Part): readonly Site[] => part.found.plans.map(plan => plan.site);
  const sites = [...own(encoder), ...own(decoder)], inputs = encoder.model.graph.inputs.filter(input => !encoder.model.graph.initializers.has(input.name)).map(input => input.name);
  const { looked: _, ...rest } = report;
  return { ...rest, inputs: [...new Set([...inputs, ...report.inputs])], sites, refused: [...encoder.found.refused, ...decoder.found.refused], ...(sites.length ? {} : { looked: `${encoder.found.looked} ${decoder.found.looked}` }) };
}

/** Plans under another stack's name: `blocks.0.attn` of a lone encoder is `encoder.blocks.0.attn` beside its decoder. */
export function inStack(plans: readonly SitePlan[], stack: string): readonly SitePlan[] {
  return plans.map(plan => ({ ...plan, site: { ...plan.site, stack, name: `${stack === 'main' ? '' : `${stack}.`}${plan.site.name.replace(/^[a-z]+\.(?=blocks\.)/, '')}` } }));
}
function inStackOf(found: Recognised, stack: string): Recognised { return { ...found, plans: inStack(found.plans, stack) }; }

const mostHeads = 10_000;

/** `alignment_heads` of a speech model's generation_config.json: [layer, head] pairs. Errors: `UserError` where it is something else. */
function alignmentHeads(config: Record<string, unknown> | undefined): ReadonlyMap<number, readonly number[]> {
  const pairs = config?.['alignment_heads'], heads = new Map<number, number[]>();
  if (pairs === undefined || pairs === null) return heads;
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!Array.isArray(pairs) || pairs.length > mostHeads || !pairs.every(pair => Array.isArray(pair) && pair.length === 2 && pair.every(whole))) {
    throw new UserError('generation_config.json holds a wrong value for alignment_heads: pairs of layer and head are expected.', 'Correct it, or take it away.');
  }
  for (const [layer, head] of pairs as [number, number][]) heads.set(layer, [...new Set([...heads.get(layer) ?? [], head])].sort((a, b) => a - b));
  return heads;
}

function withAlignment(found: Recognised, heads: ReadonlyMap<number, readonly number[]>): Recognised {
  return { ...found, plans: found.plans.map(plan => {
    const own = plan.site.kind === 'cross' ? heads.get(plan.site.layer)?.filter(head => plan.site.heads === null || head < plan.site.heads) : undefined;
    return own?.length ? { ...plan, site: { ...plan.site, alignmentHeads: own } } : plan;
  }) };
}
