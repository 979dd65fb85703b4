/** Each rule on a trace, made by tracing a model, that triggers it, and on one that does not; the sentences literally. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Prompt } from '../../../extension/contract/api.ts';
import type { Manifest, Verdict } from '../../../extension/contract/trace.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';
import { verdicts } from '../../../extension/engine/verdicts/registry.ts';
import { int32Tensors, tinyModel, type Behaviour, type Options } from './tiny-models.ts';

const zoo = join(import.meta.dirname, '../../zoo/models');

const folder = mkdtempSync(join(tmpdir(), 'attnscope-verdicts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Twelve tokens, then the same twelve again. */
const ids = Array.from({ length: 24 }, (_, i) => (i % 12) + 1);
const traces = new Map<string, Manifest>();

async function run(name: string, model: string, prompt: Prompt): Promise<void> {
  const out = join(folder, `${name}.attntrace`);
  await capture({ model, prompt, out }, { progress: () => undefined });
  await completeCapture({ out });
  // What a reader makes of the file: nothing that was written may be too strange to be read again.
  const trace = openTrace(out);
  traces.set(name, trace.manifest);
  trace.close();
}
const trace = (name: string, behaviour: Behaviour, options: Options = {}): Promise<void> => run(name, tinyModel(folder, behaviour, options), { kind: 'ids', ids });

beforeAll(async () => {
  for (const behaviour of ['sink', 'two-sinks', 'even', 'previous', 'induction', 'local', 'overflow', 'scores-overflow', 'values-overflow'] as const) await trace(behaviour, behaviour);
  await trace('masked', 'local', { masked: true });
  await trace('strong', 'local', { strength: 20_000 });
  await trace('too strong', 'local', { strength: -1e5 });
  await trace('valueless', 'sink', { valueless: true });
  // Left padding, as in generation; one model does not listen to its mask, the other one is the zoo's llama.
  const padded = join(folder, 'padded.safetensors');
  writeFileSync(padded, int32Tensors({ input_ids: { shape: [1, 24], data: ids }, attention_mask: { shape: [1, 24], data: ids.map((_, i) => (i < 3 ? 0 : 1)) } }));
  await run('deaf', tinyModel(folder, 'even', { deaf: true }), { kind: 'tensors', file: padded });
  await run('listening', join(zoo, 'llama/sdpa-ts.onnx'), { kind: 'tensors', file: join(zoo, 'llama/reference.safetensors') });
  // Both folders say that scores are capped; the graph of gemma2 does it, and that of llama, which stands for an export that lost it, does not.
  for (const [name, model] of [['capped', 'gemma2/eager-ts.onnx'], ['uncapped', 'llama/eager-ts.onnx']] as const) {
    const home = join(folder, name);
    mkdirSync(home);
    copyFileSync(join(zoo, model), join(home, 'model.onnx'));
    writeFileSync(join(home, 'config.json'), JSON.stringify({ attn_logit_softcapping: 50 }));
    await run(name, join(home, 'model.onnx'), { kind: 'tensors', file: join(zoo, dirname(model), 'reference.safetensors') });
  }
  // A vocabulary of words for one of them.
  const home = join(folder, 'words');
  tinyModel(home, 'local');
  writeFileSync(join(home, 'tokenizer.json'), JSON.stringify({
    model: { type: 'WordPiece', vocab: { '[UNK]': 0, '[CLS]': 1, anna: 2, gave: 3, boris: 4, bread: 5 }, unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100 },
    pre_tokenizer: { type: 'BertPreTokenizer' }, normalizer: null, decoder: null, added_tokens: [{ id: 1, content: '[CLS]', special: true, normalized: false, single_word: false, lstrip: false, rstrip: false }],
    post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], pair: [], special_tokens: { '[CLS]': { id: '[CLS]', ids: [1], tokens: ['[CLS]'] } } },
  }));
  await run('words', join(home, 'local.onnx'), { kind: 'text', text: 'anna gave boris bread' });
  await run('twice', join(home, 'local.onnx'), { kind: 'text', text: '[CLS] anna gave boris bread' });
  await run('unknown', join(home, 'local.onnx'), { kind: 'text', text: 'anna gave ☃ boris żur and ☃' });
});
const said = (name: string, rule: string): readonly Verdict[] => traces.get(name)!.verdicts.filter(verdict => verdict.rule === rule);
const texts = (name: string, rule: string): readonly string[] => said(name, rule).map(verdict => verdict.text);

