/** Hugging Face's own modelling files in the tests' venv, and the zoo's exports of these models: the numbers stand on the class that ran, and on nothing else. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Site } from '../../../extension/contract/site.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { sitesReport } from '../../../extension/engine/sites/recognise.ts';
import { createInstalledSources } from '../../../extension/host/installed-sources.ts';
import { packageFolders } from '../../../extension/host/site-packages.ts';
import { hoverAt } from '../../../extension/source/hovers.ts';
import { lensesFor, lensesOf, type TraceInfo } from '../../../extension/source/lenses.ts';
import { linkSites, type SiteLink } from '../../../extension/source/link.ts';
import { createIndex } from '../../../extension/source/module-index.ts';
import { readOrigin, type ModelOrigin } from '../../../extension/source/origin.ts';
import type { SourceDocument } from '../../../extension/source/python-module.ts';
import { zooCases } from '../../zoo/cases.ts';
import { document, positionOf, textAt } from './support.ts';

const python = process.env['ATTNSCOPE_PYTHON'] ?? 'python3';
/** Class that runs, its line in transformers 5.17.0's file, and the way of its module from the model. */
const ran = {
  gpt2: { cls: 'GPT2Attention', line: 211, root: 'GPT2LMHeadModel', steps: ['GPT2LMHeadModel.transformer', 'GPT2Model.h', 'GPT2Block.attn'] },
  llama: { cls: 'LlamaAttention', line: 268, root: 'LlamaForCausalLM', steps: ['LlamaForCausalLM.model', 'LlamaModel.layers', 'LlamaDecoderLayer.self_attn'] },
  bert: { cls: 'BertSelfAttention', line: 192, root: 'BertForMaskedLM', steps: ['BertForMaskedLM.bert', 'BertModel.encoder', 'BertEncoder.layer', 'BertLayer.attention', 'BertAttention.self'] },
  vit: { cls: 'ViTAttention', line: 224, root: 'ViTModel', steps: ['ViTModel.layers', 'ViTLayer.attention'] },
} as const;
type Model = keyof typeof ran;
const models = Object.keys(ran) as Model[];
/** All that is a lens in these files before anything was traced: no outputs, no models, no wrappers. */
const offered: Readonly<Record<Model, readonly string[]>> = { gpt2: ['GPT2Attention'], llama: ['LlamaAttention'], bert: ['BertSelfAttention', 'BertCrossAttention'], vit: ['ViTAttention'] };

let packages: string;
const fileOf = (model: string): string => join(packages, 'transformers/models', model, `modeling_${model}.py`);
const installed = async (model: string): Promise<SourceDocument> => read(fileOf(model)).then(found => found!);
const read = async (path: string): Promise<SourceDocument | undefined> => { const text = readFileSync(path, 'utf8'); return { ...await document(text, path), text, installed: true }; };
const sitesOf = async (file: string): Promise<readonly Site[]> => sitesReport(await openModel(file)).sites;
/** As if each site had been measured. */
const traceOf = (sites: readonly Site[]): TraceInfo => ({ heads: {}, parity: Object.fromEntries(sites.map(s => [s.name, { maxAbs: 1e-7, of: 'pattern', rows: 64, dtype: 'F32', tolerance: 1e-5, ok: true }])) });
const brief = (links: readonly SiteLink[]): string[] => links.map(l => `${l.level} ${l.className ?? '-'}`);

beforeAll(async () => {
  const folders = await packageFolders(python);
  packages = folders[0];
  expect(readdirSync(join(packages, 'transformers/models')), 'run npm test once: it fetches the modelling files').toContain('gpt2');
});

