/** The weights that linear attention implies, as panels ask for them: every cell against the recurrence in float64, pooled by size with their signs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerThumbnails, answerTile } from '../../extension/engine/analysis/answer-tile.ts';
import { OpenTraces } from '../../extension/engine/analysis/open-traces.ts';
import { B, fixtures } from './linear-attention.ts';
import { linearTrace } from './linear-trace.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-implied-')), between = async (): Promise<void> => undefined;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(fixtures.filter(({ name }) => /gated delta|grouped/.test(name)).map(fixture => [fixture.name, fixture] as const))('%s', (name, { model, inputs, weights, heads, queries: S }) => {
  const traces = new OpenTraces();
  let trace = '', site = '';
  const at = (b: number, h: number, i: number, j: number): number => weights[((b * heads + h) * S + i) * S + j];
  beforeAll(async () => {
    const open = traces.open(await linearTrace(folder, { model, inputs }, name.replace(/\W/g, ''), true));
    trace = open.trace;
    site = open.manifest.sites[0].name;
    expect(open.implied).toEqual([site]);
  });
  it('cell by cell; what lies ahead of the query is not visible', async () => {
    let negative = 0;
    for (let b = 0; b < B; b++) for (let h = 0; h < heads; h++) {
      const { data, height, width } = await answerTile(traces, { trace, site, batch: b, head: h, rows: [0, S], cols: [0, S], height: S, width: S, of: 'implied', reduce: 'max' }, between);
      expect([height, width]).toEqual([S, S]);
      data.forEach((value, n) => { const i = Math.floor(n / S), j = n % S; if (j > i) expect(value).toBeNaN(); else { expect(Math.abs(value - at(b, h, i, j))).toBeLessThan(1e-6); if (value < 0) negative++; } });
    }
    expect(negative).toBeGreaterThan(0);
  });
  it('pooled to the weight that is largest in size, with its sign', async () => {
    const { data } = await answerTile(traces, { trace, site, batch: 1, head: 1, rows: [0, S], cols: [0, S], height: 2, width: 2, of: 'implied', reduce: 'max' }, between);
    const expected = [0, 0, 0, 0];
    for (let i = 0; i < S; i++) for (let j = 0; j <= i; j++) { const place = Math.floor(i * 2 / S) * 2 + Math.floor(j * 2 / S); if (Math.abs(at(1, 1, i, j)) > Math.abs(expected[place])) expected[place] = at(1, 1, i, j); }
    expected.forEach((value, n) => (n === 1 ? expect(data[n]).toBeNaN() : expect(data[n]).toBeCloseTo(value, 5)));
    const thumbs = await answerThumbnails(traces, { trace, site }, between);
    for (let i = 0; i < S; i++) for (let j = 0; j <= i; j++) expect(thumbs.data[((1 * heads + 1) * 32 + i) * 32 + j]).toBeCloseTo(at(1, 1, i, j), 5);
  });
});

it('are asked for in vain where they were not kept, and are never probabilities', async () => {
  const traces = new OpenTraces(), { trace, implied, manifest: { sites: [{ name: site }] } } = traces.open(await linearTrace(folder, fixtures[0], 'bare', false)), ask = (of: 'implied' | 'prob') => answerTile(traces, { trace, site, batch: 0, head: 0, rows: [0, 7], cols: [0, 7], height: 7, width: 7, of, reduce: 'max' }, between);
  expect(implied).toEqual([]);
  await expect(ask('implied')).rejects.toThrow(`The weights that ${site} implies are not in the trace.`);
  await expect(ask('prob')).rejects.toThrow(`${site} has no probabilities to show.`);
});
