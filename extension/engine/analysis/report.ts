/** What `attnscope show` prints of a trace. */
import type { Manifest, ShowReport } from '../../contract/trace.ts';

export function showReport(manifest: Manifest): ShowReport {
  return {
    formatVersion: manifest.formatVersion, model: manifest.model, input: manifest.input, next: manifest.next,
    sites: manifest.sites.map(({ name }) => ({ name, parity: manifest.parity[name], heads: manifest.heads[name] ?? [] })),
    verdicts: manifest.verdicts,
  };
}