describe('what the rules say, and where they are silent', () => {
  it('the models are what they seem: parity holds wherever numbers are finite', () => {
    for (const [name, { parity }] of traces) if (!name.includes('overflow')) for (const site of Object.values(parity)) expect(site, name).toMatchObject({ ok: true, of: 'pattern' });
  });
  it('sinks', () => {
    expect(texts('sink', 'sinks')).toEqual(['100 % of heads (2 of 2) put over 0.3 of their attention on position 0 (#1).']);
    expect(said('sink', 'sinks')[0].evidence).toMatchObject({ threshold: 0.3, value: 1, heads: ['L0H0', 'L0H1'], position: 0 });
    for (const silent of ['even', 'previous', 'local']) expect(texts(silent, 'sinks'), silent).toEqual([]);
  });
  it('a second sink', () => {
    // From query 12 on, both get the same, and nearly all of what there is.
    const e = Math.exp(40 / Math.sqrt(96)), mean = Array.from({ length: 11 }, (_, n) => e / (2 * e + n + 12)).reduce((a, b) => a + b, 0) / 11;
    expect(texts('two-sinks', 'two-sinks')).toEqual([`A second sink stands at position 12 (#1): 100 % of heads (2 of 2, layer 0) give it over 0.2 of the attention of the other queries that see it, ${Math.round(mean * 100)} % on average (L0H0 ${mean.toFixed(2)}).`]);
    expect(said('two-sinks', 'two-sinks')[0].evidence['mean']).toBeCloseTo(mean, 5);
    expect(said('two-sinks', 'two-sinks')[0]).toMatchObject({ level: 'info', evidence: { threshold: 0.2, value: 1, heads: ['L0H0', 'L0H1'], position: 12, mainPosition: 0, query: 23, key: 12, layers: '0', positions: [12] } });
    expect(texts('two-sinks', 'sinks')).toEqual(['100 % of heads (2 of 2) put over 0.3 of their attention on position 0 (#1).']);
    for (const silent of ['sink', 'even', 'previous', 'induction', 'local', 'valueless', 'words']) expect(texts(silent, 'two-sinks'), silent).toEqual([]);
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
  it('values that are not finite: which tensor, where, and why', () => {
    const [rows] = /\d+/.exec(texts('overflow', 'not-finite')[0])!;
    expect(texts('overflow', 'not-finite')).toEqual([
      `The attention of ${rows} rows is not finite (first at L0): what goes into it is broken already, by an overflow before it or by damaged weights. The first one is blocks.0.attn.hook_q[0, 0, 0, 0] = Infinity.`,
      expect.stringMatching(/^\d+ logits are not finite \(first: logits\[0, 0\] = NaN\): no next tokens can be named\.$/),
    ]);
    expect(said('overflow', 'not-finite')[0].evidence).toMatchObject({ threshold: 0, value: Number(rows), heads: ['L0H0'], first: { tensor: 'blocks.0.attn.hook_q', index: [0, 0, 0, 0], value: 'Infinity', count: 48 } });
    expect(texts('scores-overflow', 'not-finite')[0]).toMatch(/^The attention of 48 rows is not finite \(first at L0\): its q and k are finite, and their scores overflow\. The first one is blocks\.0\.attn\.stats\.(lse|entropy)\[0, 0, 0\] = (NaN|-?Infinity)\.$/);
    // Token 3 stands at positions 2 and 14; its value overflows in head 1.
    expect(texts('values-overflow', 'not-finite')[0]).toBe('2 numbers of the captured tensors are not finite (first at L0): its q and k are finite, its v is not. The first one is blocks.0.attn.hook_v[0, 2, 1, 5] = Infinity.');
    expect(said('values-overflow', 'not-finite')[0].evidence).toMatchObject({ heads: ['L0H1'], value: 2, query: 2, key: 2 });
    for (const silent of ['sink', 'listening', 'too strong']) expect(texts(silent, 'not-finite'), silent).toEqual([]);
  });
  it('largest |q·k| beside the range of float16', () => {
    expect(texts('local', 'float16-range')).toEqual(['The largest |q·k| before scaling is 40 (L0H0, query 0, key 0), 0.061 % of float16\'s range (65,504).']);
    expect(said('local', 'float16-range')[0]).toMatchObject({ level: 'info', evidence: { threshold: 65_504, range: 65_504, value: 40, exact: true, heads: ['L0H0'], query: 0, key: 0 } });
    expect(texts('strong', 'float16-range')).toEqual(['The largest |q·k| before scaling is 20,000 (L0H0, query 0, key 0), 31 % of float16\'s range (65,504): little headroom is left for other prompts.']);
    expect(said('strong', 'float16-range')[0]).toMatchObject({ level: 'notice', evidence: { threshold: 16_376 } });
    // It speaks of every trace, so what stands out comes first.
    expect(traces.get('sink')!.verdicts.map(verdict => verdict.rule)).toEqual(['sinks', 'float16-range']);
    // It counts without its sign.
    expect(texts('too strong', 'float16-range')).toEqual(['The largest |q·k| before scaling is 100,000 (L0H0, query 0, key 0), beyond float16\'s range (65,504): computed in float16 without scaling first, such a score overflows.']);
    expect(said('too strong', 'float16-range')[0]).toMatchObject({ level: 'warning', evidence: { threshold: 65_504, value: 1e5, site: 'blocks.0.attn' } });
    // No q is a number there.
    expect(texts('overflow', 'float16-range')).toEqual([]);
  });
  it('saturated heads', () => {
    expect(texts('strong', 'saturated-heads')).toEqual(['2 of 2 heads are saturated (over 50 % of the queries give one key more than 0.999): L0H0 100 %, L0H1 100 %.']);
    expect(said('strong', 'saturated-heads')[0].evidence).toMatchObject({ threshold: 0.5, value: 1, heads: ['L0H0', 'L0H1'], probabilityOver: 0.999 });
    for (const silent of ['sink', 'even', 'local', 'previous']) expect(texts(silent, 'saturated-heads'), silent).toEqual([]);
  });
  it('sinks without a value', () => {
    expect(texts('valueless', 'sink-values')).toHaveLength(1);
    expect(texts('valueless', 'sink-values')[0]).toMatch(/^In 2 of 2 sink heads the sink's value is shorter than 0\.3 of the others' mean \(L0H[01] 0\.0[01], L0H[01] 0\.0[01]\): attention there adds next to nothing to the output\.$/);
    expect(said('valueless', 'sink-values')[0].evidence.threshold).toBe(0.3);
    for (const silent of ['sink', 'even', 'local']) expect(texts(silent, 'sink-values'), silent).toEqual([]);
  });
  it('attention on padding', () => {
    expect(texts('deaf', 'padding-seen')).toHaveLength(1);
    expect(texts('deaf', 'padding-seen')[0]).toMatch(/^Real tokens attend to padding at 1 of 1 sites \(L0; L0H0 gives it \d+ %\): the attention mask does not reach that site\.$/);
    // Query i of the even head sees i + 1 keys, three of them padding.
    const share = Array.from({ length: 21 }, (_, i) => 3 / (i + 4)).reduce((a, b) => a + b, 0) / 21;
    expect(said('deaf', 'padding-seen')[0].evidence.value).toBeCloseTo(share, 5);
    expect(traces.get('listening')!.health!.sites['blocks.0.attn'].padding).toMatchObject({ batch: 1, share: 0 });
    expect([texts('listening', 'padding-seen'), texts('even', 'padding-seen')]).toEqual([[], []]);
  });
  it('a start token that stands twice', () => {
    expect(traces.get('twice')!.input).toMatchObject({ ids: [[1, 1, 2, 3, 4, 5]], special: { start: 1, unknown: 0 } });
    expect(texts('twice', 'double-start')).toEqual(['The prompt begins with [CLS] twice: the tokenizer\'s template adds it, and the text has it too. Models are trained with one; leave it out of the text.']);
    expect(said('twice', 'double-start')[0].evidence).toMatchObject({ threshold: 1, value: 2, heads: ['L0H0'], positions: [0, 1] });
    for (const silent of ['words', 'local']) expect(texts(silent, 'double-start'), silent).toEqual([]);
  });
  it('a softcap that the export lost', () => {
    expect(texts('uncapped', 'softcap-lost')).toEqual(['config.json caps attention scores at 50, and the graph does not (L0, L1): the exporter left the softcap out, so that this model computes something else than the original. Export it with eager attention.']);
    expect(said('uncapped', 'softcap-lost')[0]).toMatchObject({ level: 'warning', evidence: { threshold: 50, value: 2, heads: ['L0H0 [0]', 'L1H0 [0]'] } });
    expect(traces.get('capped')!.sites.map(site => site.softcap)).toEqual([50, 50]);
    expect([texts('capped', 'softcap-lost'), texts('listening', 'softcap-lost')]).toEqual([[], []]);
  });
  it('unknown tokens', () => {
    expect(texts('unknown', 'unknown-tokens')).toEqual(['4 of 8 tokens are [UNK] (“☃”, “żur”, “and”): the vocabulary has no piece for this text, and the model cannot tell it apart.']);
    expect(said('unknown', 'unknown-tokens')[0].evidence).toMatchObject({ threshold: 0, value: 4, positions: [3, 5, 6, 7] });
    for (const silent of ['words', 'local']) expect(texts(silent, 'unknown-tokens'), silent).toEqual([]);
  });
  it('parity', () => {
    expect(texts('overflow', 'parity')).toEqual(['Parity failed at 1 of 1 sites (L0): what is shown there is not what the model computed.']);
    expect(texts('sink', 'parity')).toEqual([]);
  });
});

it('every rule is named once', () => expect(new Set(verdicts.map(rule => rule.id)).size).toBe(verdicts.length));
it('there are at least eight, and each has a sentence that says when it speaks', () => {
  expect(verdicts.length).toBeGreaterThanOrEqual(8);
  for (const rule of verdicts) expect(rule.summary, rule.id).toMatch(/\.$/);
});
