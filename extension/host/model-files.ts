/** Models of a workspace in the order in which they are offered; paths only, pure but for one look for a tokenizer. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';

/** `models` with the nearest to `from` (a folder) first; ties: `model.onnx` before others, then by name. */
export function byNearness(models: readonly string[], from: string | undefined): string[] {
  const rank = (model: string): readonly [number, number] => [from === undefined ? model.split(sep).length : steps(from, dirname(model)), basename(model) === 'model.onnx' ? 0 : 1];
  return models.map(model => ({ model, rank: rank(model) }))
    .sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || (a.model < b.model ? -1 : 1))
    .map(({ model }) => model);
}

/** Whether text can be turned into ids: `tokenizer.json` beside the model, or one folder above it (models in `onnx/`). */
export function hasTokenizer(model: string): boolean {
  const folder = dirname(model);
  return [folder, dirname(folder)].some(place => existsSync(join(place, 'tokenizer.json')));
}

/** Whether a message can be put as a chat: a template of its own, or one in a tokenizer_config.json of sane size. */
export function hasChatTemplate(model: string): boolean {
  const folder = dirname(model);
  return (basename(folder) === 'onnx' ? [folder, dirname(folder)] : [folder]).some(place => {
    if (existsSync(join(place, 'chat_template.jinja'))) return true;
    const file = join(place, 'tokenizer_config.json');
    try { return statSync(file).size <= mostConfig && /"chat_template"\s*:\s*["[]/.test(readFileSync(file, 'utf8')); } catch { return false; }
  });
}
const mostConfig = 4 * 2 ** 20;

/** At least what a model and its data take: every file beside it counts, whatever it is called. */
export async function mostModelBytes(model: string): Promise<number> {
  const folder = dirname(model), names = await readdir(folder).catch((): string[] => []);
  const sizes = await Promise.all(names.slice(0, 1_000).map(async name => { const stats = await stat(join(folder, name)).catch(() => undefined); return stats?.isFile() ? stats.size : 0; }));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Whether some model of `models` may have come from `source`: one that lies in its folder, below it, or below the folder above (`src/model.py`, `onnx/model.onnx`), as far as that is in `workspace`. A source from elsewhere has no folder of its own: any model counts. */
export function hasModelNear(source: string, models: readonly string[], workspace: string | undefined): boolean {
  if (workspace === undefined || !isWithin(workspace, source)) return models.length > 0;
  const folder = dirname(source), above = dirname(folder), base = isWithin(workspace, above) || above === workspace ? above : folder;
  return models.some(model => isWithin(base, model));
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** `model-20260101-093015.attntrace`, in local time; characters that a file system may refuse are replaced. */
export function traceName(model: string, at: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const name = basename(model).replace(/\.onnx$/i, '').replace(/[^\w.-]+/g, '_').slice(0, 80) || 'model';
  return `${name}-${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}-${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}.attntrace`;
}

/** A path in `folder` where nothing is yet: two traces of one second get two names. */
export function unusedTraceFile(folder: string, model: string, at: Date): string {
  const name = traceName(model, at);
  for (let n = 1; ; n++) {
    const file = join(folder, n === 1 ? name : name.replace(/\.attntrace$/, `-${n}.attntrace`));
    if (!existsSync(file)) return file;
  }
}

/** Folders up and down from one to the other. */
function steps(from: string, to: string): number {
  const way = relative(from, to);
  return way === '' ? 0 : way.split(sep).length;
}
