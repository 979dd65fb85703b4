/** A model as people have it: from an .onnx file or a folder, which files there are and which part each plays. */
import { readdirSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { UserError } from '../../contract/errors.ts';
import { byVariant, dataNames, roleOf, type ModelRole, type NamedRole } from '../../contract/model-role.ts';
import { jsonBeside, modelFolders } from './beside.ts';

export interface ModelFile extends NamedRole {
  /** Absolute. */
  readonly path: string;
  /** Relative to the folder: `onnx/model_q4.onnx`. */
  readonly name: string;
  /** With external data that is named as exporters name it. */
  readonly bytes: number;
}

export interface ModelFolder {
  /** Where config.json and its like lie; of a lone file the folder around it. */
  readonly root: string;
  readonly layout: 'lone' | 'hugging-face' | 'optimum' | 'transformers.js' | 'onnxruntime-genai';
  /** In the order in which they are offered: by part, the default variant first. */
  readonly files: readonly ModelFile[];
  /** What `path` means: the file itself, or the folder's default; undefined where a person has to say. */
  readonly chosen?: ModelFile;
  /** Parts with several variants: the others that could have been chosen. */
  readonly others: readonly ModelFile[];
  /** A small JSON file of the folder, read when asked for. Errors: `UserError` when it is too long or damaged. */
  json(name: string): Record<string, unknown> | undefined;
}

/** What a run starts from when only the folder is named: one graph first, then the part that reads tokens and says what comes next. */
const main: readonly ModelRole[] = ['model', 'decoder', 'decoder-merged', 'encoder'];
const offered: readonly ModelRole[] = ['model', 'decoder', 'decoder-merged', 'decoder-with-past', 'encoder', 'vision', 'audio', 'text', 'embed', 'other'];
const mostFiles = 1_000;

/** Looks at names and sizes only. Errors: `UserError` where there is nothing at `path`, or a folder has no .onnx file. */
export function readFolder(path: string): ModelFolder {
  const at = resolve(path), stats = statOf(at);
  if (!stats) throw new UserError(`There is no file or folder ${path}.`, 'Check the path of the model.');
  const given = stats.isDirectory() ? undefined : at, homes = given === undefined ? [at, join(at, 'onnx')] : modelFolders(at);
  const root = given === undefined ? (basename(at) === 'onnx' && !statOf(join(at, 'config.json')) ? dirname(at) : at) : rootOf(given);
  const parts = genaiParts(root), files = homes.flatMap(home => filesIn(home, root, parts)).sort(byOffer);
  if (given === undefined && !files.length) throw new UserError(`The folder ${path} holds no .onnx file.`, 'Name the model file, or a folder with a model.onnx.');
  const chosen = given === undefined ? byDefault(files) : files.find(file => file.path === given) ?? fileAt(given, root, parts);
  return {
    root, layout: layoutOf(root, files, parts.size > 0), files, others: chosen ? files.filter(file => file !== chosen && file.role === chosen.role) : [], ...(chosen ? { chosen } : {}),
    json: name => jsonBeside(join(root, 'model.onnx'), name),
  };
}

/** The file that plays `role`: of the same variant as `like`, else the default one. */
export function fileOf(folder: ModelFolder, role: ModelRole, like: ModelFile | undefined = folder.chosen): ModelFile | undefined {
  const those = folder.files.filter(file => file.role === role);
  return those.find(file => file.variant === like?.variant) ?? those[0];
}

/** The .onnx file that `path` means. Errors: `UserError` where there is none, or a folder has several and none is the default. */
export function findModelFile(path: string): string {
  const { chosen, files, root } = readFolder(path);
  if (chosen) return chosen.path;
  const names = files.map(file => relative(root, file.path));
  throw new UserError(`The folder ${path} holds several models: ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}.`, 'Name the file that you mean.');
}

function byOffer(a: ModelFile, b: ModelFile): number {
  return offered.indexOf(a.role) - offered.indexOf(b.role) || byVariant(a, b) || (a.name < b.name ? -1 : 1);
}

/** The part that a run starts from, in its default variant; a folder of names that nobody defines has none, unless it is the only file. */
function byDefault(files: readonly ModelFile[]): ModelFile | undefined {
  if (files.length === 1) return files[0];
  for (const role of main) {
    const found = files.find(file => file.role === role);
    if (found) return found;
  }
  return undefined;
}

/** genai_config.json names the file of each part: name → part. */
function genaiParts(root: string): ReadonlyMap<string, ModelRole> {
  const parts = new Map<string, ModelRole>();
  let config: Record<string, unknown> | undefined;
  // A damaged one is told of when it is needed.
  try { config = jsonBeside(join(root, 'model.onnx'), 'genai_config.json'); } catch { return parts; }
  const model = record(config?.model), named = [['decoder', 'model'], ['encoder', 'encoder'], ['vision', 'vision'], ['speech', 'audio'], ['embedding', 'embed']] as const;
  for (const [key, role] of named) {
    const name = record(model?.[key])?.filename;
    if (typeof name === 'string' && name) parts.set(name, role === 'model' && model?.encoder ? 'decoder' : role);
  }
  return parts;
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined { return typeof value === 'object' && value !== null ? value as Readonly<Record<string, unknown>> : undefined; }

/** The folder with the small files: the model's own, or above `onnx/` where its own has none. */
function rootOf(file: string): string {
  const folders = modelFolders(file);
  return folders.find(folder => ['config.json', 'genai_config.json', 'tokenizer.json'].some(name => statOf(join(folder, name))?.isFile())) ?? folders[0];
}

function filesIn(folder: string, root: string, parts: ReadonlyMap<string, ModelRole>): ModelFile[] {
  let names: string[];
  try { names = readdirSync(folder, { withFileTypes: true }).filter(entry => !entry.isDirectory()).map(entry => entry.name).sort(); } catch { return []; }
  return names.filter(name => name.endsWith('.onnx')).slice(0, mostFiles).map(name => describe(join(folder, name), root, parts, names)).filter(file => statOf(file.path)?.isFile());
}

function fileAt(path: string, root: string, parts: ReadonlyMap<string, ModelRole>): ModelFile { return describe(path, root, parts, []); }

function describe(path: string, root: string, parts: ReadonlyMap<string, ModelRole>, names: readonly string[]): ModelFile {
  const name = basename(path), sizes = [name, ...dataNames(name, names)].map(one => statOf(join(dirname(path), one))?.size ?? 0), role = parts.get(name);
  return { path, name: relative(root, path) || name, bytes: sizes.reduce((sum, size) => sum + size, 0), ...(role ? { role, variant: '' } : roleOf(name)) };
}

function layoutOf(root: string, files: readonly ModelFile[], genai: boolean): ModelFolder['layout'] {
  if (genai) return 'onnxruntime-genai';
  if (!statOf(join(root, 'config.json'))?.isFile()) return 'lone';
  if (files.some(file => /^onnx[\\/]/.test(file.name))) return 'transformers.js';
  return files.some(file => file.role !== 'model' && file.role !== 'other') ? 'optimum' : 'hugging-face';
}

function statOf(path: string): Stats | undefined {
  try { return statSync(path); } catch { return undefined; }
}
