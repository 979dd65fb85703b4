/** Writes the whole script for one model class: what was read from the source at its top, then what it does, in the order of reading. */
import { UserError } from '../../contract/errors.ts';
import { pathParts, type ClassRef, type ModuleIndex } from '../module-index.ts';
import { factsOf, type ModelFacts } from './facts.ts';
import { exporting, guard, inputs, running } from './python-parts.ts';
import { quoted, snake, type ScriptParts, type ScriptPlace } from './recipe.ts';
import { recipes } from './recipes/registry.ts';

export interface ExportScript {
  /** `export_storyteller_onnx.py` */
  readonly fileName: string;
  readonly text: string;
  readonly recipe: string;
  /** The packages that the script needs. */
  readonly packages: readonly string[];
  /** What `--weights` takes: a folder of transformers, or a file. */
  readonly weights: 'folder' | 'file';
  /** Where the model is written, from the script's folder, with `/`. */
  readonly output: string;
}

/** Errors: `UserError` where the source says too little, with what to do. */
export function exportScript(index: ModuleIndex, model: ClassRef, attention: ClassRef, place: ScriptPlace): ExportScript {
  const facts = factsOf(index, model, attention), recipe = recipes.find(one => one.claims(facts)), name = model.cls.name;
  if (!recipe) {
    throw new UserError(`${name} takes ${facts.forward.includes('pixel_values') ? 'text and images together' : `(${facts.forward.join(', ')})`}, which no single graph of AttnScope's script covers.`, 'Export it with the optimum-onnx package, or choose the class of one of its towers.');
  }
  const parts = recipe.parts(facts, place), source = pathParts(model.document.path).at(-1) ?? '';
  const fileName = `export_${snake(name)}_onnx.py`, output = `${snake(name)}_onnx/model.onnx`;
  const imports = ['argparse', 'ast', 'dataclasses', 'json', 'shutil', 'sys', 'traceback', 'warnings', ...parts.imports].sort();
  const text = `${docstring(facts, parts, { source, fileName, output })}

${imports.map(one => one === 'importlib' ? 'import importlib.util' : `import ${one}`).join('\n')}
from pathlib import Path
from types import SimpleNamespace

FOLDER = Path(__file__).resolve().parent
OUT = FOLDER / ${quoted(output.split('/')[0])} / "model.onnx"
SOURCE = ${quoted(source)}
ATTENTION = ${quoted(`${facts.attention.cls.qualifiedName} in ${pathParts(facts.attention.document.path).at(-1)}`)}
PACKAGES = ${quoted(parts.packages.join(' '))}
WEIGHTS = ${quoted(parts.weights)}

# What forward is given: kind, axes (a name: any length), and the part of the model that reads it.
# "unknown" is asked of that part.
INPUTS = {
${parts.inputs.map(input => `    ${quoted(input.name)}: (${quoted(input.kind)}, (${input.axes.map(quoted).join(', ')}${input.axes.length === 1 ? ',' : ''}), ${readerOf(facts, input.name)}),`).join('\n')}
}
# What forward needs besides and what keeps its default; "..." must be given: --forward NAME=VALUE.
CONSTANTS = {${facts.constants.map(p => `${quoted(p.name)}: ...`).join(', ')}}
FORWARD = [${[...facts.constants.map(p => p.name), ...facts.leftOut].map(quoted).join(', ')}]


${forwardOf(parts)}


${guard}


${parts.make}


${inputs}


${exporting}


${running}
`;
  return { fileName, text: text.includes('SimpleNamespace(') ? text : text.replace('from types import SimpleNamespace\n', ''), recipe: recipe.id, packages: parts.packages, weights: facts.pretrained ? 'folder' : 'file', output };
}

/** Recipes name their inputs themselves; who reads them the source says. */
function readerOf(facts: ModelFacts, name: string): string {
  const readBy = facts.inputs.find(input => input.name === name)?.readBy;
  return readBy === undefined ? 'None' : quoted(readBy);
}

function docstring(facts: ModelFacts, parts: ScriptParts, { source, fileName, output }: { readonly source: string; readonly fileName: string; readonly output: string }): string {
  const list = (names: readonly string[]): string => names.length > 0 ? names.join(', ') : 'none';
  return `"""${wrapped(`Exports ${facts.model.cls.name} of ${source} to ONNX for AttnScope, and checks the file against PyTorch.

Written by AttnScope from what the source says; it is yours to change. Run it with the Python that runs ${source}:

    python -m pip install ${parts.packages.join(' ')}
    python ${fileName} --weights ${facts.pretrained ? 'FOLDER' : 'FILE'}
    python ${fileName} --random          (untrained weights, to try it out)

--weights takes ${parts.weights}.
The model is written to ${output}, with tokenizer.json beside it when there is one.
Then in VS Code: Trace Attention, over ${facts.attention.cls.qualifiedName}.

Exporter: torch.onnx.export with dynamo=True, which records the line of Python behind every node; TorchScript when that fails.
Dynamic axes: ${list(parts.axes)}.
Attention: as it is. Neither eager attention nor attentions among the outputs are needed: AttnScope finds them in the graph.
Model: ${parts.built}
Inputs: ${list(parts.inputs.map(input => input.name))}. Left at their defaults: ${list(facts.leftOut.filter(name => !parts.inputs.some(input => input.name === name)))}.`)}
"""`;
}

/** Lines of at most 100 characters, as Python's own conventions like them; what goes on after a `Word:` is indented. Nothing of a file's name ends the string around it. */
function wrapped(text: string): string {
  const safe = text.replaceAll('\\', '/').replaceAll('"""', '\'\'\'');
  return safe.split('\n').map(line => line.startsWith(' ') ? line : line.replace(/(?! )(.{1,98})(?: |$)/g, '$1\n').trimEnd().replaceAll('\n', /^[A-Z]\w+: /.test(line) ? '\n  ' : '\n')).join('\n');
}

/** A subclass, and no wrapper around the model: a wrapper would put its own name before every module. */
function forwardOf(parts: ScriptParts): string {
  const names = parts.inputs.map(input => input.name);
  return `def exported(model):
    """The model with a forward that takes and returns tensors only, as a graph does. A subclass and no wrapper: its modules keep their names."""
    own = type(model)

    def forward(self, ${names.join(', ')}):
        return tuple(tensors(own.forward(self, ${names.map(name => `${name}=${name}`).join(', ')}, **CONSTANTS)).values())

    model.__class__ = type(own.__name__, (own,), {"forward": forward, "__module__": own.__module__, "__qualname__": own.__qualname__})
    return model`;
}
