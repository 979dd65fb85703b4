/** Every export traced from end to end: probabilities rebuilt from the stored values against PyTorch's, statistics, parity. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../extension/contract/errors.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { exportPattern } from '../../extension/engine/analysis/export-pattern.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { openTrace } from '../../extension/engine/trace/open.ts';
import { formCases, readReference, zooCases, type ZooTensor } from './cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-rebuilt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const groups: Readonly<Record<string, (site: { readonly kind: string; readonly stack: string }) => boolean>> = {
  attentions: site => site.kind === 'self' && site.stack === 'main', encoder_attentions: site => site.stack === 'encoder' && site.kind === 'self',
  decoder_attentions: site => site.stack === 'decoder' && site.kind === 'self', cross_attentions: site => site.kind === 'cross',
  text_model_output: site => site.stack === 'text', vision_model_output: site => site.stack === 'vision',
};

const cases = [...zooCases(), ...formCases()];
it('has cases, unless others are selected', () => expect(cases.length > 0 || process.env['ATTNSCOPE_ONLY'] !== undefined).toBe(true));

describe.each(cases.map(zoo => [`${zoo.architecture}/${zoo.export}`, zoo] as const))('%s', (name, zoo) => {
  it('gives PyTorch\'s probabilities back', async () => {
    const out = join(folder, `${name.replace('/', '-')}.attntrace`), pattern = `${out}.safetensors`;
    try { await capture({ model: zoo.file, prompt: { kind: 'tensors', file: zoo.reference }, out, dtype: 'fp32' }, { progress: () => undefined }); } catch (error) {
      // Models that have no attention that we know are judged by test/unit/sites.
      if (error instanceof UserError && /No attention/.test(error.message)) return;
      throw error;
    }
    const { manifest } = await completeCapture({ out });
    const trace = openTrace(out), reference = readReference(zoo.reference), mask = reference.get('in.attention_mask');
    try {
      await exportPattern(trace, { out: pattern, sites: [], scores: false });
      const rebuilt = readReference(pattern);
      // gemma2's sdpa exports leave the softcap out: their own probabilities are others than the eager reference's.
      const tolerance = zoo.architecture === 'gemma2' && zoo.export.startsWith('sdpa') ? 2e-4 : 1e-5;
      let compared = 0;
      for (const [group, mine] of Object.entries(groups)) for (const site of manifest.sites.filter(mine)) {
        const expected = reference.get(`attn.${group}.${site.layer}`), found = rebuilt.get(`${site.name}.hook_pattern`);
        if (!expected) continue;
        expect(found?.shape, site.name).toEqual(expected.shape);
        compared++;
        const real = (b: number, i: number): boolean => !mask || expected.shape[0] !== mask.shape[0] || expected.shape[2] !== mask.shape[1] || group === 'decoder_attentions' || group === 'cross_attentions' || mask.data[b * mask.shape[1] + i] !== 0;
        expect(furthest(found!, expected, real), site.name).toBeLessThanOrEqual(tolerance);
      }
      // An optimiser's fused operators are refused by name; all else must be there.
      if (!zoo.export.startsWith('fused')) expect(compared, 'sites compared').toBeGreaterThan(0);
      for (const site of manifest.sites) {
        const parity = manifest.parity[site.name];
        expect({ site: site.name, ok: parity.ok, why: parity.why }).toEqual({ site: site.name, ok: parity.of === 'none' ? null : true, why: parity.of === 'none' ? parity.why : undefined });
        if (parity.of === 'none') expect(['softmax-only'], site.name).toContain(site.capture);
      }
    } finally { trace.close(); }
    expect(readdirSync(folder).filter(file => /\.(part|side|capture)$/.test(file))).toEqual([]);
  });
});

function furthest(a: ZooTensor, b: ZooTensor, real: (b: number, i: number) => boolean): number {
  const [, heads, queries, keys] = b.shape;
  let most = 0;
  for (let n = 0; n < b.data.length; n++) {
    const row = Math.floor(n / keys);
    if (real(Math.floor(row / queries / heads), row % queries)) most = Math.max(most, Math.abs(a.data[n] - b.data[n]));
  }
  return most;
}
