/** The three graphs of a vision-language model's folder: vision encoder, token embedding, and the decoder that reads embeddings. */
import type { SitesReport } from '../../contract/site.ts';
import { fileOf, readFolder } from '../folder/folder.ts';
import type { Model } from '../onnx/model.ts';
import { openModel } from '../onnx/open.ts';
import { openInputs, pictureInput } from '../onnx/picture-input.ts';
import { inStack, type Part } from './parts.ts';
import { recogniseInlined, sitesReport, type Assumed } from './recognise.ts';

/** Sites of the vision part are of the stack `vision`, those of the decoder of the main stack. */
export interface VisionLanguage { readonly vision: Part; readonly embed: Model; readonly decoder: { readonly model: Model; readonly found: Assumed; /** As it lies in its file, branches and all. */ readonly whole: Model } }

/** Undefined for every other folder or file. Errors: those of `openModel`. */
export async function openVisionLanguage(path: string): Promise<VisionLanguage | undefined> {
  const folder = readFolder(path), { chosen } = folder;
  if (chosen?.role !== 'decoder' && chosen?.role !== 'decoder-merged' && chosen?.role !== 'model') return undefined;
  const vision = fileOf(folder, 'vision', chosen), embed = fileOf(folder, 'embed', chosen);
  if (!vision || !embed) return undefined;
  const decoder = await openModel(chosen.path);
  if (!openInputs(decoder).some(input => /embed/.test(decoder.usual(input.name)))) return undefined;
  const found = recogniseInlined(await openModel(vision.path)), reading = recogniseInlined(decoder);
  return { vision: { model: found.model, found: { ...found, plans: inStack(found.plans, 'vision') } }, embed: await openModel(embed.path), decoder: { model: reading.model, whole: decoder, found: { ...reading, plans: inStack(reading.plans, 'main') } } };
}

/** The decoder's report with the sites and inputs of all three. */
export function reportVisionLanguage({ vision, embed, decoder }: VisionLanguage): SitesReport {
  const { looked: _, ...report } = sitesReport(decoder.whole), sites = [...vision.found.plans, ...decoder.found.plans].map(plan => plan.site), picture = pictureInput(vision.model)?.name, made = /embed|position|mask|past|cache/;
  return {
    ...report, ...(picture === undefined ? {} : { picture }), inputs: [...new Set([...openInputs(vision.model), ...openInputs(embed), ...openInputs(decoder.model).filter(input => !made.test(input.name))].map(input => input.name))], sites,
    refused: [...vision.found.refused, ...decoder.found.refused], ...(sites.length ? {} : { looked: `${vision.found.looked} ${decoder.found.looked}` }),
  };
}
