/** Encoder-decoder folders: what they generate and attend to, against plain onnxruntime runs of the same graphs; sound; start tokens; refusals. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import type { Prompt, TraceRequest } from '../../../extension/contract/api.ts';
import { UserError } from '../../../extension/contract/errors.ts';
import type { Manifest } from '../../../extension/contract/trace.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { exportPattern } from '../../../extension/engine/analysis/export-pattern.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { readDecodingRules } from '../../../extension/engine/run/generate/decoding-rules.ts';
import { reportSites } from '../../../extension/engine/sites/parts.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';
import { readReference, type ZooTensor } from '../../zoo/cases.ts';
import { mergedPair } from '../../zoo/merged-decoder.ts';
import { generateInOne, generatePair, generateSound, generateSpeech } from './generate-pair.ts';

const root = mkdtempSync(join(tmpdir(), 'attnscope-pair-')), out = join(root, 'out.attntrace');
afterAll(() => rmSync(root, { recursive: true, force: true }));
const json = (folder: string, name: string, value: unknown): void => writeFileSync(join(folder, name), JSON.stringify(value));
const config = { decoder_start_token_id: 3, eos_token_id: 39, vocab_size: 40 };

async function trace(model: string, prompt: Prompt, more: Partial<TraceRequest> = {}): Promise<{ readonly manifest: Manifest; readonly patterns: ReadonlyMap<string, ZooTensor>; readonly steps: number }> {
  let steps = 0;
  await capture({ model, prompt, out, dtype: 'fp32', ...more }, { progress: ({ phase, done }) => { if (phase === 'run' && done !== undefined) steps++; } });
  const { manifest } = await completeCapture({ out }), opened = openTrace(out), file = join(root, 'pattern.safetensors');
  try { await exportPattern(opened, { out: file, sites: [], scores: false }); } finally { opened.close(); }
  return { manifest, patterns: readReference(file), steps };
}

async function refused(model: string, prompt: Prompt, more: Partial<TraceRequest> = {}): Promise<string> {
  const error = await capture({ model, prompt, out, ...more }, { progress: () => undefined }).then(() => undefined, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

/** Of a folder whose graphs show their probabilities: the last logits and all outputs for these decoder ids. */
async function plain(folder: string, feeds: Readonly<Record<string, ort.Tensor>>, ids: readonly number[]): Promise<Record<string, ort.Tensor>> {
  const options = { graphOptimizationLevel: 'basic', logSeverityLevel: 3 } as const, encoder = await ort.InferenceSession.create(join(folder, 'encoder_model.onnx'), options), decoder = await ort.InferenceSession.create(join(folder, 'decoder_model.onnx'), options);
  const given = await encoder.run(feeds), mask = feeds['attention_mask'];
  const said = await decoder.run({ input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]), encoder_hidden_states: given['last_hidden_state'], ...(mask ? { encoder_attention_mask: mask } : {}) });
  await Promise.all([encoder.release(), decoder.release()]);
  return { ...given, ...said };
}
const best = ({ data, dims }: ort.Tensor, allowed: (id: number) => boolean = () => true): number => { const row = (data as Float32Array).subarray(-dims[2]); return [...row.keys()].filter(allowed).reduce((a, b) => (row[b] > row[a] ? b : a)); };

function agree(patterns: ReadonlyMap<string, ZooTensor>, shown: Readonly<Record<string, ort.Tensor>>): number {
  let compared = 0;
  for (const [name, { data, dims }] of Object.entries(shown)) {
    const at = /^(encoder|decoder)\.?\/?.*layers\.(\d+)\/(self|encoder)_attn\.probs$/.exec(name);
    if (!at) continue;
    const found = patterns.get(`${at[1]}.blocks.${at[2]}.${at[3] === 'self' ? 'attn' : 'cross_attn'}.hook_pattern`);
    expect(found?.shape, name).toEqual([...dims]);
    expect(Math.max(...(data as Float32Array).map((value, i) => Math.abs(value - found!.data[i]))), name).toBeLessThan(1e-5);
    compared++;
  }
  return compared;
}

