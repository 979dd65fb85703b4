/** Each rule on a trace, made by tracing a model, that triggers it, and on one that does not; the sentences literally. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Manifest, Verdict } from '../../../extension/contract/trace.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { verdicts } from '../../../extension/engine/verdicts/registry.ts';
import { tinyModel, type Behaviour } from './tiny-models.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-verdicts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Twelve tokens, then the same twelve again. */
const ids = Array.from({ length: 24 }, (_, i) => (i % 12) + 1);
const traces = new Map<string, Manifest>();

async function trace(behaviour: Behaviour, masked = false): Promise<Manifest> {
  const model = tinyModel(folder, behaviour, masked), out = model.replace('.onnx', '.attntrace');
  await capture({ model, prompt: { kind: 'ids', ids }, out }, { progress: () => undefined });
  return (await completeCapture({ out })).manifest;
}
beforeAll(async () => {
  for (const behaviour of ['sink', 'even', 'previous', 'induction', 'local', 'overflow'] as const) traces.set(behaviour, await trace(behaviour));
  traces.set('masked', await trace('local', true));
});
const said = (behaviour: string, rule: string): readonly Verdict[] => traces.get(behaviour)!.verdicts.filter(verdict => verdict.rule === rule);
const texts = (behaviour: string, rule: string): readonly string[] => said(behaviour, rule).map(verdict => verdict.text);

describe('what the rules say, and where they are silent', () => {
  it('the models are what they seem: parity holds wherever numbers are finite', () => {
    for (const [name, { parity }] of traces) if (name !== 'overflow') expect(parity['blocks.0.attn'], name).toMatchObject({ ok: true, of: 'pattern' });
  });
  it('sinks', () => {
    expect(texts('sink', 'sinks')).toEqual(['100 % of heads (2 of 2) put over 0.3 of their attention on position 0 (#1).']);
    expect(said('sink', 'sinks')[0].evidence).toMatchObject({ threshold: 0.3, value: 1, heads: ['L0H0', 'L0H1'], position: 0 });
    for (const silent of ['even', 'previous', 'local']) expect(texts(silent, 'sinks'), silent).toEqual([]);
  });
  it('previous token', () => {
    const [{ text, evidence }] = said('previous', 'position-heads');
    expect(text).toBe(`2 heads attend to the previous token (over 0.5 of the attention): L0H0 ${evidence.value.toFixed(2)}, L0H1 ${evidence.value.toFixed(2)}.`);
    expect(said('previous', 'position-heads')[0].evidence).toMatchObject({ threshold: 0.5, score: 'prevTokenScore', heads: ['L0H0', 'L0H1'] });
    for (const silent of ['sink', 'even', 'local']) expect(texts(silent, 'position-heads'), silent).toEqual([]);
  });
  it('induction', () => {
    expect(texts('induction', 'position-heads')).toHaveLength(1);
    expect(texts('induction', 'position-heads')[0]).toMatch(/^2 heads attend to what followed the same token before \(over 0\.4 of the attention, an induction pattern\): L0H0 [01]\.\d\d, L0H1 [01]\.\d\d\.$/);
    expect(said('induction', 'position-heads')[0].evidence).toMatchObject({ threshold: 0.4, score: 'inductionScore' });
  });
  it('nearly even heads', () => {
    expect(texts('even', 'even-heads')).toEqual(['2 of 2 heads attend almost evenly (entropy over 95 % of its maximum): L0H0, L0H1.']);
    expect(said('even', 'even-heads')[0].evidence).toMatchObject({ threshold: 0.95, heads: ['L0H0', 'L0H1'] });
    expect(said('even', 'even-heads')[0].evidence.value).toBeCloseTo(1, 5);
    for (const silent of ['sink', 'previous', 'local']) expect(texts(silent, 'even-heads'), silent).toEqual([]);
  });
  it('rows that see no key', () => {
    expect(texts('masked', 'empty-rows')).toEqual(['2 rows of real tokens see no key (L0): the mask hides everything from them, and they are left out of all statistics.']);
    expect(traces.get('masked')!.emptyRows).toEqual({ 'blocks.0.attn': 2 });
    expect(texts('local', 'empty-rows')).toEqual([]);
  });
  it('values that are not finite', () => {
    expect(texts('overflow', 'not-finite')).toHaveLength(1);
    expect(texts('overflow', 'not-finite')[0]).toMatch(/^The attention of \d+ rows is not finite \(first at L0\): the model overflows there or its weights are damaged\.$/);
    expect(texts('sink', 'not-finite')).toEqual([]);
    expect(traces.get('overflow')!.parity['blocks.0.attn'].ok).toBe(false);
  });
  it('parity', () => {
    expect(texts('overflow', 'parity')).toEqual(['Parity failed at 1 of 1 sites (L0): what is shown there is not what the model computed.']);
    expect(texts('sink', 'parity')).toEqual([]);
  });
});

it('every rule is named once', () => expect(new Set(verdicts.map(rule => rule.id)).size).toBe(verdicts.length));
