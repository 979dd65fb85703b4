/** What the Models view says of models, and how their sites come to be known. */
import { describe, expect, it } from 'vitest';
import type { TraceSummary } from '../../../extension/contract/api.ts';
import { PeerGone, UserError } from '../../../extension/contract/errors.ts';
import type { Site, SitesReport } from '../../../extension/contract/site.ts';
import { bytesText } from '../../../extension/host/bytes-text.ts';
import { repeated } from '../../../extension/host/debounce.ts';
import { groupText, modelText, siteText, workspaceOf } from '../../../extension/host/models/describe-model.ts';
import { createInspector } from '../../../extension/host/models/inspector.ts';

const found = (name: string) => ({ path: `/w/gpt2/onnx/${name}`, bytes: 7_100_000, modifiedMs: 1 });
const site: Site = {
  name: 'blocks.3.attn', stack: 'main', layer: 3, kind: 'self', form: 'dense', heads: 8, kvHeads: 4, headDim: 32, valueDim: 32, mask: { causal: true, window: null, padding: true, additive: false }, scale: 1, softcap: null, sinkLogit: false,
  operator: 'Softmax', node: '/a/Softmax', capture: 'graph', taps: { q: null, k: null, v: null, probs: null, out: null }, source: { module: 'h.3.attn', class: 'Attention', file: null, line: null, level: 'class-hierarchy' },
};
const report: SitesReport = { formatVersion: 1, model: { file: 'model.onnx', graphHash: '', bytes: 1_000_000, modified: '', opsets: { '': 17 }, producer: 'pytorch 2.11.0', nodes: 9, dtype: 'fp16', dataFiles: [{ file: 'weights.bin', bytes: 9_000_000, modified: '' }] }, inputs: ['input_ids'], sites: [site, { ...site, name: 'blocks.4.attn', layer: 4 }], refused: [] };
const last: TraceSummary = { file: '/t', bytes: 1, created: '2026-01-01T09:30:00Z', model: { ...report.model, path: '/w/gpt2/onnx/model.onnx' }, prompt: 'x', batch: 1, tokens: 15, sites: 2, stored: 'F32', parity: { worst: 2.5e-6, failed: 0 } };

describe('a model\'s row', () => {
  it('says sites, parity, size with its data, and type', () => {
    expect(modelText(found('model.onnx'), '/w/gpt2', { sites: report, last })).toMatchObject({ label: 'model.onnx', description: '2 sites · parity 2.5e-6 · 10 MB · fp16 · onnx', state: 'ok' });
  });
  it('says what can be known of one that nobody looked at yet', () => expect(modelText(found('model_q4.onnx'), '/w/gpt2/onnx', {})).toMatchObject({ label: 'model_q4.onnx', description: '7.1 MB · q4', state: 'untraced' }));
  it('says stale, failed, unreadable and without attention', () => {
    expect(modelText(found('m.onnx'), '/w', { sites: report, last, stale: 'm.onnx changed after this trace was made.' })).toMatchObject({ description: '2 sites · stale · 10 MB · fp16 · gpt2/onnx', state: 'stale' });
    expect(modelText(found('m.onnx'), '/w', { sites: report, last: { ...last, parity: { worst: 1, failed: 1 } } })).toMatchObject({ description: '2 sites · parity failed at 1 site · 10 MB · fp16 · gpt2/onnx', state: 'failed' });
    expect(modelText(found('m.onnx'), '/w', { sites: 'm.onnx is no ONNX file.' })).toMatchObject({ description: 'cannot be read · 7.1 MB · gpt2/onnx', state: 'unreadable' });
    expect(modelText(found('m.onnx'), '/w', { sites: { ...report, sites: [], looked: 'There is none.' } })).toMatchObject({ description: 'no attention · 10 MB · fp16 · gpt2/onnx', state: 'no-attention', tooltip: expect.stringContaining('There is none') });
  });
  it('shows markup of strangers as text', () => expect(modelText(found('[x](command:y).onnx'), '/w', {}).tooltip).toContain('\\[x\\]\\(command:y\\)\\.onnx'));
});

it('a folder says its architecture, and when there is nothing to trace in it', () => {
  expect(groupText({ folder: '/w/llama', card: { architecture: 'LlamaForCausalLM', type: 'llama' }, models: [found('a.onnx')] }, '/w')).toMatchObject({ label: 'llama', description: 'LlamaForCausalLM' });
  expect(groupText({ folder: '/w/bert', card: { architecture: 'bert' }, models: [] }, '/w').description).toBe('no ONNX yet · bert');
});
it('a site says heads, key/value heads, width and mask', () => expect(siteText(site)).toMatchObject({ label: 'blocks.3.attn', description: '8/4 heads × 32 · causal, padding' }));
it('a path belongs to the nearest folder of the workspace', () => expect(workspaceOf('/w/a/b', ['/w', '/w/a', '/other'])).toBe('/w/a'));
it('sizes read as in a file manager', () => expect([0, 999, 1_000, 9_949, 42_300, 999_499, 1e6, 7.1e6, 1.25e9, 4e11].map(bytesText)).toEqual(['0 bytes', '999 bytes', '1.0 kB', '9.9 kB', '42 kB', '999 kB', '1.0 MB', '7.1 MB', '1.3 GB', '400 GB']));

describe('sites are asked for', () => {
  const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5));
  it('one model after the other, each once until it changes; refusals are sentences', async () => {
    const asked: string[] = [], inspector = createInspector(async model => { asked.push(model); if (model.endsWith('bad.onnx')) throw new UserError('bad.onnx is no ONNX file.'); return report; }, () => undefined);
    const [good, bad] = [found('good.onnx'), found('bad.onnx')];
    inspector.want([good, bad]);
    await settled();
    inspector.want([good, bad]);
    await settled();
    expect(asked).toEqual([good.path, bad.path]);
    expect([inspector.of(good), inspector.of(bad)]).toEqual([report, 'bad.onnx is no ONNX file.']);
    inspector.want([{ ...good, modifiedMs: 2 }]);
    await settled();
    expect(asked).toHaveLength(3);
  });
  it('again when the runner was killed meanwhile', async () => {
    let gone = true;
    const inspector = createInspector(async () => { if (gone) throw new PeerGone('The run was cancelled.'); return report; }, () => undefined);
    inspector.want([found('m.onnx')]);
    await settled();
    expect(inspector.of(found('m.onnx'))).toBeUndefined();
    gone = false;
    inspector.want([found('m.onnx')]);
    await settled();
    expect(inspector.of(found('m.onnx'))).toBe(report);
  });
});

describe('repeated work', () => {
  it('runs one at a time, and once more when it was asked for meanwhile', async () => {
    let running = 0, most = 0, times = 0;
    const work = repeated(async () => { most = Math.max(most, ++running); await new Promise(resolve => setTimeout(resolve, 5)); running--; times++; }, 1);
    await Promise.all([work.now(), work.now(), work.now()]);
    expect([most, times]).toEqual([1, 2]);
    work.soon();
    work.soon();
    await new Promise(resolve => setTimeout(resolve, 30));
    expect(times).toBe(3);
    work.dispose();
    await work.now();
    expect(times).toBe(3);
  });
});
