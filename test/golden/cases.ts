/** Golden cases: our own copies, and every case of the folder that ATTNSCOPE_GOLDEN names; ATTNSCOPE_ONLY=name,… selects folders. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readReference, type ZooTensor } from '../zoo/cases.ts';

export interface GoldenCase { readonly name: string; readonly tensors: ReadonlyMap<string, ZooTensor>; readonly metadata: Readonly<Record<string, string>> }

const own = import.meta.dirname, extra = process.env['ATTNSCOPE_GOLDEN'];
const wanted = (folder: string): boolean => { const only = process.env['ATTNSCOPE_ONLY']?.split(',').filter(Boolean); return !only || only.includes(folder); };

/** Names of the cases of one folder whose file name starts with `prefix`. */
export function goldenNames(folder: string, prefix = ''): string[] {
  if (!wanted(folder)) return [];
  const files = [own, extra].flatMap(root => (root && existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : []));
  return [...new Set(files.filter(file => file.startsWith(prefix) && file.endsWith('.safetensors')))].sort();
}

export function readGolden(folder: string, file: string): GoldenCase {
  const path = [extra, own].flatMap(root => (root && existsSync(join(root, folder, file)) ? [join(root, folder, file)] : []))[0];
  const bytes = readFileSync(path), header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString('utf8')) as { __metadata__?: Record<string, string> };
  return { name: file.replace('.safetensors', ''), tensors: readReference(path), metadata: header.__metadata__ ?? {} };
}

/** Folders of ATTNSCOPE_GOLDEN for which there is no suite yet. */
export function notBuilt(): string[] {
  const built = new Set(readdirSync(own, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(entry => entry.name));
  return extra ? readdirSync(extra, { withFileTypes: true }).filter(entry => entry.isDirectory() && !built.has(entry.name) && wanted(entry.name)).map(entry => entry.name) : [];
}
