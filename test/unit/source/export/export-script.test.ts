/** Export scripts: which class is exported, what is read from its source, that what is written is Python, and what is refused. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { snake } from '../../../../extension/source/export-script/recipe.ts';
import { createIndex } from '../../../../extension/source/module-index.ts';
import { demoFile, document, fixture } from '../support.ts';
import { huggingFace } from './hugging-face.ts';
import { indexOf, indexOfText, readFrom, scriptOf, targetNames } from './support.ts';

const python = process.env.ATTNSCOPE_PYTHON ?? 'python3';
const scratch = mkdtempSync(join(tmpdir(), 'export-script-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const demo = async () => createIndex([await document(readFileSync(demoFile, 'utf8'), '/home/me/demo/model.py')]);

describe('what is exported', () => {
  it('is the outermost class that builds the attention class', async () => {
    expect(targetNames(await demo())).toEqual(['Storyteller']);
    expect(targetNames(createIndex([await fixture('nanogpt.py')]))).toEqual(['GPT']);
    expect(targetNames(createIndex([await fixture('mixed.py')]), 'EinsumMixer')).toEqual(['ViT', 'Factory']);
    expect(targetNames(await indexOf('pkg'))).toEqual(['Transformer']);
  });
  it('is found through tables of classes, class attributes, and subclasses', async () => {
    expect(targetNames(createIndex([await fixture('hf_style.py')]), 'NovaAttention')).toEqual(['NovaForCausalLM']);
    expect(targetNames(createIndex([await fixture('subclass.py')]), 'Attention')).toEqual(['Encoder']);
  });
  it('is asked for where several classes build it, those that inherit the building included', async () => {
    expect(targetNames(await indexOf('two_models.py'))).toEqual(['Reader', 'Writer', 'LoudWriter', 'Anything']);
  });
  it('is the class itself when nothing builds it', async () => expect(targetNames(await indexOf('two_models.py'), 'Lonely')).toEqual(['Lonely']));
  it('ends where classes build each other', async () => {
    const index = await indexOfText('class AAttention(nn.Module):\n  def __init__(self): self.b = B()\n  def forward(self, x): return F.scaled_dot_product_attention(x, x, x)\nclass B(nn.Module):\n  def __init__(self): self.a = AAttention()\n  def forward(self, x): return self.a(x)\n', '/home/me/x.py');
    expect(targetNames(index)).toEqual(['B']);
  });
  it('is the class that people look at attention with, of a Hugging Face model with many heads', async () => {
    expect(targetNames(await indexOfText(huggingFace.bert.text, huggingFace.bert.path))).toEqual(['BertForMaskedLM', 'BertLMHeadModel', 'BertForSequenceClassification']);
  });
});

describe('what is read from the source', () => {
  it('inputs, those that know what they hold, and by whom they are read', async () => {
    expect(readFrom(scriptOf(await demo()))).toBe('"input_ids": ("ids", ("batch", "sequence"), "embed"),\n"attention_mask": ("ones", ("batch", "sequence"), None),\nCONSTANTS = {}\nFORWARD = ["past"]');
    expect(readFrom(scriptOf(await indexOf('mingpt.py')))).toBe('"idx": ("ids", ("batch", "sequence"), "transformer.wte"),\nCONSTANTS = {}\nFORWARD = ["targets"]');
    expect(readFrom(scriptOf(await indexOf('keyword_only.py')))).toBe('"frames": ("unknown", (), "project"),\nCONSTANTS = {}\nFORWARD = []');
  });
  it('several inputs: the one that a module only gets beside another is left to be asked for, a number becomes a constant', async () => {
    expect(readFrom(scriptOf(await indexOf('several_inputs.py')))).toBe('"src": ("unknown", (), "read"),\n"tgt": ("unknown", (), "write"),\n"keep": ("unknown", (), None),\nCONSTANTS = {"scale": ...}\nFORWARD = ["scale", "labels"]');
  });
  it.each([
    ['a dataclass, from the annotation', demo, 'config = build(source.Config, values)\n    model = build(source.Storyteller, values, config=config)', 'Storyteller on Config(…)'],
    ['a dataclass in another file, and what it lacks', () => indexOf('pkg'), 'config = build(source.ModelArgs, values)\n    model = build(source.Transformer, values, params=config)', 'Without a default: vocab_size.'],
    ['a static method that makes the config', () => indexOf('mingpt.py'), 'config = source.GPT.get_default_config()', 'GPT.get_default_config()'],
    ['keyword-only arguments', () => indexOf('keyword_only.py'), 'model = build(source.Encoder, values)', 'Encoder(dim, depth, heads, features), by --set NAME=VALUE or --config FILE.json. Without a default: dim, depth.'],
    ['a config of which nothing is known', () => indexOf('unknown_config.py'), 'config = SimpleNamespace(**values)', 'whose class the source does not name'],
    ['no __init__ at all', async () => indexOfText('class SelfAttention(nn.Module):\n  def forward(self, x):\n    return F.scaled_dot_product_attention(x, x, x)\n', '/home/me/bare.py'), 'model = build(source.SelfAttention, values)', 'Model: SelfAttention().'],
  ])('how it is built: %s', async (_, make, code, said) => {
    const { text, recipe } = scriptOf(await make());
    expect(recipe).toBe('plain-module');
    expect(text).toContain(code);
    expect(text.replaceAll(/\n */g, ' ')).toContain(said);
  });
  it('the package around a file with relative imports', async () => expect(scriptOf(await indexOf('pkg')).text).toContain('top, name, above = FOLDER, "model", 1'));
  it('a file name that no import statement can name', async () => {
    const index = await indexOfText('class Attention(nn.Module):\n  def forward(self, x):\n    return F.scaled_dot_product_attention(x, x, x)\n', '/home/me/my-model v2.py');
    expect(scriptOf(index).text).toContain('spec_from_file_location("my_model_v2_py", FOLDER / SOURCE)');
  });
  it('a file name that tries to end the strings around it', async () => {
    const index = await indexOfText('class Attention(nn.Module):\n  def forward(self, x):\n    return F.scaled_dot_product_attention(x, x, x)\n', '/home/me/a"""+print(1)+""".py');
    const file = join(scratch, 'hostile.py'), count = 'import ast, sys; print([ast.unparse(n) for n in ast.walk(ast.parse(open(sys.argv[1]).read())) if isinstance(n, ast.Call) and ast.unparse(n) == "print(1)"])';
    writeFileSync(file, scriptOf(index).text);
    expect(execFileSync(python, ['-c', count, file], { encoding: 'utf8' })).toBe('[]\n');
  });
  it('what can be read of a half-typed file, and the script will name the line that is not Python', async () => {
    const script = scriptOf(await indexOf('broken.py'));
    expect(readFrom(script)).toBe('"idx": ("ids", ("batch", "sequence"), "h.0"),\nCONSTANTS = {}\nFORWARD = ["targets"]');
    expect(script.text).toContain('model = build(source.GPT, values, config=config)');
    expect(script.text).toContain('stop(f"{error.filename}, line {error.lineno}, is not Python: {error.msg}. Correct it first.")');
  });
});