describe.each(models)('%s', model => {
  const { cls, line, steps } = ran[model];
  it('has a lens over its attention classes before a trace, and over nothing else', async () => {
    expect(lensesFor(await installed(model), []).map(l => [l.className, l.kind])).toEqual(offered[model].map(name => [name, 'trace']));
  });
  it.each(zooCases().filter(c => c.architecture === model).map(c => [c.export, c.file]))('%s: numbers on the class that ran, by the evidence that the export has', async (exported, file) => {
    const sites = await sitesOf(file), documents = await Promise.all(models.map(installed)), index = createIndex(documents), own = documents[models.indexOf(model)];
    const traced = exported.includes('dynamo'), origin: ModelOrigin = traced ? {} : { modelTypes: [model], architectures: [ran[model].root], files: [fileOf(model)] };
    const links = linkSites({ sites, modelFile: 'model.onnx', origin }, documents, index);
    expect(brief(links)).toEqual(sites.map(() => `${traced ? 'stack-trace' : 'node-path'} ${cls}`));
    expect(links.map(l => l.path)).toEqual(sites.map(() => own.path));
    // Where several models hold the part that ran, only config.json says which of them it was.
    const shared = model === 'gpt2' || model === 'bert';
    expect(links[0].steps.map(s => `${s.holder}.${s.attribute}`)).toEqual(traced && shared ? steps.slice(1) : steps);
    if (traced) expect([links[0].line, links[0].how]).toEqual([line - 1, `The exporter wrote that it ran in \`modeling_${model}.py\`, line ${line}.`]);
    else expect(links[0].how).toMatch(new RegExp(`walked from class \`${steps[0].split('.')[0]}\`, which config\\.json beside the model names\\.$`));
    expect(lensesFor(own, links, traceOf(sites), index).map(l => [l.className, l.kind, l.title])).toEqual([[cls, 'measured', '2 sites · 0 sink heads · parity 1e-7']]);
    expect(documents.filter(d => d !== own).flatMap(d => lensesFor(d, links, traceOf(sites), index).filter(l => l.kind !== 'trace'))).toEqual([]);
    const at = own.text!.indexOf(`class ${cls}(`), hover = hoverAt(own, links, { line: own.text!.slice(0, at).split('\n').length - 1, column: 8 });
    expect([hover?.what, hover?.sites, hover?.classes]).toEqual(['class', sites.map(s => s.name), [cls]]);
  });
});

const further: Readonly<Record<string, readonly [folder: string, cls: string]>> = { distilbert: ['distilbert', 'DistilBertSelfAttention'], gemma2: ['gemma2', 'Gemma2Attention'], mistral_sw: ['mistral', 'MistralAttention'], phi3: ['phi3', 'Phi3Attention'] };
it.each(zooCases().filter(c => c.architecture in further).map(c => [c.architecture, c.export, c.file]))('%s/%s: among the files of all of them, its own', async (architecture, exported, file) => {
  const [folder, cls] = further[architecture], documents = await Promise.all(Object.values(further).map(([each]) => installed(each)));
  const links = linkSites({ sites: await sitesOf(file), modelFile: 'model.onnx', origin: { modelTypes: [folder], files: [fileOf(folder)] } }, documents);
  expect(brief(links)).toEqual(links.map(() => `${exported.includes('dynamo') ? 'stack-trace' : 'node-path'} ${cls}`));
  expect(links.length).toBe(2);
});

