/** What was estimated beside what a run then took: memory, time and file, on decoders of several sizes and prompts of several lengths. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { estimate, type RunFacts } from '../../extension/contract/estimate.ts';
import { generateDecoder, type DecoderSize } from './generate-decoder.ts';
import type { Order, Report } from './worker.ts';

interface Case { readonly size: DecoderSize; readonly tokens: number; readonly layers?: readonly number[]; readonly dtype?: 'fp16' }
const small: DecoderSize = { layers: 4, heads: 8, width: 256, vocabulary: 2048, positions: 4096 }, middle: DecoderSize = { layers: 12, heads: 12, width: 768, vocabulary: 8192, positions: 4096 };
const wide: DecoderSize = { layers: 6, heads: 16, width: 1024, vocabulary: 32_000, positions: 4096 };
const cases: readonly Case[] = [
  { size: small, tokens: 512 }, { size: small, tokens: 2048 }, { size: small, tokens: 3072 }, { size: middle, tokens: 128 }, { size: middle, tokens: 512 }, { size: middle, tokens: 1024 }, { size: middle, tokens: 2048 },
  { size: middle, tokens: 2048, layers: [0, 6, 11] }, { size: middle, tokens: 2048, dtype: 'fp16' }, { size: wide, tokens: 512 }, { size: wide, tokens: 1536 },
];

/** `worker`: a process of its own, so that its peak is its own. Prints estimate, measured, and their ratio. */
export async function benchEstimates(cache: string, worker: () => { ask(order: Order): Promise<Report>; end(): void }, say: (line: string) => void): Promise<void> {
  say('\nEstimates before a run against the run (weighed in one process, traced in others)');
  say('| layers × heads × width | T | kept | memory MB: said / was | × | time s: said / was | × | file MB: said / was | × |');
  say('|--|--|--|--|--|--|--|--|--|');
  for (const { size, tokens, layers, dtype } of cases) {
    const model = generateDecoder(join(cache, `estimate-${size.layers}-${size.width}`), size), ids = Array.from({ length: tokens }, (_, i) => (i * 7919) % size.vocabulary), out = join(cache, 'estimate.attntrace');
    const keep = { ...(layers ? { layers } : {}), ...(dtype ? { dtype } : {}) }, [scale, runner, analysis] = [worker(), worker(), worker()];
    const facts = (await scale.ask({ kind: 'weigh', model, ids, out })).facts as RunFacts, said = estimate(facts, { stored: dtype ? 'F16' : 'F32', ...(layers ? { layers } : {}) });
    const start = performance.now(), run = await runner.ask({ kind: 'capture', model, ids, out, keep });
    await analysis.ask({ kind: 'complete', out });
    const ms = performance.now() - start, file = statSync(out).size;
    for (const one of [scale, runner, analysis]) one.end();
    const pair = (a: number, b: number, unit: number, digits: number): string => `${(a / unit).toFixed(digits)} / ${(b / unit).toFixed(digits)} | ${(a / b).toFixed(2)}`;
    say(`| ${size.layers} × ${size.heads} × ${size.width} | ${tokens} | ${layers?.join() ?? 'all'}${dtype ? `, ${dtype}` : ''} | ${pair(said.memoryBytes, run.peakBytes, 1e6, 0)} | ${pair(said.timeMs ?? NaN, ms, 1e3, 1)} | ${pair(said.fileBytes, file, 1e6, 1)} |`);
  }
}
