/** Says whether a model on the disk is still the one that was traced. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Manifest } from '../contract/trace.ts';

/**
 * A sentence when the model file, or a file that holds its weights, is gone or was written after the trace saw it; undefined when nothing changed.
 * Size and time of writing decide: no file is read.
 */
export async function staleness(manifest: Pick<Manifest, 'model'>): Promise<string | undefined> {
  const { model } = manifest;
  const files = [{ path: model.path, bytes: model.bytes, modified: model.modified },
    ...(model.dataFiles ?? []).map(data => ({ path: join(dirname(model.path), data.file), bytes: data.bytes, modified: data.modified }))];
  for (const file of files) {
    const now = await stat(file.path).catch(() => undefined);
    if (!now) return `${basename(file.path)} is not there any more.`;
    // ISO times carry milliseconds, and some file systems less.
    if (now.size !== file.bytes || Math.abs(now.mtimeMs - Date.parse(file.modified)) >= 2) return `${basename(file.path)} changed after this trace was made.`;
  }
  return undefined;
}

/** Files whose change can make a trace stale. */
export function watchedFiles(manifest: Pick<Manifest, 'model'>): string[] {
  return [manifest.model.path, ...(manifest.model.dataFiles ?? []).map(data => join(dirname(manifest.model.path), data.file))];
}