describe('what holds them apart', () => {
  const tsOf = (model: Model): string => zooCases().find(c => c.architecture === model && c.export.endsWith('ts'))!.file;
  it('a path that many installed models have proves nothing by itself', async () => {
    const sites = await sitesOf(tsOf('llama'));
    // Only mistral is here, whose modules have the same names.
    const mistral = await installed('mistral'), links = linkSites({ sites, modelFile: 'llama.onnx' }, [mistral]);
    expect(brief(links)).toEqual(['none -', 'none -']);
    expect(links[0].how).toMatch(/^The module path `model\.layers\.0\.self_attn` fits `MistralAttention` in `mistral\/modeling_mistral\.py`, as it does many installed models; nothing says that it is this one\./);
    const both = [mistral, await installed('llama'), await installed('gemma2'), await installed('phi3')];
    expect(brief(linkSites({ sites, modelFile: 'llama.onnx' }, both))).toEqual(['none -', 'none -']);
    expect(brief(linkSites({ sites, modelFile: 'llama.onnx', origin: { architectures: ['LlamaForCausalLM'] } }, both))).toEqual(['node-path LlamaAttention', 'node-path LlamaAttention']);
  });
  it('the lens that the trace was started from speaks for its class, and the hover says so', async () => {
    const sites = await sitesOf(tsOf('llama')), both = [await installed('mistral'), await installed('llama')];
    const origin: ModelOrigin = { startedFrom: { path: fileOf('llama'), className: 'LlamaAttention' } };
    const links = linkSites({ sites, modelFile: 'llama.onnx', origin }, both);
    expect(brief(links)).toEqual(['node-path LlamaAttention', 'node-path LlamaAttention']);
    expect(links[0].how).toMatch(/walked from class `\w+`, to the class whose lens started this trace\.$/);
    // A class that the path does not lead to is not made to fit.
    expect(brief(linkSites({ sites, modelFile: 'llama.onnx', origin: { startedFrom: { path: fileOf('llama'), className: 'LlamaMLP' } } }, both))).toEqual(['none -', 'none -']);
  });
  it('the user\'s own class of the same path wins over installed ones that nothing speaks for', async () => {
    const own = await document('class Own(nn.Module):\n    def forward(self, q, k, v): return F.scaled_dot_product_attention(q, k, v)\nclass Block(nn.Module):\n    def __init__(self):\n        self.self_attn = Own()\nclass Inner(nn.Module):\n    def __init__(self):\n        self.layers = nn.ModuleList([Block() for _ in range(2)])\nclass Model(nn.Module):\n    def __init__(self):\n        self.model = Inner()\n', '/home/me/own.py');
    const links = linkSites({ sites: await sitesOf(tsOf('llama')), modelFile: 'llama.onnx' }, [await installed('mistral'), own, await installed('llama')]);
    expect(brief(links)).toEqual(['node-path Own', 'node-path Own']);
  });
  it('two models, both traced, in one workspace: each class has its own numbers', async () => {
    const [a, b] = [await installed('gpt2'), await installed('bert')], index = createIndex([a, b]);
    const traces = await Promise.all((['gpt2', 'bert'] as const).map(async model => {
      const sites = await sitesOf(zooCases().find(c => c.architecture === model && c.export === 'sdpa-dynamo23')!.file);
      return { links: linkSites({ sites, modelFile: `${model}.onnx` }, [a, b], index), trace: { ...traceOf(sites), ...(model === 'bert' && { stale: 'bert.onnx changed' }) } };
    }));
    expect([a, b].flatMap(d => lensesOf(d, traces, index).map(l => [l.className, l.kind, l.of]))).toEqual([['GPT2Attention', 'measured', 0], ['BertSelfAttention', 'stale', 1]]);
  });
});

