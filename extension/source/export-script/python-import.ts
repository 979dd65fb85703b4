/** Python that imports the source of a model, from wherever its package begins. */
import type { ModelFacts } from './facts.ts';
import { pathParts } from '../module-index.ts';
import { moduleName, quoted, type ScriptPlace } from './recipe.ts';

/** Defines `source_module()`; the top of the workspace is on the path, for imports that start there. */
export function importSource(facts: ModelFacts, { climb, installedAs }: ScriptPlace): string {
  const fileName = pathParts(facts.model.document.path).at(-1) ?? '';
  // `from ..parts import X`: so many folders above this one belong to the package, with or without an __init__.py.
  const dots = Math.max(0, ...facts.model.document.module.imports.map(one => /^\.*/.exec(one.module)![0].length));
  const name = moduleName(fileName);
  const load = installedAs !== undefined ? `    run = lambda: importlib.import_module(${quoted(installedAs)})`
    : name === undefined
      ? `    spec = importlib.util.spec_from_file_location(${quoted(fileName.replace(/\W+/g, '_'))}, FOLDER / SOURCE)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    run = lambda: spec.loader.exec_module(module) or module`
      : `    top, name, above = FOLDER, ${quoted(name)}, ${dots}
    while above > 0 or (top / "__init__.py").is_file():
        top, name, above = top.parent, f"{top.name}.{name}", above - 1
    sys.path.insert(0, str(top))
    run = lambda: importlib.import_module(name)`;
  return `def source_module():
    """The source as a module. It is imported with the package around it, so that its own imports hold."""
    sys.path.append(str(${climb > 0 ? `FOLDER.parents[${climb - 1}]` : 'FOLDER'}))
${load}
    try:
        return run()
    except SyntaxError as error:
        stop(f"{error.filename}, line {error.lineno}, is not Python: {error.msg}. Correct it first.")
    except ModuleNotFoundError as error:
        stop(f"{SOURCE} imports {error.name}, which {sys.executable} does not have. Run this script with the Python that runs {SOURCE}, or install it there.")`;
}
