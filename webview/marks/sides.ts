/** What stands along the two sides of a site's map: the tokens of one sequence, of two, or moments of a sound. */
import { sequenceOf } from '../../extension/contract/sequences.ts';
import type { Site } from '../../extension/contract/site.ts';
import type { TraceInput } from '../../extension/contract/trace.ts';

type Of = Pick<Site, 'stack' | 'kind'>;
const none: TraceInput = { ids: [], tokens: [], spans: [], real: [] };

/** The tokens of that side as an input of their own; of a sound the moment at which each position begins; without tokens where they are neither. */
export function sideInput(input: TraceInput, site: Of, side: 'queries' | 'keys'): TraceInput {
  const found = sequenceOf(input, site, side);
  if (found === input) return input;
  if (found) return found;
  return isSound(input, site, side) ? timesOf(input) : none;
}

/** Whether the positions of that side are moments of a sound whose length is known. */
export function isSound(input: TraceInput, site: Of, side: 'queries' | 'keys'): boolean {
  return input.audio?.secondsPerPosition !== undefined && (site.stack === 'encoder' || (site.kind === 'cross' && side === 'keys'));
}

/** What a position of that side is called: `query`, `key`; where both sides are different things, what they are. */
export function sideName(input: TraceInput, site: Of, side: 'queries' | 'keys'): string {
  if (site.kind !== 'cross' || (!input.target && !input.audio)) return side === 'queries' ? 'query' : 'key';
  return side === 'queries' ? 'target' : input.audio ? 'sound' : 'source';
}

/** `0.74–0.76 s`: what positions [from, to) stand for. */
export function timeSpan({ audio }: TraceInput, from: number, to: number): string {
  const step = audio?.secondsPerPosition ?? 0;
  return `${(from * step).toFixed(2)}–${(to * step).toFixed(2)} s`;
}

const known = new WeakMap<TraceInput, TraceInput>();

function timesOf(input: TraceInput): TraceInput {
  let times = known.get(input);
  if (!times) {
    const { positions = 0, secondsPerPosition = 0 } = input.audio ?? {}, row = Array.from({ length: positions }, (_, i) => `${(i * secondsPerPosition).toFixed(2)} s`);
    times = { ...none, ids: input.ids.map(() => []), tokens: input.ids.map(() => row), real: input.ids.map(() => row.map(() => 1)) };
    known.set(input, times);
  }
  return times;
}
