/** Which tokens the queries and the keys of a site are: a sequence-to-sequence model has two sequences. */
import type { Site } from './site.ts';
import type { TokenSequence, TraceInput } from './trace.ts';

/** Undefined where they are no tokens: frames of sound, patches. */
export function sequenceOf(input: TraceInput, site: Pick<Site, 'stack' | 'kind'>, side: 'queries' | 'keys'): TokenSequence | undefined {
  const { stack, kind } = site;
  if (stack === 'vision' || stack === 'audio') return undefined;
  if (kind === 'cross' && side === 'keys') return input.target && !input.audio ? input : undefined;
  if (stack === 'encoder') return input.audio ? undefined : input;
  return stack === 'decoder' ? input.target ?? input : input;
}
