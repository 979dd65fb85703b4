/** Every fixture of cases/: traced from end to end, against the operator's own output and the float64 twin. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { operatorRows } from '../../extension/engine/sites/operator-table.ts';
import type { Fixture } from './fixture.ts';
import { fixtures as linear } from './linear-attention.ts';
import { traceFixture } from './trace-fixture.ts';
import { worst } from './twin.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-operators-')), cases = join(import.meta.dirname, 'cases');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fixtures = (await Promise.all(readdirSync(cases).filter(file => file.endsWith('.ts')).map(file => import(`./cases/${file.slice(0, -3)}.ts`) as Promise<{ readonly fixtures: readonly Fixture[] }>))).flatMap(module => module.fixtures);

it('has a fixture for every operator that the table calls compared', () => {
  const named = new Set([...fixtures, ...linear].map(one => one.name.split(':')[0]));
  expect(operatorRows().filter(row => row.compared !== null && !named.has(row.operator)).map(row => row.operator)).toEqual([]);
});

it('has no two fixtures of one name', () => expect(new Set(fixtures.map(one => one.name)).size).toBe(fixtures.length));

describe.each(fixtures.map(fixture => [fixture.name, fixture] as const))('%s', (_, fixture) => {
  it('is what the operator computed', async () => {
    const seen = await traceFixture(fixture, folder), tolerance = fixture.tolerance ?? 1e-5, { twin } = seen;
    expect(seen.refused).toEqual([]);
    expect(seen.reported).toMatchObject(fixture.site);
    expect(seen.site).toMatchObject({ ...fixture.site, heads: fixture.twin.heads, kvHeads: fixture.twin.kvHeads, headDim: fixture.twin.dim, valueDim: fixture.twin.valueDim, capture: 'recomputed', ...fixture.traced });
    // The twin is the operator: its output is.
    expect(worst(seen.ownOutput, twin.output, twin.live), 'the operator\'s own output against the twin').toBeLessThan(tolerance * Math.max(1, ...seen.ownOutput.data.map(Math.abs)));
    for (const part of ['q', 'k', 'v'] as const) {
      expect(seen[part].shape, `hook_${part}`).toEqual(twin[part].shape);
      expect(worst(seen[part], twin[part]), `hook_${part}`).toBeLessThan(tolerance * Math.max(1, ...twin[part].data.map(Math.abs)));
    }
    expect(seen.pattern.shape).toEqual(twin.pattern.shape);
    expect(worst(seen.pattern, twin.pattern), 'probabilities').toBeLessThan(tolerance);
    expect(worst(seen.entropy, twin.entropy), 'entropy').toBeLessThan(tolerance * 10);
    if (seen.ownScores) expect(worst(seen.ownScores, fixture.scores!.of === 'prob' ? seen.pattern : seen.scores, twin.seen), 'the operator\'s own scores').toBeLessThan(tolerance * 10);
    expect(seen.parity).toMatchObject({ of: seen.site.capture === 'graph' ? 'pattern' : 'output', ok: true });
    expect(seen.emptyRows).toBe(twin.emptyRows);
    expect(seen.misshapen, 'outputs whose shapes are not what was inferred').toEqual([]);
    expect(seen.changed, 'outputs that the taps changed').toEqual([]);
  });
});