const source = [7, 11, 2, 30, 7, 11], sourceFeeds = { input_ids: new ort.Tensor('int64', BigInt64Array.from(source, BigInt), [1, 6]), attention_mask: new ort.Tensor('int64', new BigInt64Array(6).fill(1n), [1, 6]) };

describe('a folder with encoder and decoder', () => {
  const folder = generatePair(join(root, 'text')), shown = generatePair(join(root, 'text-shown'), { shown: true });
  json(folder, 'config.json', config);
  it('lists the sites of both', async () => {
    const { sites, inputs, model } = await reportSites(folder);
    expect(sites.map(({ name, kind }) => `${name} ${kind}`)).toEqual(['encoder.blocks.0.attn self', 'encoder.blocks.1.attn self', 'decoder.blocks.0.attn self', 'decoder.blocks.0.cross_attn cross', 'decoder.blocks.1.attn self', 'decoder.blocks.1.cross_attn cross']);
    expect([inputs, model.file]).toEqual([['input_ids', 'attention_mask', 'encoder_attention_mask', 'encoder_hidden_states'], 'decoder_model.onnx']);
  });
  it('generates what plain runs do, with a cache, and attends as they do', async () => {
    const { manifest, patterns, steps } = await trace(folder, { kind: 'ids', ids: source }, { generate: 6 }), ids = [3];
    for (let i = 0; i < 6; i++) ids.push(best((await plain(shown, sourceFeeds, ids))['logits']));
    expect(manifest.input).toMatchObject({ ids: [source], target: { ids: [ids] }, given: 1 });
    expect([manifest.filledInputs['decoder_input_ids'], steps, manifest.model.file]).toEqual(['1 start token, 6 generated', 6, 'decoder_model.onnx']);
    const expected = await plain(shown, sourceFeeds, ids);
    expect(agree(patterns, expected)).toBe(6);
    expect(manifest.next[0][0].id).toBe(best(expected['logits']));
    expect(Object.values(manifest.parity).every(({ ok, of }) => ok === true && of === 'pattern')).toBe(true);
    // Induction is looked for among the tokens of the sequence that a site reads.
    expect(manifest.heads['encoder.blocks.0.attn'].some(({ inductionScore }) => inductionScore > 0)).toBe(true);
  });
  it('whose encoder gives float16: the decoder reads the same states', async () => {
    const own = generatePair(join(root, 'half'), { half: true });
    json(own, 'config.json', config);
    const wide = await trace(folder, { kind: 'ids', ids: source }, { generate: 4 }), half = await trace(own, { kind: 'ids', ids: source }, { generate: 4 });
    expect(half.manifest.input.target).toEqual(wide.manifest.input.target);
    // Eleven bits of states that are sums of a few ones.
    for (const [name, { data }] of wide.patterns) expect(Math.max(...data.map((value, i) => Math.abs(value - half.patterns.get(name)!.data[i]))), name).toBeLessThan(2e-3);
  });
  it('of a decoder with both branches in one file: the same text, by way of the branch with a cache', async () => {
    const two = await trace(folder, { kind: 'ids', ids: source }, { generate: 6 }), one = async (name: string, negated: boolean): ReturnType<typeof trace> => {
      const own = join(root, name);
      mkdirSync(own);
      for (const file of ['config.json', 'encoder_model.onnx']) writeFileSync(join(own, file), readFileSync(join(folder, file)));
      writeFileSync(join(own, 'decoder_model_merged.onnx'), mergedPair(folder, negated));
      return trace(own, { kind: 'ids', ids: source }, { generate: 6 });
    };
    const same = await one('merged', false), other = await one('merged-negated', true), ids = ({ manifest }: typeof two): readonly number[] => manifest.input.target!.ids[0];
    expect(ids(same)).toEqual(ids(two));
    expect([same.manifest.filledInputs['use_cache_branch'], same.steps]).toEqual(['false: no cache', 6]);
    for (const [name, { data }] of two.patterns) expect(Math.max(...data.map((value, i) => Math.abs(value - same.patterns.get(name)!.data[i]))), name).toBeLessThan(1e-5);
    // Where the branch with a cache says something else, so does the text, from its first step on.
    expect(ids(other).slice(0, 2)).toEqual(ids(two).slice(0, 2));
    expect(ids(other)).not.toEqual(ids(two));
  });
  it('generates the same without a cache', async () => {
    const bare = generatePair(join(root, 'bare'));
    json(bare, 'config.json', config);
    rmSync(join(bare, 'decoder_with_past_model.onnx'));
    const cached = await trace(folder, { kind: 'ids', ids: source }, { generate: 6 }), whole = await trace(bare, { kind: 'ids', ids: source }, { generate: 6 });
    expect(whole.manifest.input.target).toEqual(cached.manifest.input.target);
  });
  it('says the same in one graph', async () => {
    mkdirSync(join(root, 'one'));
    json(join(root, 'one'), 'config.json', config);
    const { manifest } = await trace(folder, { kind: 'ids', ids: source }, { generate: 6 }), one = (await trace(generateInOne(join(root, 'one/model.onnx')), { kind: 'ids', ids: source }, { generate: 6 })).manifest;
    expect(one.input).toEqual(manifest.input);
    expect(one.sites.map(site => site.name)).toEqual(manifest.sites.map(site => site.name));
    expect(Object.values(one.parity).every(({ ok }) => ok === true)).toBe(true);
  });
  it('ends where the model does, and at its last position', async () => {
    const first = best((await plain(shown, sourceFeeds, [3]))['logits']), short = generatePair(join(root, 'short'));
    json(short, 'config.json', { ...config, eos_token_id: first });
    expect((await trace(short, { kind: 'ids', ids: source })).manifest.input.target?.ids).toEqual([[3]]);
    expect((await trace(folder, { kind: 'ids', ids: source }, { generate: 100 })).manifest.input.target?.ids[0].length).toBeLessThanOrEqual(24);
  });
  it('forces and suppresses tokens as its configuration says', async () => {
    const ruled = generatePair(join(root, 'ruled')), forced = [3, 17];
    json(ruled, 'config.json', config);
    json(ruled, 'generation_config.json', { forced_bos_token_id: 17, bad_words_ids: [[best((await plain(shown, sourceFeeds, forced))['logits'])]], max_length: 4 });
    const banned = best((await plain(shown, sourceFeeds, forced))['logits']), second = best((await plain(shown, sourceFeeds, forced))['logits'], id => id !== banned);
    const { input } = (await trace(ruled, { kind: 'ids', ids: source })).manifest;
    expect(input.target?.ids[0].slice(0, 3)).toEqual([3, 17, second]);
    expect(input.target?.ids[0]).toHaveLength(4);
  });
  it('takes no sound', async () => expect(await refused(folder, { kind: 'audio', file: join(root, 'none.wav') })).toMatch(/takes no log-mel features: its inputs are input_ids, attention_mask\.$/));
});

