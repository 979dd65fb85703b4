/** Files of installed packages that models and the user's own Python lead to: a few of thousands, found by name. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { usedImports } from '../source/imports.ts';
import { pathParts } from '../source/module-index.ts';
import type { ModelOrigin } from '../source/origin.ts';
import type { SourceDocument } from '../source/python-module.ts';

/** `bytes`: generated tables and utilities are longer, models are not. */
const most = { files: 64, bytes: 400_000, suffix: 12, candidates: 6, stars: 8 } as const;
/** What is not there is looked for again after this long: packages are installed while the editor is open. */
const missedMs = 15_000;
/** What these define is known by its name; reading them would only take time. */
const known = /^(torch|torchvision|torchaudio|numpy|scipy|jax|jaxlib|flax|tensorflow|keras|pandas|sklearn|typing_extensions|einops|onnx|onnxruntime)$/;

export interface InstalledSources {
  /** Files of `transformers` that a model's config.json names. */
  filesOf(origin: ModelOrigin): Promise<readonly string[]>;
  /** `files` (paths as exporters wrote them, or as they are here) and what `documents` import, and what these lead to in turn; parsed. */
  reached(files: readonly string[], documents: readonly SourceDocument[]): Promise<readonly SourceDocument[]>;
}

interface Remembered<T> { readonly value: Promise<T>; until: number }

/** What was found holds; what was not is asked again later. */
function remember<T extends string | readonly string[] | undefined>(map: Map<string, Remembered<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = map.get(key);
  if (known && performance.now() < known.until) return known.value;
  const made: Remembered<T> = { value: make(), until: Infinity };
  map.set(key, made);
  void made.value.then(value => { if (!value?.length) made.until = performance.now() + missedMs; });
  return made.value;
}

