/** Opens an .onnx file or a model folder: finds the file, reads its graph, checks where its weights lie; no weight is read. */
import { createHash } from 'node:crypto';
import { realpathSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { UserError } from '../../contract/errors.ts';
import type { ModelInfo } from '../../contract/site.ts';
import { findModelFile } from '../folder/folder.ts';
import { readUsualNames } from '../folder/genai-names.ts';
import type { Model, Tensor } from './model.ts';
import { parseModel, type Parsed } from './reader.ts';
import { elementBytes, elementCount } from './tensors.ts';
import { weightType } from './weight-type.ts';
import { FileBytes } from './wire.ts';

/**
 * Opens the model at `path`, an .onnx file or a folder with one. Reads the graph only: time and memory do not grow with the weights.
 * Errors: `UserError` for a missing, ambiguous, damaged or foreign file, and for external data that is missing, too short or outside the folder.
 */
export async function openModel(path: string): Promise<Model> {
  const file = findModelFile(resolve(path)), stats = statOf(file);
  if (!stats?.isFile()) throw new UserError(`There is no file ${file}.`, 'Check the path of the model.');
  let from: FileBytes;
  try { from = FileBytes.open(file, basename(file), stats.size); }
  catch (error) { throw new UserError(`${file} cannot be opened: ${(error as Error).message}.`, 'Check that you may read it.'); }
  try {
    const parsed = parseModel(from);
    from.finish();
    return modelOf(file, from, parsed);
  } finally { from.close(); }
}

/** A model from bytes in memory, for graphs that were built here; raw tensors must be small or the file must exist at `path`. */
export function modelFromBytes(bytes: Uint8Array, path: string): Model {
  const from = FileBytes.of(bytes, basename(path));
  return modelOf(path, from, parseModel(from));
}

/** What everybody is told about the model. */
export function modelInfo(model: Model): ModelInfo {
  const dtype = weightType(model.graph);
  return {
    file: basename(model.path), graphHash: model.graphHash, bytes: model.bytes,
    modified: statOf(model.path)?.mtime.toISOString() ?? new Date(0).toISOString(),
    opsets: Object.fromEntries(model.opsets), producer: model.producer, nodes: model.graph.nodes.length, ...(dtype ? { dtype } : {}),
    ...(model.dataFiles.size ? { dataFiles: [...model.dataFiles].map(([file, real]) => { const stats = statOf(real); return { file, bytes: stats?.size ?? 0, modified: (stats?.mtime ?? new Date(0)).toISOString() }; }) } : {}),
  };
}

function statOf(path: string): Stats | undefined {
  try { return statSync(path); } catch { return undefined; }
}

function modelOf(path: string, from: FileBytes, parsed: Parsed): Model {
  const { dataFolder, dataFiles } = placeData(path, parsed.external, from.holes.length > 0);
  return {
    path, dataFolder, dataFiles, document: from, bytes: from.size, graphHash: hashWithout(from, parsed.weights),
    irVersion: parsed.irVersion, opsets: parsed.opsets, producer: parsed.producer, metadata: parsed.metadata, graph: parsed.graph, functions: parsed.functions, usual: readUsualNames(path),
  };
}

function hashWithout(from: FileBytes, weights: Parsed['weights']): string {
  const hash = createHash('sha256'), ordered = [...weights].sort((a, b) => a[0] - b[0]);
  let at = 0;
  for (const [start, end] of [...ordered, [from.size, from.size] as const]) {
    if (start > at) hash.update(from.bytes(at, start));
    at = Math.max(at, end);
  }
  return hash.digest('hex');
}

/**
 * Checks every external tensor, and picks the folder that onnxruntime resolves locations against. A model cache links the model and
 * its data from a snapshot folder into one folder of blobs: then the real folder serves, where the linked one would be refused.
 * `own`: weights lie in the model file itself.
 */
function placeData(path: string, external: readonly Tensor[], own: boolean): { dataFolder: string; dataFiles: Map<string, string> } {
  const file = basename(path), linked = dirname(path), dataFiles = new Map<string, string>();
  const home = realOf(linked) ?? linked, folders = [dirname(realOf(path) ?? path), home];
  const sizes = new Map<string, number>();
  for (const tensor of external) {
    if (tensor.place.kind !== 'external') continue;
    const { location, offset, length } = tensor.place;
    if (!sizes.has(location)) {
      const target = resolve(linked, location);
      if (!location || isAbsolute(location) || /^[a-z]:|^\\/i.test(location) || !within(linked, target)) {
        throw new UserError(`The tensor ${tensor.name || '(without a name)'} of ${file} lies outside the model's folder: ${location || '(no location)'}.`, 'Export the model again, with its data beside it.');
      }
      const stats = statOf(target), real = realOf(target);
      if (!stats?.isFile() || real === undefined) throw new UserError(`${file} needs the file ${location} for its tensor ${tensor.name}, and it is missing.`, 'Copy it beside the model.');
      if (!folders.some(folder => within(folder, real))) {
        throw new UserError(`The tensor ${tensor.name || '(without a name)'} of ${file} lies outside the model's folder: ${location} is a link to ${real}.`, 'Copy the data beside the model.');
      }
      dataFiles.set(location, real);
      sizes.set(location, stats.size);
    }
    const span = length >= 0 ? length : elementCount(tensor.dims) * (elementBytes(tensor.type) ?? 0);
    if (offset + span > sizes.get(location)!) {
      throw new UserError(`${location} is too short: the tensor ${tensor.name} of ${file} ends at byte ${offset + span} of ${sizes.get(location)}.`, 'Copy or download it again.');
    }
  }
  const needed = [...dataFiles.values(), ...(own ? [realOf(path) ?? path] : [])];
  const dataFolder = folders.find(folder => needed.every(real => within(folder, real)));
  if (dataFolder === undefined) throw new UserError(`${file} and its external data are links into different folders.`, 'Copy them into one folder.');
  return { dataFolder, dataFiles };
}

function realOf(path: string): string | undefined {
  try { return realpathSync(path); } catch { return undefined; }
}

function within(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
}
