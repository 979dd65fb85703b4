/** Folders of models with a reference beside them: our own, and those of the folder that ATTNSCOPE_ZOO_FOLDERS names. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface ZooFolder { readonly name: string; readonly path: string }

/** One a name: what ATTNSCOPE_ZOO_FOLDERS has stands for ours. */
export function zooFolders(): readonly ZooFolder[] {
  const roots = [join(import.meta.dirname, 'folders'), process.env['ATTNSCOPE_ZOO_FOLDERS']].filter(root => root !== undefined);
  const found = new Map(roots.flatMap(root => readdirSync(root).map(name => [name, join(root, name)] as const)).filter(([, path]) => existsSync(join(path, 'reference.safetensors'))));
  return [...found].map(([name, path]) => ({ name, path }));
}
