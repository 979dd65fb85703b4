/** What a list of traces needs to say of each: manifest only, file after file, without keeping the process from other calls. */
import type { TraceSummary } from '../../contract/api.ts';
import { Cancelled, UserError } from '../../contract/errors.ts';
import { openTrace } from '../trace/open.ts';

const promptLength = 400;

/** In the order of `files`; a file that is no trace gets a sentence. */
export async function summarise(files: readonly string[], signal?: AbortSignal): Promise<(TraceSummary | { readonly file: string; readonly problem: string })[]> {
  const summaries = [];
  for (const file of files) {
    if (signal?.aborted) throw new Cancelled();
    summaries.push(summaryOf(file));
    await new Promise(resolve => setImmediate(resolve));
  }
  return summaries;
}

function summaryOf(file: string): TraceSummary | { readonly file: string; readonly problem: string } {
  let trace;
  try { trace = openTrace(file); } catch (error) {
    if (error instanceof UserError) return { file, problem: error.sentence };
    throw error;
  }
  try {
    const { manifest, bytes } = trace, { input } = manifest, parities = Object.values(manifest.parity), compared = parities.flatMap(({ maxAbs }) => (maxAbs === null ? [] : [maxAbs]));
    return {
      file, bytes, created: manifest.created, model: manifest.model, prompt: (input.text ?? input.tokens[0]?.slice(0, promptLength).join('') ?? '').slice(0, promptLength),
      batch: input.ids.length, tokens: input.ids[0]?.length ?? 0, sites: manifest.sites.length, ...(manifest.kept ? { kept: manifest.kept } : {}),
      stored: parities.some(({ dtype }) => dtype === 'F16') ? 'F16' : 'F32',
      parity: { worst: compared.length ? compared.reduce((a, b) => Math.max(a, b)) : null, failed: parities.filter(({ ok }) => ok === false).length },
    };
  } finally { trace.close(); }
}