describe('Hugging Face models', () => {
  it.each([
    ['gpt2', 'hf-decoder', 'GPT2LMHeadModel', ['input_ids', 'attention_mask']],
    ['llama', 'hf-decoder', 'LlamaForCausalLM', ['input_ids', 'attention_mask']],
    ['bert', 'hf-encoder', 'BertForMaskedLM', ['input_ids', 'attention_mask', 'token_type_ids']],
    ['vit', 'hf-vision', 'ViTForImageClassification', ['pixel_values']],
    ['t5', 'hf-encoder-decoder', 'T5ForConditionalGeneration', ['input_ids', 'attention_mask', 'decoder_input_ids']],
  ] as const)('%s is exported as %s', async (family, recipe, name, inputs) => {
    const script = scriptOf(await indexOfText(huggingFace[family].text, huggingFace[family].path));
    expect([script.recipe, script.weights]).toEqual([recipe, 'folder']);
    expect(script.text).toContain(`name = "${name}"`);
    expect([...readFrom(script).matchAll(/^"(\w+)"/gm)].map(match => match[1])).toEqual(inputs);
  });
  it('of one\'s own are imported from the source, with their config class', async () => {
    const script = scriptOf(await indexOf('own_hf.py'));
    expect(script.recipe).toBe('hf-decoder');
    expect(script.text).toContain('found = source.TinyForCausalLM\n    if found.config_class is None:\n        found.config_class = source.TinyConfig');
  });
});

