/** The sinks of every layer, from what the rules found and what the heads measured. */
import { describe, expect, it } from 'vitest';
import type { Site } from '../../../extension/contract/site.ts';
import type { HeadStats, Manifest, Parity, Verdict } from '../../../extension/contract/trace.ts';
import { sinkProfile } from '../../../webview/marks/sink-profile.ts';

type Input = Parameters<typeof sinkProfile>[0];
const site = (layer: number, more: Partial<Site> = {}): Site => ({ name: `blocks.${layer}.attn`, stack: 'main', layer, kind: 'self', form: 'dense', heads: 2, kvHeads: 2, ...more }) as Site;
const head = (head: number, of: Partial<HeadStats>): HeadStats => ({ batch: 0, head, sink: 0, sinkKey: 0, firstTokenShare: 0, secondarySink: 0, secondarySinkKey: 1, ...of }) as HeadStats;
const verdict = (rule: string, position: number): Verdict => ({ rule, level: 'info', text: '', evidence: { threshold: 0.3, value: 1, heads: [], stack: 'main', position } });
const layers = (count: number, of: (layer: number) => readonly HeadStats[]): Pick<Manifest, 'sites' | 'heads'> => ({ sites: Array.from({ length: count }, (_, n) => site(n)), heads: Object.fromEntries(Array.from({ length: count }, (_, n) => [`blocks.${n}.attn`, of(n)])) });
const input = { ids: [[1, 2, 3]], tokens: [['<bos>', ' a', '\n']], spans: [], real: [[1, 1, 1]] }, parity: Record<string, Parity> = { 'blocks.3.attn': { ok: false } as Parity };
const deep: Input = {
  ...layers(8, n => [head(0, { firstTokenShare: n / 10, secondarySink: 0.5, secondarySinkKey: 2 }), head(1, { firstTokenShare: 0.1, secondarySink: 0.9, secondarySinkKey: n < 4 ? 2 : 1 })]),
  parity, input, verdicts: [verdict('float16-range', 7), verdict('sinks', 0), verdict('two-sinks', 2)],
};

describe('sinks, layer by layer', () => {
  it('means over the heads; other keys count as nothing; failed sites have no numbers', () => {
    const profile = sinkProfile(deep, 0)!;
    expect([profile.main, profile.second]).toEqual([{ position: 0, token: '<bos>' }, { position: 2, token: '⏎' }]);
    expect(profile.layers.map(({ label }) => label)).toEqual(['L0', 'L1', 'L2', 'L3', 'L4', 'L5', 'L6', 'L7']);
    expect(profile.layers[2].main).toBeCloseTo(0.15, 12);
    expect(profile.layers[2].second).toBeCloseTo(0.7, 12);
    expect(profile.layers[5].second).toBeCloseTo(0.25, 12);
    expect([profile.layers[3].main, profile.layers[3].second]).toEqual([undefined, undefined]);
  });
  it('positions count from the first real token', () => {
    const padded: Input = { ...deep, input: { ...input, real: [[0, 1, 1]] }, verdicts: [verdict('sinks', 0), verdict('two-sinks', 1)] }, profile = sinkProfile(padded, 0)!;
    expect([profile.main.token, profile.second?.token]).toEqual(['a', '⏎']);
    expect(profile.layers[0].second).toBeCloseTo(0.7, 12);
  });
  it('a main sink elsewhere is that of the heads that have it there', () => {
    const moved = sinkProfile({ ...layers(8, () => [head(0, { sink: 0.8, sinkKey: 1 }), head(1, { sink: 0.6, sinkKey: 0 })]), parity: {}, input, verdicts: [verdict('sinks', 1)] }, 0)!;
    expect([moved.layers[0].main, moved.layers[0].second, moved.second]).toEqual([0.4, undefined, undefined]);
  });
  it('nothing without a sink, in few layers, and of traces that do not say where', () => {
    expect(sinkProfile({ ...deep, verdicts: [verdict('two-sinks', 2)] }, 0)).toBeUndefined();
    expect(sinkProfile({ ...deep, ...layers(7, () => [head(0, {})]) }, 0)).toBeUndefined();
    const { stack: _, ...older } = verdict('sinks', 0).evidence;
    expect(sinkProfile({ ...deep, verdicts: [{ ...verdict('sinks', 0), evidence: older as Verdict['evidence'] }] }, 0)).toBeUndefined();
    expect(sinkProfile({ ...deep, verdicts: [verdict('sinks', -1)] }, 0)).toBeUndefined();
  });
});
