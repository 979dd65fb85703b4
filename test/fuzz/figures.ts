/** What a run of the fuzzer came to, a line of JSON a target, for README.md's table. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Verdict } from './judge.ts';

/** Times are of the calls that were not ended by us, memory is of all. */
export function figuresOf(verdicts: readonly Verdict[]) {
  const of = (ended: Verdict['ended']): readonly Verdict[] => verdicts.filter(one => one.ended === ended), late = of('runner ended after 5 s');
  return {
    target: verdicts[0].target, mutants: verdicts.length, used: of('used').length, refused: of('refused').length, crashed: of('runner crashed').length, late: late.length, problems: verdicts.filter(one => one.problem !== undefined).length,
    longestMs: Math.round(Math.max(0, ...verdicts.filter(one => !late.includes(one)).map(({ ms }) => ms))), mostMegabytes: Math.round(Math.max(0, ...verdicts.map(({ bytes }) => bytes)) / 1e6),
    crashes: of('runner crashed').map(({ nth, how, said }) => `${nth} (${how}): ${said}`), lateOnes: late.map(({ nth, how }) => `${nth} (${how})`),
  };
}

export function keepFigures(folder: string, seed: number, from: number, figures: ReturnType<typeof figuresOf>): void {
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, 'figures.jsonl'), `${JSON.stringify({ seed, from, ...figures })}\n`);
}