describe('another version of the file', () => {
  const dynamo = async (): Promise<readonly Site[]> => sitesOf(zooCases().find(c => c.architecture === 'gpt2' && c.export === 'sdpa-dynamo23')!.file);
  const changed = async (change: (text: string) => string): Promise<SourceDocument> => { const text = change(readFileSync(fileOf('gpt2'), 'utf8')); return { ...await document(text, fileOf('gpt2')), text, installed: true }; };
  it('with lines put before it: found again by its text', async () => {
    const moved = await changed(text => text.replace('class GPT2Attention(', '# one\n# two\n# three\nclass GPT2Attention(')), [link] = linkSites({ sites: await dynamo(), modelFile: 'm.onnx' }, [moved]);
    expect([link.className, link.line]).toEqual(['GPT2Attention', 213]);
    expect(link.how).toBe('The exporter wrote that it ran in `modeling_gpt2.py`, line 211; the same text stands in line 214 now.');
  });
  it('with the line rewritten: found by the name of the class, and said', async () => {
    const rewritten = await changed(text => text.replaceAll('attn_output, attn_weights = attention_interface(', 'out = attention_interface(')), [link] = linkSites({ sites: await dynamo(), modelFile: 'm.onnx' }, [rewritten]);
    expect(link.how).toBe('The exporter wrote that it ran in `modeling_gpt2.py`, line 211; the text has changed since, and `GPT2Attention` was found by its name.');
    expect(link.line).toBe(link.classRange!.start.line);
  });
  it('copied into the workspace, while the package\'s own file is not to be found: nothing', async () => {
    const text = readFileSync(fileOf('gpt2'), 'utf8'), copy = { ...await document(text, '/home/me/project/my_gpt2.py'), text }, [link] = linkSites({ sites: await dynamo(), modelFile: 'm.onnx' }, [copy]);
    expect([link.level, link.how]).toEqual(['none', 'It ran in `site/of/exporter/lib/python3.12/site-packages/transformers/models/gpt2/modeling_gpt2.py` of an installed package; the class `GPT2Attention` here is a copy of it.']);
    expect(brief(linkSites({ sites: await dynamo(), modelFile: 'm.onnx' }, [{ ...copy, path: '/home/me/project/modeling_gpt2.py' }]))).toEqual(['none -', 'none -']);
    // A class of the user's own that calls the package's forward is what ran.
    const heir = await document('from transformers.models.gpt2.modeling_gpt2 import GPT2Attention\nclass Mine(GPT2Attention):\n    def forward(self, x): return super().forward(x)\n', '/home/me/project/mine.py');
    const mine = (await dynamo()).map(s => ({ ...s, source: { ...s.source, class: 'Mine', classModule: 'mine' } }));
    expect(brief(linkSites({ sites: mine, modelFile: 'm.onnx' }, [heir, await installed('gpt2')]))).toEqual(['stack-trace Mine', 'stack-trace Mine']);
    // A checkout of transformers is what runs after `pip install -e`.
    const checkout = { ...copy, path: '/home/me/transformers/src/transformers/models/gpt2/modeling_gpt2.py' };
    expect(brief(linkSites({ sites: await dynamo(), modelFile: 'm.onnx' }, [checkout]))).toEqual(['stack-trace GPT2Attention', 'stack-trace GPT2Attention']);
    // Where both are, the package's is meant.
    const both = linkSites({ sites: await dynamo(), modelFile: 'm.onnx' }, [copy, await installed('gpt2')]);
    expect(both.map(l => l.path)).toEqual([fileOf('gpt2'), fileOf('gpt2')]);
  });
  it('without the class: nothing', async () => {
    const gone = await changed(text => text.replaceAll('GPT2Attention', 'Renamed'));
    expect(brief(linkSites({ sites: await dynamo(), modelFile: 'm.onnx' }, [gone]))).toEqual(['none -', 'none -']);
  });
});

