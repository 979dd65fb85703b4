/** What `attnscope sites` prints of a path: one graph, encoder and decoder, or the parts of a vision-language model. */
import type { SitesReport } from '../../contract/site.ts';
import { reportSites } from './parts.ts';
import { openVisionLanguage, reportVisionLanguage } from './vision-language.ts';

export async function reportModel(path: string): Promise<SitesReport> {
  const several = await openVisionLanguage(path);
  return several ? reportVisionLanguage(several) : reportSites(path);
}