describe('a speech folder', () => {
  const folder = generateSpeech(join(root, 'speech')), shown = generatePair(join(root, 'speech-shown'), { speech: true, shown: true }), sound = generateSound(join(root, 'sound.wav'));

  it('hears a WAV file, finds its language, and knows the time of every position and the heads that follow it', async () => {
    const { manifest, patterns } = await trace(folder, { kind: 'audio', file: sound }, { generate: 4 }), { ids, given, audio } = manifest.input;
    expect(audio).toEqual({ file: sound, positions: 50, seconds: 0.75, secondsPerPosition: 0.02 });
    expect([given, ids[0].length, ids[0][0], ...ids[0].slice(2, 4)]).toEqual([4, 8, 3, 9, 12]);
    expect([5, 6, 8]).toContain(ids[0][1]);
    expect(manifest.input.target).toBeUndefined();
    expect(Object.fromEntries(manifest.sites.flatMap(site => (site.alignmentHeads ? [[site.name, site.alignmentHeads]] : [])))).toEqual({ 'decoder.blocks.0.cross_attn': [0], 'decoder.blocks.1.cross_attn': [0, 1] });
    expect(patterns.get('decoder.blocks.1.cross_attn.hook_pattern')?.shape).toEqual([1, 2, 8, 50]);
  });
  it('attends as plain runs do on the same features', async () => {
    const features = Float32Array.from({ length: 16 * 100 }, (_, i) => Math.sin(i * i)), file = join(root, 'features.safetensors'), header = Buffer.from(JSON.stringify({ 'in.input_features': { dtype: 'F32', shape: [1, 16, 100], data_offsets: [0, 6400] }, 'in.decoder_input_ids': { dtype: 'I32', shape: [1, 3], data_offsets: [6400, 6412] } })), length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(file, Buffer.concat([length, header, Buffer.from(features.buffer), Buffer.from(Int32Array.of(3, 5, 9).buffer)]));
    const { manifest, patterns } = await trace(folder, { kind: 'tensors', file });
    expect(manifest.input).toMatchObject({ ids: [[3, 5, 9]], given: 3, audio: { positions: 50, secondsPerPosition: 0.02 } });
    expect(manifest.filledInputs).toEqual({});
    expect(agree(patterns, await plain(shown, { input_features: new ort.Tensor('float32', features, [1, 16, 100]) }, [3, 5, 9]))).toBe(6);
  });
  it('takes a language and a task, and none that it does not have', async () => {
    const { manifest } = await trace(folder, { kind: 'audio', file: sound, language: 'de', task: 'translate' }, { generate: 0 });
    expect(manifest.input.ids).toEqual([[3, 6, 10, 12]]);
    expect(await refused(folder, { kind: 'audio', file: sound, language: 'tlh' })).toBe('The model has no language "tlh"; it has en, de, fr, ….');
  });
  it('takes no text', async () => expect(await refused(folder, { kind: 'text', text: 'hello' })).toBe('The model hears: it takes sound, no text.'));
  it('says which value of its preprocessor is wrong', async () => {
    const wrong = generatePair(join(root, 'wrong'), { speech: true });
    json(wrong, 'preprocessor_config.json', { hop_length: 0 });
    expect(await refused(wrong, { kind: 'audio', file: sound })).toMatch(/holds a wrong value for hop_length: a whole number from 1 to 65536 is expected\.$/);
    json(wrong, 'preprocessor_config.json', { feature_size: 16, hop_length: 1, n_fft: 16_000, chunk_length: 1 });
    expect(await refused(wrong, { kind: 'audio', file: sound })).toContain('asks for 16000 frames of 16000 samples in 16 bands, which is more than is computed.');
  });
});

