/** Finds models and traces below the workspace's folders: names, sizes and small JSON files only; no model is opened. */
import type { Dirent } from 'node:fs';
import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { dataNames } from '../../contract/model-role.ts';
import { readModelCard, type ModelCard } from './model-card.ts';

export interface FoundModel {
  /** Absolute path of the .onnx file. */
  readonly path: string;
  /** With external data that is named as exporters name it. */
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** A Hugging Face (or onnxruntime-genai) folder with what it holds, or one lone .onnx file without a card. */
export interface ModelGroup {
  readonly folder: string;
  readonly card?: ModelCard;
  /** By name; empty for a folder whose weights were not exported yet. */
  readonly models: readonly FoundModel[];
}

export interface Discovery {
  /** Folders with a card first, each by path. */
  readonly groups: readonly ModelGroup[];
  /** Absolute paths of `.attntrace` files. */
  readonly traces: readonly string[];
  /** Files that were looked at, and whether some were left out because there are too many. */
  readonly files: number;
  readonly truncated: boolean;
}

/** Folders that hold other people's files. */
const skipped = new Set(['node_modules', '.git', '.hg', '.svn', '.venv', 'venv', 'env', 'site-packages', '__pycache__', '.tox', '.mypy_cache']);
const most = { files: 500_000, folders: 50_000, depth: 32, models: 2_000, traces: 5_000, cardBytes: 4 * 2 ** 20 } as const;
/** Folders that are read at a time: more only fill libuv's queue. */
const atOnce = 16;
/** Links in a model cache: not asked where they lead. */
const surelyFile = /\.(onnx\w*|json|safetensors|bin|data|model|txt|md|py)$/;

interface Folder { readonly path: string; readonly onnx: readonly string[]; readonly data: readonly string[]; readonly weights: boolean; readonly config: boolean; readonly genai: boolean }
/** As the workspace names it, and where links lead: a folder is visited once. */
interface Place { readonly path: string; readonly real: string; readonly depth: number }
interface Walk { readonly folders: Folder[]; readonly traces: string[]; files: number; truncated: boolean }

/** Everything below `roots`; folders that cannot be read are passed by. Links to folders are followed, each folder once. */
export async function discover(roots: readonly string[]): Promise<Discovery> {
  const walk: Walk = { folders: [], traces: [], files: 0, truncated: false };
  await visitAll(roots, walk);
  const groups = await groupsOf(walk.folders);
  return { groups, traces: walk.traces.sort(), files: walk.files, truncated: walk.truncated };
}

async function visitAll(roots: readonly string[], walk: Walk): Promise<void> {
  const seen = new Set<string>(), waiting: Place[] = [];
  const add = (place: Place): void => {
    if (seen.has(place.real)) return;
    if (place.depth > most.depth || seen.size >= most.folders || walk.files >= most.files) { walk.truncated = true; return; }
    seen.add(place.real);
    waiting.push(place);
  };
  for (const root of roots) add({ path: root, real: await realpath(root).catch(() => root), depth: 0 });
  const visit = async ({ path, real, depth }: Place): Promise<void> => {
    let entries: Dirent[];
    try { entries = await readdir(path, { withFileTypes: true }); } catch { return; }
    walk.files += entries.length;
    const folder = sorted(path, entries, walk);
    if (folder) walk.folders.push(folder);
    for (const entry of entries) {
      if (skipped.has(entry.name)) continue;
      if (entry.isDirectory()) add({ path: join(path, entry.name), real: join(real, entry.name), depth: depth + 1 });
      else if (entry.isSymbolicLink() && !surelyFile.test(entry.name)) {
        const target = await realpath(join(path, entry.name)).catch(() => undefined);
        if (target !== undefined && (await stat(target).catch(() => undefined))?.isDirectory()) add({ path: join(path, entry.name), real: target, depth: depth + 1 });
      }
    }
  };
  while (waiting.length) await Promise.all(waiting.splice(-atOnce).map(visit));
}

/** What of a folder matters here; undefined when nothing does. */
function sorted(path: string, entries: readonly Dirent[], walk: Walk): Folder | undefined {
  const onnx: string[] = [], data: string[] = [];
  let weights = false, config = false, genai = false;
  for (const entry of entries) {
    const { name } = entry;
    if (entry.isDirectory()) continue;
    if (name.endsWith('.onnx')) onnx.push(name);
    else if (name.includes('.onnx') || name.endsWith('.data') || name.endsWith('_data')) data.push(name);
    else if (name.endsWith('.attntrace')) { if (walk.traces.length < most.traces) walk.traces.push(join(path, name)); else walk.truncated = true; }
    else if (name === 'config.json') config = true;
    else if (name === 'genai_config.json') genai = true;
    else if (name.endsWith('.safetensors') || /^pytorch_model.*\.bin$/.test(name)) weights = true;
  }
  return onnx.length || weights || config || genai ? { path, onnx, data, weights, config, genai } : undefined;
}

async function groupsOf(folders: readonly Folder[]): Promise<ModelGroup[]> {
  const at = new Map(folders.map(folder => [folder.path, folder])), groups = new Map<string, { folder: string; card?: ModelCard; models: FoundModel[] }>(), lone: ModelGroup[] = [];
  let count = 0;
  for (const folder of [...folders].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (count >= most.models) break;
    // Only beside a model is a config.json worth reading: a workspace is full of others.
    if (!folder.onnx.length && !folder.weights) continue;
    const home = await homeOf(folder, at), models = await modelsOf(folder);
    count += models.length;
    if (home) {
      const group = groups.get(home.folder) ?? { ...home, models: [] };
      group.models.push(...models);
      groups.set(home.folder, group);
    } else for (const model of models) lone.push({ folder: folder.path, models: [model] });
  }
  const byName = (a: FoundModel, b: FoundModel): number => (a.path < b.path ? -1 : 1);
  return [...[...groups.values()].map(group => ({ ...group, models: group.models.sort(byName) })), ...lone];
}

/** The folder that the card lies in: this one, or its parent for files in `onnx/`. */
async function homeOf(folder: Folder, at: ReadonlyMap<string, Folder>): Promise<{ folder: string; card: ModelCard } | undefined> {
  const parent = basename(folder.path) === 'onnx' ? at.get(dirname(folder.path)) : undefined;
  for (const place of [folder, parent]) {
    for (const name of [...(place?.config ? ['config.json'] : []), ...(place?.genai ? ['genai_config.json'] : [])]) {
      const card = readModelCard(await smallText(join(place!.path, name)));
      if (card) return { folder: place!.path, card };
    }
  }
  return undefined;
}

async function smallText(file: string): Promise<string | undefined> {
  try { return (await stat(file)).size <= most.cardBytes ? await readFile(file, 'utf8') : undefined; } catch { return undefined; }
}

async function modelsOf(folder: Folder): Promise<FoundModel[]> {
  const models = await Promise.all(folder.onnx.map(async (name): Promise<FoundModel | undefined> => {
    const path = join(folder.path, name), stats = await stat(path).catch(() => undefined);
    if (!stats?.isFile()) return undefined;
    const sizes = await Promise.all(dataNames(name, folder.data).map(async data => (await stat(join(folder.path, data)).catch(() => undefined))?.size ?? 0));
    return { path, bytes: sizes.reduce((sum, size) => sum + size, stats.size), modifiedMs: stats.mtimeMs };
  }));
  return models.filter(model => model !== undefined);
}
