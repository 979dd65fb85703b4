/** Folders as people have them: which file plays which part, which is the default, and the small files beside. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { roleOf } from '../../../extension/contract/model-role.ts';
import { readChatTemplate } from '../../../extension/engine/folder/chat-template.ts';
import { fileOf, findModelFile, readFolder } from '../../../extension/engine/folder/folder.ts';
import { readUsualNames } from '../../../extension/engine/folder/genai-names.ts';
import { readGenerationConfig } from '../../../extension/engine/folder/generation-config.ts';

const made: string[] = [];
function folderOf(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'attnscope-folder-'));
  made.push(root);
  for (const [name, text] of Object.entries(files)) { mkdirSync(dirname(join(root, name)), { recursive: true }); writeFileSync(join(root, name), text); }
  return root;
}
afterEach(() => { for (const root of made.splice(0)) rmSync(root, { recursive: true, force: true }); });

it('reads parts and variants from names', () => {
  const names = ['model.onnx', 'model_q4f16.onnx', 'model_quantized.onnx', 'decoder_model.onnx', 'decoder_model_merged_fp16.onnx', 'decoder_with_past_model.onnx', 'encoder_model_int8.onnx', 'vision_encoder.onnx', 'embed_tokens_q4.onnx', 'text_model.onnx', 'model_cached.onnx', 'storyteller.onnx', 'onnx\\model_O3.onnx', 'modelling.onnx', 'decoders.onnx'];
  expect(names.map(name => { const { role, variant } = roleOf(name); return `${role} ${variant}`; })).toEqual([
    'model ', 'model q4f16', 'model int8', 'decoder ', 'decoder-merged fp16', 'decoder-with-past ', 'encoder int8', 'vision ', 'embed q4', 'text ', 'model cached', 'other storyteller', 'model O3', 'other modelling', 'other decoders']);
});

describe('layouts', () => {
  it('transformers.js: the default variant, its data in chunks, its siblings', () => {
    const root = folderOf({ 'config.json': '{}', 'onnx/model_q4.onnx': '1', 'onnx/model.onnx': '22', 'onnx/model.onnx_data': '333', 'onnx/model.onnx_data_1': '4444', 'onnx/model_fp16.onnx': '1', 'onnx/model_fp16.onnx_data': '1' });
    const folder = readFolder(root);
    expect(folder.layout).toBe('transformers.js');
    expect(folder.chosen).toMatchObject({ name: join('onnx', 'model.onnx'), role: 'model', variant: '', bytes: 9 });
    expect(folder.others.map(file => file.variant)).toEqual(['fp16', 'q4']);
    expect(readFolder(join(root, 'onnx', 'model_q4.onnx'))).toMatchObject({ root, chosen: { variant: 'q4', bytes: 1 } });
    expect(readFolder(join(root, 'onnx')).root).toBe(root);
  });
  it('multi-file: the decoder is what a run starts from, and parts of one variant belong together', () => {
    const root = folderOf({ 'config.json': '{}', ...Object.fromEntries(['vision_encoder', 'embed_tokens', 'decoder_model_merged'].flatMap(part => ['', '_q4'].map(variant => [`onnx/${part}${variant}.onnx`, '1']))) });
    const folder = readFolder(join(root, 'onnx', 'decoder_model_merged_q4.onnx'));
    expect(readFolder(root).chosen).toMatchObject({ role: 'decoder-merged', variant: '' });
    expect([fileOf(folder, 'vision')?.name, fileOf(folder, 'embed')?.name, fileOf(folder, 'encoder')]).toEqual([join('onnx', 'vision_encoder_q4.onnx'), join('onnx', 'embed_tokens_q4.onnx'), undefined]);
  });
  it('optimum and onnxruntime-genai', () => {
    expect(readFolder(folderOf({ 'config.json': '{}', 'encoder_model.onnx': '1', 'decoder_model.onnx': '1', 'decoder_with_past_model.onnx': '1' }))).toMatchObject({ layout: 'optimum', chosen: { role: 'decoder' } });
    const genai = readFolder(folderOf({ 'genai_config.json': '{"model": {"type": "phi3v", "decoder": {"filename": "phi-text.onnx"}, "vision": {"filename": "phi-sight.onnx"}, "embedding": {"filename": "phi-words.onnx"}}}', 'phi-text.onnx': '1', 'phi-sight.onnx': '1', 'phi-words.onnx': '1' }));
    expect(genai).toMatchObject({ layout: 'onnxruntime-genai', chosen: { name: 'phi-text.onnx', role: 'model' } });
    expect(genai.files.map(file => file.role)).toEqual(['model', 'vision', 'embed']);
  });
  it('refuses with a sentence', () => {
    const several = folderOf({ 'a.onnx': '1', 'b.onnx': '1' }), none = folderOf({ 'config.json': '{}' });
    expect(() => findModelFile(several)).toThrow(`The folder ${several} holds several models: a.onnx, b.onnx.`);
    expect(() => findModelFile(none)).toThrow(`The folder ${none} holds no .onnx file.`);
    expect(() => findModelFile(join(none, 'gone'))).toThrow(UserError);
    expect(findModelFile(folderOf({ 'only.onnx': '1' }))).toMatch(/only\.onnx$/);
  });
});

describe('small files', () => {
  it('generation: the first file that says it', () => {
    const of = (files: Readonly<Record<string, string>>): ReturnType<typeof readGenerationConfig> => readGenerationConfig(join(folderOf(files), 'model.onnx'));
    expect(of({ 'generation_config.json': '{"do_sample": true, "temperature": 0.6, "top_k": 0, "top_p": 0.9, "eos_token_id": [2, 7]}', 'config.json': '{"eos_token_id": 1, "top_k": 50}' })).toEqual({ sample: true, temperature: 0.6, topK: 50, topP: 0.9, ends: [2, 7] });
    expect(of({ 'config.json': '{"text_config": {"eos_token_id": 5}}' })).toEqual({ sample: false, ends: [5] });
    expect(of({ 'genai_config.json': '{"model": {"eos_token_id": 9}, "search": {"do_sample": false, "temperature": 0.7, "top_p": 7}}' })).toEqual({ sample: false, ends: [9], temperature: 0.7 });
    expect(of({})).toEqual({ sample: false, ends: [] });
    expect(() => of({ 'generation_config.json': '[' })).toThrow('generation_config.json is not valid JSON');
  });
  it('names of inputs and outputs: what genai_config.json calls otherwise, of the file that it names alone', () => {
    const of = (decoder: unknown, file = 'lm.onnx'): string[] => ['kept_3', 'kept_3_v', 'kept_x', 'kept_', 'out.12k', 'words', 'input_ids', 'toString'].map(readUsualNames(join(folderOf({ 'genai_config.json': JSON.stringify({ model: { type: 'phi', decoder } }) }), file)));
    const inputs = { input_ids: 'words', past_key_names: 'kept_%d', past_value_names: 'kept_%d_v' }, plain = ['kept_3', 'kept_3_v', 'kept_x', 'kept_', 'out.12k', 'words', 'input_ids', 'toString'];
    expect(of({ filename: 'lm.onnx', inputs, outputs: { present_key_names: 'out.%dk' } })).toEqual(['past_key_values.3.key', 'past_key_values.3.value', 'kept_x', 'kept_', 'present.12.key', 'input_ids', 'input_ids', 'toString']);
    expect(of({ filename: 'other.onnx', inputs })).toEqual(plain);
    // What is no name is passed over: numbers, lists, a template without a number.
    for (const wrong of [{ input_ids: 7, past_key_names: ['kept_%d'], past_value_names: 'kept_3_v' }, null, 'words', [['words']]]) expect(of({ filename: 'lm.onnx', inputs: wrong, outputs: wrong })).toEqual(plain);
    const damaged = readUsualNames(join(folderOf({ 'genai_config.json': '{' }), 'lm.onnx'));
    expect(() => damaged('x')).toThrow('genai_config.json is not valid JSON');
  });
  it('chat templates: a file of its own, a string, one of several', () => {
    const of = (files: Readonly<Record<string, string>>): ReturnType<typeof readChatTemplate> => readChatTemplate(join(folderOf(files), 'onnx', 'model.onnx'));
    const config = (template: unknown): string => JSON.stringify({ bos_token: { content: '<s>' }, eos_token: '</s>', chat_template: template });
    const text = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m.content | trim }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    expect(of({ 'tokenizer_config.json': config(text), 'onnx/x': '' })?.render(' Hi ')).toBe('<s>[user] Hi</s>[assistant]');
    expect(of({ 'tokenizer_config.json': config([{ name: 'tool_use', template: 'no' }, { name: 'default', template: 'yes' }]), 'onnx/x': '' })?.render('Hi')).toBe('yes');
    expect(of({ 'tokenizer_config.json': config('no'), 'chat_template.jinja': '<{{ messages[0].content }}>', 'onnx/x': '' })?.render('Hi')).toBe('<Hi>');
    expect(of({ 'tokenizer_config.json': '{}', 'onnx/x': '' })).toBeUndefined();
    expect(() => of({ 'chat_template.jinja': '{% for %}', 'onnx/x': '' })).toThrow(/^The chat template beside .* cannot be used: /);
    expect(() => of({ 'chat_template.jinja': '{{ raise_exception("no system") }}', 'onnx/x': '' })!.render('Hi')).toThrow('no system');
  });
});