describe('how a decoder starts', () => {
  const rules = (files: Readonly<Record<string, unknown>>, speech?: { readonly language?: string }) => { const folder = join(root, `rules-${Math.random().toString(36).slice(2)}`); mkdirSync(folder); for (const [name, value] of Object.entries(files)) json(folder, name, value); return readDecodingRules(join(folder, 'decoder_model.onnx'), speech); };
  it.each([
    ['T5', { 'config.json': { decoder_start_token_id: 0, eos_token_id: 1 } }, undefined, [0]], ['BART', { 'config.json': { decoder_start_token_id: 2, bos_token_id: 0, forced_bos_token_id: 0 } }, undefined, [2]],
    ['nothing said', {}, undefined, [0]], ['Whisper for English', { 'config.json': { decoder_start_token_id: 50257 }, 'generation_config.json': { forced_decoder_ids: [[1, 50362]], no_timestamps_token_id: 50362, is_multilingual: false } }, {}, [50257, 50362]],
    ['an open place in the forced ids', { 'generation_config.json': { decoder_start_token_id: 4, forced_decoder_ids: [[1, 7], [2, null], [3, 9]] } }, undefined, [4, 7]], ['what generation_config.json says before config.json', { 'config.json': { decoder_start_token_id: 1 }, 'generation_config.json': { decoder_start_token_id: 2 } }, undefined, [2]],
  ])('%s', (_, files, speech, start) => expect(rules(files, speech).start).toEqual(start));
});
it('leaves the folders as they were', () => expect(readFileSync(join(root, 'text/config.json'), 'utf8')).toBe(JSON.stringify(config)));