describe('every script is Python that names nothing undefined', () => {
  const gallery: readonly (readonly [string, () => Promise<{ text: string; fileName: string }>])[] = [
    ['demo', async () => scriptOf(await demo())],
    ...['mingpt.py', 'keyword_only.py', 'several_inputs.py', 'vision.py', 'unknown_config.py', 'own_hf.py', 'broken.py', 'pkg'].map(name => [name, async () => scriptOf(await indexOf(name))] as const),
    ...['nanogpt.py', 'subclass.py', 'mixed.py', 'modern.py'].map(name => [name, async () => scriptOf(createIndex([await fixture(name)]))] as const),
    ...['Reader', 'Lonely'].map(name => [`two_models.py, ${name}`, async () => scriptOf(await indexOf('two_models.py'), name)] as const),
    ...Object.entries(huggingFace).filter(([family]) => family !== 'clip').map(([family, { text, path }]) => [family, async () => scriptOf(await indexOfText(text, path))] as const),
  ];
  it.each(gallery)('%s', async (_, make) => {
    const { text, fileName } = await make(), file = join(scratch, fileName);
    writeFileSync(file, text);
    expect(execFileSync(python, [join(import.meta.dirname, 'undefined_names.py'), file], { encoding: 'utf8' })).toBe('');
    expect(text).not.toMatch(/undefined|\[object|[ \t]$/m);
  });
  it('and the check finds what is undefined', () => {
    const file = join(scratch, 'wrong.py');
    writeFileSync(file, 'import os\ndef f(a):\n    return os.getcwd() + missing + a\n');
    expect(execFileSync(python, [join(import.meta.dirname, 'undefined_names.py'), file], { encoding: 'utf8' })).toBe('missing\n');
  });
});

describe('what is refused', () => {
  it.each([
    ['Anything', 'The forward of Anything names no tensor that it needs: it takes (*args, **kwargs). Give its inputs names without defaults, as in forward(self, input_ids), and export again.'],
    ['Writer', 'The forward of Writer takes x by its position only (the "/" in its parameters), and inputs of a graph have names. Remove the "/", and export again.'],
  ])('%s', async (name, sentence) => {
    const index = await indexOf('two_models.py');
    expect(() => scriptOf(index, name)).toThrow(expect.objectContaining({ sentence }));
  });
  it('text and images in one model', async () => {
    const index = await indexOfText(huggingFace.clip.text, huggingFace.clip.path);
    expect(() => scriptOf(index)).toThrow(expect.objectContaining({ sentence: 'CLIPModel takes text and images together, which no single graph of AttnScope\'s script covers. Export it with the optimum-onnx package, or choose the class of one of its towers.' }));
  });
  it('a class inside another one', async () => {
    const index = await indexOfText('class Outer:\n  class Attention(nn.Module):\n    def forward(self, x):\n      return F.scaled_dot_product_attention(x, x, x)\n', '/home/me/x.py');
    expect(() => scriptOf(index)).toThrow(/defined inside another one and cannot be imported/);
  });
});

it('files are named after their class', () => {
  expect(['Storyteller', 'ViTForImageClassification', 'LlamaForCausalLM', 'GPT', 'T5Model', '_Tiny__'].map(snake)).toEqual(['storyteller', 'vit_for_image_classification', 'llama_for_causal_lm', 'gpt', 't5_model', 'tiny']);
});
