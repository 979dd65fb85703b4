/** The golden folders: our own copies and those of ATTNSCOPE_GOLDEN; a folder whose module is not built yet is said, and counts as nothing. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readReference, type ZooTensor } from '../zoo/cases.ts';

export interface GoldenCase { readonly name: string; readonly tensors: ReadonlyMap<string, ZooTensor>; readonly metadata: Readonly<Record<string, string>> }

/** Folders that a test of ours reads. */
const built = new Set(['exact-attention', 'attention-sink-emergence', 'secondary-sinks', 'grounding-maps', 'visual-attention-sink']);
const roots = [process.env['ATTNSCOPE_GOLDEN'], join(import.meta.dirname, 'data')].filter((root): root is string => root !== undefined && existsSync(root));
const only = process.env['ATTNSCOPE_ONLY']?.split(',').filter(Boolean);

/** The files of a golden folder whose names begin with `prefix`, one of each name; undefined when it was not selected. */
export function goldenCases(folder: string, prefix = ''): readonly GoldenCase[] {
  if (only && !only.includes(folder)) return [];
  const files = new Map<string, string>();
  for (const root of roots) {
    const here = join(root, folder);
    if (existsSync(here)) for (const file of readdirSync(here)) if (file.endsWith('.safetensors') && file.startsWith(prefix) && !files.has(file)) files.set(file, join(here, file));
  }
  return [...files].sort().map(([file, path]) => ({ name: `${folder}/${file.replace('.safetensors', '')}`, tensors: readReference(path), metadata: metadataOf(path) }));
}

/** Golden folders that wait for their module. */
export function notBuilt(): readonly string[] {
  const names = roots.flatMap(root => readdirSync(root, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(entry => entry.name));
  return [...new Set(names)].filter(name => !built.has(name) && (!only || only.includes(name))).sort();
}

function metadataOf(path: string): Readonly<Record<string, string>> {
  const bytes = readFileSync(path), header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString('utf8')) as { __metadata__?: Record<string, string> };
  return header.__metadata__ ?? {};
}
