/** What the source says about a model class as far as exporting it goes: how it is built, and what its forward takes. */
import { UserError } from '../../contract/errors.ts';
import { pathParts, type ClassRef, type ModuleIndex } from '../module-index.ts';
import type { Parameter } from '../python-module.ts';

/** What a tensor holds. `image`: its size comes from the model's settings; `unknown`: asked of the layer that reads it, at run time. */
export type InputKind = 'ids' | 'ones' | 'zeros' | 'positions' | 'image' | 'float' | 'unknown';

export interface Input {
  readonly name: string;
  readonly kind: InputKind;
  /** Names of the axes that may have any length, outermost first; empty where the layer that reads it has to be asked. */
  readonly axes: readonly string[];
  /** Path of the submodule that it is handed to, from the model: `embed`, `transformer.wte`. */
  readonly readBy?: string;
}

export interface ModelFacts {
  readonly model: ClassRef;
  readonly attention: ClassRef;
  /** A descendant of Hugging Face's PreTrainedModel. */
  readonly pretrained: boolean;
  /** The file is the library's own: `transformers/models/gpt2/modeling_gpt2.py`. */
  readonly library: boolean;
  readonly constructor: Constructor;
  readonly inputs: readonly Input[];
  /** Parameters of forward that are no tensors and have no default: the graph holds them as constants. */
  readonly constants: readonly Parameter[];
  /** Parameters of forward that keep their defaults. */
  readonly leftOut: readonly string[];
  /** Every parameter of forward. */
  readonly forward: readonly string[];
}

export interface Constructor {
  readonly parameters: readonly Parameter[];
  /** The parameter that bundles the others' values. */
  readonly config?: {
    readonly name: string;
    /** How the model's own file calls its class; undefined when the source does not say. */
    readonly as?: string;
    readonly ref?: ClassRef;
    /** A static method of the model that makes one: `get_default_config` (minGPT). */
    readonly factory?: string;
  };
}

const configName = /^(config|cfg|conf|args|hparams|params|model_args|hp|h|opt|options)$/;
const configClass = /(Config|Cfg|Args|Arguments|HParams|Hparams|HyperParams|Params|Settings|Options)$/;
const scalar = /^(int|float|bool|str|complex)$/;

/** Errors: `UserError` when forward names none of its inputs, or there is none. */
export function factsOf(index: ModuleIndex, model: ClassRef, attention: ClassRef): ModelFacts {
  const { external } = index.ancestry(model), name = model.cls.qualifiedName;
  const found = index.method(model, 'forward');
  if (!found) throw new UserError(`The class ${name} has no forward in the files of this workspace, so its inputs are not known.`, 'Export a class that has one.');
  if (name.includes('<locals>') || model.cls.qualifiedName !== model.cls.name) throw new UserError(`The class ${name} is defined inside another one and cannot be imported by its name.`, 'Move it to the top of the file.');
  const signature = found.fn.signature;
  const parts = pathParts(model.document.path);
  const facts = {
    model, attention, constructor: constructorOf(index, model),
    pretrained: external.some(base => /(^|\.)\w*PreTrainedModel$|(^|\.)GenerationMixin$/.test(base)) || index.ancestry(model).own.some(ref => /PreTrainedModel$/.test(ref.cls.name)),
    library: parts.some((part, i) => part === 'transformers' && parts[i + 1] === 'models') && /^modeling_\w+\.py$/.test(parts.at(-1) ?? ''),
    forward: signature.map(p => p.name),
  };
  const unnamed = signature.find(p => p.kind === 'position');
  if (unnamed) throw new UserError(`The forward of ${name} takes ${unnamed.name} by its position only (the "/" in its parameters), and inputs of a graph have names.`, 'Remove the "/", and export again.');
  const named = signature.filter(p => p.kind === 'plain' || p.kind === 'keyword');
  const inputs = named.map(parameter => inputOf(index, model, found.owner, parameter));
  const needed = named.filter((p, i) => p.fallback === undefined && inputs[i] !== undefined);
  const optional = (p: Parameter): boolean => p.fallback !== undefined && p.name === 'attention_mask';
  // Everything optional, as in Hugging Face's own style: the first one that says what it holds is what the model reads.
  const first = needed.length > 0 ? undefined : named.find((p, i) => /^(ids|image)$/.test(inputs[i]?.kind ?? '') && !/^(labels?|targets?)$/.test(p.name));
  const taken = new Set(named.filter(p => needed.includes(p) || p === first || optional(p)));
  if (taken.size === 0) {
    throw new UserError(`The forward of ${name} names no tensor that it needs: it takes (${signature.map(p => (p.kind === 'rest' ? '*' : p.kind === 'keywords' ? '**' : '') + p.name).join(', ')}).`, 'Give its inputs names without defaults, as in forward(self, input_ids), and export again.');
  }
  return {
    ...facts,
    inputs: inputs.filter((input, i): input is Input => input !== undefined && taken.has(named[i])),
    constants: named.filter((p, i) => p.fallback === undefined && inputs[i] === undefined),
    leftOut: named.filter(p => !taken.has(p) && p.fallback !== undefined).map(p => p.name),
  };
}

