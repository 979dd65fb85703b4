/** Whole folders on the inputs of their reference: every attention that PyTorch returned, of encoder, decoder and between them, and the logits behind the last token; those of test/zoo, and those of ATTNSCOPE_ZOO_FOLDERS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TraceRequest } from '../../extension/contract/api.ts';
import type { Site } from '../../extension/contract/site.ts';
import { completeCapture } from '../../extension/engine/analysis/complete.ts';
import { exportPattern } from '../../extension/engine/analysis/export-pattern.ts';
import { capture } from '../../extension/engine/run/capture.ts';
import { reportModel } from '../../extension/engine/sites/report-model.ts';
import { openTrace } from '../../extension/engine/trace/open.ts';
import { dataType } from '../../extension/engine/onnx/model.ts';
import { safetensors } from '../operators/trace-fixture.ts';
import { readReference, type ZooTensor } from './cases.ts';
import { zooFolders } from './zoo-folders.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-whole-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Groups of a reference (`attn.GROUP.LAYER`) → the sites that they are of. */
const groups: Readonly<Record<string, (site: Site) => boolean>> = {
  attentions: site => site.kind === 'self' && site.stack === 'main', encoder_attentions: site => site.kind === 'self' && site.stack === 'encoder',
  decoder_attentions: site => site.kind === 'self' && site.stack === 'decoder', cross_attentions: site => site.kind === 'cross',
};

async function traced(path: string, prompt: TraceRequest['prompt'], more: Partial<TraceRequest> = {}) {
  const out = join(folder, 'out.attntrace'), patterns = join(folder, 'pattern.safetensors');
  await capture({ model: path, prompt, out, dtype: 'fp32', ...more }, { progress: () => undefined });
  const { manifest } = await completeCapture({ out }), trace = openTrace(out);
  try { await exportPattern(trace, { out: patterns, sites: [], scores: false }); } finally { trace.close(); }
  return { manifest, patterns: readReference(patterns) };
}

/** [batch, tokens, vocabulary] → of the first sample the probabilities behind its last token. */
function probabilities({ shape: [, tokens, width], data }: ZooTensor): number[] {
  const row = Array.from(data.slice((tokens - 1) * width, tokens * width)), most = Math.max(...row), sum = row.reduce((all, value) => all + Math.exp(value - most), 0);
  return row.map(value => Math.exp(value - most) / sum);
}

describe.each(zooFolders().map(one => [one.name, one.path] as const))('%s', (_, path) => {
  const file = join(path, 'reference.safetensors'), reference = readReference(file), named = [...reference.keys()].filter(key => key.startsWith('attn.')), heard = reference.get('in.input_features');
  it('attends as PyTorch says, and says what it says', async () => {
    const { manifest, patterns } = await traced(path, { kind: 'tensors', file }), sites = (group: string): readonly Site[] => manifest.sites.filter(groups[group]);
    expect(named.length).toBeGreaterThan(0);
    for (const key of named) {
      const [, group, layer] = key.split('.'), site = sites(group)[Number(layer)], expected = reference.get(key)!, found = patterns.get(`${site.name}.hook_pattern`)!;
      expect(found.shape, key).toEqual(expected.shape);
      expect(Math.max(...expected.data.map((value, n) => Math.abs(value - found.data[n]))), key).toBeLessThan(1e-5);
    }
    for (const group of new Set(named.map(key => key.split('.')[1]))) expect(sites(group).length, group).toBe(named.filter(key => key.split('.')[1] === group).length);
    expect(Object.values(manifest.parity).filter(parity => !parity.ok)).toEqual([]);
    expect((await reportModel(path)).sites.map(site => site.name)).toEqual(manifest.sites.map(site => site.name));
    const all = probabilities(reference.get('out.logits')!);
    // float32 in another order of sums.
    for (const { id, probability } of manifest.next[0]) expect(probability, `token ${id}`).toBeCloseTo(all[id], 5);
    expect(manifest.next[0][0].probability).toBeCloseTo(Math.max(...all), 5);
  });
  // Not skipped where there is nothing to hear: a test that does not run counts as failed.
  if (heard) it('goes on from its start tokens: each token is what a run over those before it says', async () => {
    const features = join(folder, 'features.safetensors'), sound = { name: 'input_features', dims: heard.shape, data: heard.data };
    writeFileSync(features, safetensors([sound]));
    const { manifest } = await traced(path, { kind: 'tensors', file: features }, { generate: 5 }), ids = manifest.input.ids[0], { given } = manifest.input;
    expect(ids.length).toBeGreaterThan(given!);
    for (let end = ids.length - 1; end >= Math.max(2, given!); end--) {
      writeFileSync(features, safetensors([sound, { name: 'decoder_input_ids', dims: [1, end], data: ids.slice(0, end), type: dataType.int64 }]));
      expect((await traced(path, { kind: 'tensors', file: features })).manifest.next[0][0].id).toBe(ids[end]);
    }
  });
});
