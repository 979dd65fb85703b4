/** Small files beside a model: found in its folder (or above `onnx/`), read bounded. */
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../../contract/errors.ts';

/** The folders where files of a model lie: its own, and the parent of `onnx/`. */
export function modelFolders(modelFile: string): readonly string[] {
  const folder = dirname(modelFile);
  return basename(folder) === 'onnx' ? [folder, dirname(folder)] : [folder];
}

/** The first of these files that exists, at most `maxBytes` long. Errors: `UserError` when it is longer. */
export function findBeside(modelFile: string, name: string, maxBytes: number): string | undefined {
  for (const folder of modelFolders(modelFile)) {
    const file = join(folder, name);
    let bytes: number;
    try { const stats = statSync(file); if (!stats.isFile()) continue; bytes = stats.size; } catch { continue; }
    if (bytes > maxBytes) throw new UserError(`${file} is ${bytes} bytes long; at most ${maxBytes} are read.`, 'Check that it is the file that belongs to the model.');
    return file;
  }
  return undefined;
}

/** Reads a JSON object. Errors: `UserError` when it is none. */
export function readJsonObject(file: string): Record<string, unknown> {
  let value: unknown;
  try { value = JSON.parse(readFileSync(file, 'utf8')); } catch (error) { throw new UserError(`${file} is not valid JSON: ${(error as Error).message}.`, 'Download it again, or take it away.'); }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UserError(`${file} is not a JSON object.`, 'Download it again, or take it away.');
  return value as Record<string, unknown>;
}

const mostBytes = 4 * 2 ** 20;

/** A small JSON file beside the model (`config.json`, `generation_config.json`, `preprocessor_config.json`, `genai_config.json`, …); undefined without one. Errors: `UserError` when it is too long or none. */
export function jsonBeside(modelFile: string, name: string): Record<string, unknown> | undefined {
  const file = findBeside(modelFile, name, mostBytes);
  return file === undefined ? undefined : readJsonObject(file);
}

/** A small text file beside the model; undefined without one. Errors: `UserError` when it is too long. */
export function textBeside(modelFile: string, name: string): string | undefined {
  const file = findBeside(modelFile, name, mostBytes);
  return file === undefined ? undefined : readFileSync(file, 'utf8');
}