describe('the environment', () => {
  const sources = (): ReturnType<typeof createInstalledSources> => createInstalledSources([packages], async path => read(path));
  const names = (documents: readonly SourceDocument[]): string[] => documents.map(d => d.path.slice(packages.length + 1)).sort();
  it('gives the file that a stack trace names, from another machine\'s path', async () => {
    const found = await sources().reached(['/venv/lib/python3.12/site-packages/transformers/models/gpt2/modeling_gpt2.py', 'C:\\src\\transformers\\src\\transformers\\models\\vit\\modeling_vit.py', '/etc/passwd', '../../../../../etc/passwd'], []);
    expect(names(found)).toEqual(['transformers/models/gpt2/modeling_gpt2.py', 'transformers/models/vit/modeling_vit.py']);
  });
  it('gives the files that config.json names, by type and by class', async () => {
    const of = async (config: unknown): Promise<string[]> => (await sources().filesOf(readOrigin(config))).map(path => path.slice(packages.length + 1));
    expect(await of({ model_type: 'llama' })).toEqual(['transformers/models/llama/modeling_llama.py']);
    expect(await of({ model_type: 'gpt-sw3', architectures: ['GPT2LMHeadModel'] })).toEqual(['transformers/models/gpt2/modeling_gpt2.py']);
    expect(await of({ model_type: 'clip_text_model' })).toEqual(['transformers/models/clip/modeling_clip.py']);
    expect(await of({ model_type: 'llava', text_config: { model_type: 'llama' }, vision_config: { model_type: 'clip_vision_model' } })).toEqual(['transformers/models/llama/modeling_llama.py', 'transformers/models/clip/modeling_clip.py']);
    expect(await of({ model_type: '../../x', architectures: ['(', 7] })).toEqual([]);
  });
  it('follows what the user\'s own Python extends and builds, through the package\'s lazy imports', async () => {
    const text = 'import torch\nfrom torch import nn\nfrom transformers import LlamaForCausalLM, AutoTokenizer\nfrom transformers.models.vit.modeling_vit import ViTAttention as Attn\nclass Mine(Attn):\n    pass\nclass Wrap(nn.Module):\n    def __init__(self, config):\n        self.m = LlamaForCausalLM(config)\n';
    const own = await document(text, '/home/me/wrap.py'), found = await sources().reached([], [own]);
    expect(names(found)).toEqual(['transformers/__init__.py', 'transformers/models/llama/modeling_llama.py', 'transformers/models/vit/modeling_vit.py']);
    // The wrapper of the user is the root: what the path leads to needs nobody else to speak for it.
    const documents = [own, ...found], index = createIndex(documents), links = linkSites({ sites: await sitesOf(zooCases().find(c => c.architecture === 'llama' && c.export === 'sdpa-ts')!.file), modelFile: 'm.onnx' }, documents, index);
    expect(brief(links)).toEqual(['node-path LlamaAttention', 'node-path LlamaAttention']);
    expect(links[0].how).toMatch(/belongs to module `m\.model\.layers\.0\.self_attn`: walked from class `Wrap`\.$/);
    expect(lensesFor(own, [], undefined, index).map(l => [l.className, l.why])).toEqual([['Mine', '`forward`, inherited from `ViTAttention`, calls `attention_interface`']]);
  });
  it('follows a modular file to the model that it derives from', async () => {
    const path = join(packages, 'transformers/models/mistral/modular_mistral.py'), modular = (await read(path))!, found = await sources().reached([], [modular]);
    expect(names(found)).toContain('transformers/models/llama/modeling_llama.py');
    expect(lensesFor(modular, [], undefined, createIndex([modular, ...found])).map(l => l.className)).toEqual(['MistralAttention']);
  });
});

it('a table of classes of Hugging Face\'s own: the class that the exporter names is chosen', async () => {
  const git = await installed('git'), text = git.text!;
  const site = (cls: string | null): Site => ({ ...{ name: 'blocks.0.attn', stack: 'main', layer: 0, kind: 'self', form: 'dense', heads: 4, kvHeads: 4, headDim: 8, valueDim: 8, mask: { causal: true, window: null, padding: false, additive: false }, scale: 1, softcap: null, sinkLogit: false, operator: 'Softmax', node: 'node_Softmax_1', capture: 'graph', taps: { q: null, k: null, v: null, probs: null, out: null } }, source: { module: 'git.encoder.layer.0.attention.self', class: cls, file: null, line: null, level: 'class-hierarchy' } });
  const [link] = linkSites({ sites: [site('GitSelfAttention')], modelFile: 'git.onnx' }, [git]);
  expect(brief([link])).toEqual(['class-hierarchy GitSelfAttention']);
  expect(textAt(text, link.assign!.range)).toMatch(/^self\.self = GIT_SELF_ATTENTION_CLASSES\[/);
  expect(hoverAt(git, [link], positionOf(text, 'self.self = GIT', 6))?.what).toBe('assign');
});