/** Undefined for what is no tensor by its annotation. */
function inputOf(index: ModuleIndex, model: ClassRef, owner: ClassRef, { name, annotation }: Parameter): Input | undefined {
  const type = annotation?.replace(/^['"]|['"]$/g, '').replace(/^(Optional|typing\.Optional)\[(.*)\]$/, '$2').replace(/\s*\|\s*None$/, '');
  if (type !== undefined && scalar.test(type)) return undefined;
  const readBy = readerOf(index, model, owner, name);
  const of = (kind: InputKind, ...axes: string[]): Input => ({ name, kind, axes, ...(readBy !== undefined && { readBy }) });
  if (/^decoder_input_ids$/.test(name)) return of('ids', 'batch', 'decoder_sequence');
  if (/^(input_?ids|idx|ids|tokens?|token_?ids|input_tokens|src_tokens)$/.test(name) || /LongTensor$|IntTensor$/.test(type ?? '') && !/mask|position|type/.test(name)) return of('ids', 'batch', 'sequence');
  if (name === 'attention_mask') return of('ones', 'batch', 'sequence');
  if (/^(token_type_ids|segment_ids)$/.test(name)) return of('zeros', 'batch', 'sequence');
  if (/^(position_ids|positions|pos_ids)$/.test(name)) return of('positions', 'batch', 'sequence');
  if (/^(pixel_values|images?|imgs?|pixels)$/.test(name)) return of('image');
  return of('unknown');
}

/** The submodule that is called with the variable: which one tells what it has to hold. */
function readerOf(index: ModuleIndex, model: ClassRef, owner: ClassRef, name: string): string | undefined {
  const methods = [index.method(owner, 'forward')?.fn, ...index.ancestry(model).own.flatMap(ref => ref.cls.methods)];
  for (const method of methods) {
    if (method === undefined || !method.parameters.includes(name)) continue;
    // What comes first is what a module works on; masks and the like come after it.
    const call = method.calls.find(one => one.given[0] === name);
    if (call) return call.target.map(part => part === '*' ? '0' : part).join('.');
  }
  return undefined;
}

function constructorOf(index: ModuleIndex, model: ClassRef): Constructor {
  const parameters = index.method(model, '__init__')?.fn.signature.filter(p => p.kind === 'plain' || p.kind === 'keyword') ?? [];
  const factory = index.ancestry(model).own.flatMap(ref => ref.cls.methods).find(method => /^(get_)?default_config$/.test(method.name))?.name;
  for (const parameter of parameters) {
    const as = parameter.annotation?.replace(/^['"]|['"]$/g, '').replace(/\s*\|\s*None$/, '').replace(/^(Optional|typing\.Optional)\[(.*)\]$/, '$2');
    const means = as === undefined ? undefined : index.meaning(model.document, as);
    const bundles = means?.kind === 'class' && index.method(means.ref, 'forward') === undefined;
    if (!bundles && !configName.test(parameter.name) && !configClass.test(as ?? '')) continue;
    if (factory !== undefined) return { parameters, config: { name: parameter.name, factory } };
    if (bundles) return { parameters, config: { name: parameter.name, as, ref: means.ref } };
    // The annotation is a library's class, as PretrainedConfig: it is there under the name that the file uses.
    if (means?.kind === 'external' && /^[\w.]+$/.test(as!)) return { parameters, config: { name: parameter.name, as } };
    const fallback = defaultClass(index, model, parameter);
    if (fallback) return { parameters, config: { name: parameter.name, ...fallback } };
    const near = index.inDocument(model.document).filter(ref => configClass.test(ref.cls.name) && index.method(ref, 'forward') === undefined);
    return { parameters, config: { name: parameter.name, ...(near.length === 1 && near[0].cls.qualifiedName === near[0].cls.name && { as: near[0].cls.name, ref: near[0] }) } };
  }
  return { parameters };
}

/** `config=GPTConfig()`: the default says the class. */
function defaultClass(index: ModuleIndex, model: ClassRef, { fallback }: Parameter): { readonly as: string; readonly ref: ClassRef } | undefined {
  const name = /^([\w.]+)\(.*\)$/.exec(fallback ?? '')?.[1], means = name === undefined ? undefined : index.meaning(model.document, name);
  return name !== undefined && means?.kind === 'class' ? { as: name, ref: means.ref } : undefined;
}
