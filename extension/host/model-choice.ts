/** Models to choose among: files that are parts or variants of one model stand together, by part; paths only, pure. */
import { basename, dirname, join } from 'node:path';
import { byVariant, roleOf, typeOfVariant, type ModelRole } from '../contract/model-role.ts';

/** The weight files of one folder (and of `onnx/` in it) whose names say which part they are, or one lone file. */
export interface ModelChoice { readonly folder: string; readonly files: readonly string[] }

/** In the order in which parts are offered: what a run starts from stands first. */
const parts: readonly (readonly [ModelRole, string])[] = [
  ['model', 'model'], ['decoder', 'decoder'], ['decoder-merged', 'merged decoder'], ['decoder-with-past', 'decoder behind a cache'], ['encoder', 'encoder'], ['vision', 'vision encoder'], ['audio', 'audio encoder'], ['text', 'text encoder'], ['embed', 'token embedding'], ['other', 'others'],
];

/** `models` by folder, the folder of the first one first. */
export function byFolder(models: readonly string[]): ModelChoice[] {
  const choices = new Map<string, string[]>();
  for (const model of models) {
    // A name that nobody defines is a model of its own.
    const key = roleOf(model).role === 'other' ? model : homeOf(model);
    choices.set(key, [...choices.get(key) ?? [], model]);
  }
  return [...choices.values()].map(files => ({ folder: homeOf(files[0]), files }));
}

/** `a/onnx/model.onnx` is the model of `a`. */
function homeOf(model: string): string { const folder = dirname(model); return basename(folder) === 'onnx' ? join(folder, '..') : folder; }

/** What needs no question: the only file, or, where all files are of one model, the one that was `used` before. */
export function surely(choices: readonly ModelChoice[], used: string | undefined): string | undefined {
  const [{ files } = { files: [] }, ...others] = choices;
  return others.length ? undefined : files.length === 1 ? files[0] : files.find(file => file === used);
}

export interface WeightRow { readonly file: string; /** `fp16`, `q4`, …, where the name says so. */ readonly type?: string; /** The heading of the rows from here on; undefined: the same as before. */ readonly part?: string }

/** Rows of a list: by folder, within it by part, and of each part the variant that is nearest to the model as it was trained first. Without headings where every file is a model of its own. */
export function weightRows(choices: readonly ModelChoice[], nameOf: (folder: string) => string): WeightRow[] {
  const headed = choices.some(({ files }) => files.length > 1);
  return choices.flatMap(({ folder, files }) => parts.flatMap(([role, word]) => files.filter(file => roleOf(file).role === role).sort((a, b) => byVariant(roleOf(a), roleOf(b))).map((file, n): WeightRow => {
    const type = typeOfVariant(roleOf(file));
    return { file, ...(type === undefined ? {} : { type }), ...(headed && n === 0 ? { part: [nameOf(folder), role === 'other' ? '' : word].filter(Boolean).join(' · ') } : {}) };
  })));
}