/** `folders`: where packages lie, the first counts most; `read` parses a file, or has it already. Make a new one when the environments change. */
export function createInstalledSources(folders: readonly string[], read: (path: string) => Promise<SourceDocument | undefined>): InstalledSources {
  const places = new Map<string, Remembered<string | undefined>>(), lists = new Map<string, Remembered<readonly string[]>>(), classes = new Map<string, Remembered<string | undefined>>();
  const isFile = async (path: string): Promise<boolean> => { const is = await stat(path).catch(() => undefined); return is?.isFile() === true && is.size <= most.bytes; };
  const find = (relative: string): Promise<string | undefined> => remember(places, relative, async () => {
    for (const folder of folders) { const path = join(folder, relative); if (path.startsWith(folder + sep) && await isFile(path)) return path; }
    return undefined;
  });
  const namesIn = (folder: string): Promise<readonly string[]> => remember(lists, folder, () => readdir(folder).catch(() => []));

  /** `/opt/x/lib/python3.12/site-packages/timm/models/vit.py`: what follows site-packages; of other paths the longest end that is here, of two components at least. */
  const located = async (written: string): Promise<string | undefined> => {
    const parts = pathParts(written), at = parts.findLastIndex(part => part === 'site-packages' || part === 'dist-packages');
    if (at >= 0) return find(parts.slice(at + 1).join('/'));
    for (let from = Math.max(0, parts.length - most.suffix); from <= parts.length - 2; from++) { const path = await find(parts.slice(from).join('/')); if (path) return path; }
    return undefined;
  };

  const modelFolders = async (): Promise<{ root: string; names: readonly string[] } | undefined> => {
    for (const folder of folders) { const root = join(folder, 'transformers', 'models'), names = await namesIn(root); if (names.length) return { root, names }; }
    return undefined;
  };
  const modelling = async (folder: string): Promise<string[]> => {
    const names = (await namesIn(folder)).filter(name => /^modeling_(?!tf_|flax_)\w+\.py$/.test(name)), kept: string[] = [];
    for (const name of names) if (await isFile(join(folder, name))) kept.push(join(folder, name));
    return kept;
  };
  /** The file of a class of transformers: its lazy imports tell no file, but classes are called after their model's folder. */
  const fileOfClass = (name: string): Promise<string | undefined> => remember(classes, name, async () => {
    const models = await modelFolders(), plain = name.toLowerCase();
    const fitting = (models?.names ?? []).filter(each => plain.startsWith(each.replaceAll('_', ''))).sort((a, b) => b.length - a.length).slice(0, most.candidates);
    const defines = new RegExp(`^class ${name}\\b`, 'm');
    for (const each of fitting) for (const path of await modelling(join(models!.root, each))) if (defines.test(await readFile(path, 'utf8').catch(() => ''))) return path;
    return undefined;
  });

  /** Files that `import MODULE` in `from` means. */
  const ofModule = async (from: SourceDocument, module: string): Promise<string | undefined> => {
    const dots = /^\.*/.exec(module)![0].length, rest = module.slice(dots).split('.').filter(Boolean).join('/');
    if (dots === 0) return known.test(rest.split('/')[0]) || !rest ? undefined : await find(`${rest}.py`) ?? find(`${rest}/__init__.py`);
    if (!from.installed) return undefined;
    let folder = dirname(from.path);
    for (let up = 1; up < dots; up++) folder = dirname(folder);
    if (!folders.some(each => folder === each || folder.startsWith(each + sep))) return undefined;
    const base = rest ? join(folder, rest) : folder;
    return remember(places, base, async () => await isFile(`${base}.py`) ? `${base}.py` : await isFile(join(base, '__init__.py')) ? join(base, '__init__.py') : undefined);
  };

  return {
    filesOf: async origin => {
      const models = await modelFolders(), found = new Set<string>();
      if (!models) return [];
      for (const name of (origin.architectures ?? []).slice(0, 8)) { const path = await fileOfClass(name); if (path) found.add(path); }
      for (const type of (origin.modelTypes ?? []).slice(0, 8)) {
        // `clip_text_model` lives in clip.
        const words = type.replaceAll('-', '_').split('_');
        while (words.length && !models.names.includes(words.join('_'))) words.pop();
        if (words.length) for (const path of await modelling(join(models.root, words.join('_')))) found.add(path);
      }
      return [...found];
    },
    reached: async (files, documents) => {
      const found = new Map<string, SourceDocument>(), seen = new Set<string>(), facades = new Map<string, Map<string, string>>();
      const queue: { readonly document: SourceDocument; readonly names?: ReadonlySet<string> }[] = documents.map(document => ({ document }));
      const add = async (path: string | undefined, names?: ReadonlySet<string>): Promise<void> => {
        const key = `${path} ${names ? [...names].join() : ''}`;
        if (path === undefined || seen.has(key) || (!found.has(path) && found.size >= most.files)) return;
        seen.add(key);
        const document = found.get(path) ?? await read(path);
        if (!document) return;
        found.set(path, document);
        queue.push({ document, ...(names && { names }) });
      };
      const facade = async (name: string): Promise<void> => {
        const path = await fileOfClass(name), folder = folders.find(each => path?.startsWith(each + sep));
        if (path === undefined || folder === undefined) return;
        const file = join(folder, 'transformers', '__init__.py'), parts = pathParts(path.slice(folder.length)), entries = facades.get(file) ?? new Map<string, string>();
        facades.set(file, entries.set(name, `.${parts.slice(1).join('.').replace(/\.py$/, '')}`));
        await add(path);
      };
      for (const file of files.slice(0, most.files)) await add(folders.some(each => file.startsWith(each + sep)) && await isFile(file) ? file : await located(file));
      for (let at = 0; at < queue.length; at++) {
        const { document, names } = queue[at];
        let stars = 0;
        for (const { module, name } of usedImports(document.module, names)) {
          if (name === '*' && ++stars > most.stars) continue;
          if (module === 'transformers' && name !== undefined && /^[A-Z]\w*$/.test(name)) { await facade(name); continue; }
          const path = await ofModule(document, module);
          // Of transformers itself only what lies below models/ is a model.
          if (path && /[\\/]transformers[\\/](?!models[\\/])/.test(path)) continue;
          // Of a package's own file only the imports that give this name matter; of a module, those that its classes use.
          const isPackage = path?.endsWith('__init__.py') ?? false;
          await add(path, !isPackage ? undefined : name === '*' ? names : new Set([name!]));
          if (name !== '*' && isPackage) await add(await ofModule(document, `${module}${module.endsWith('.') ? '' : '.'}${name}`));
        }
      }
      for (const [path, entries] of facades) found.set(path, { path, installed: true, module: { classes: [], functions: [], names: [], imports: [...entries].map(([alias, module]) => ({ alias, module, name: alias })) } });
      return [...found.values()];
    },
  };
}
