/** SHA-256 of a whole model, computed on a thread of its own beside the run, and whether its files changed meanwhile. */
import { statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { UserError } from '../../../contract/errors.ts';
import type { Model } from '../../onnx/model.ts';

const known = new Map<string, string>();
const mostKnown = 64;

/** Size, time and identity of every file of the model, as text. */
export function fileStamp(model: Model): string {
  return filesOf(model).map(file => {
    try { const { size, mtimeMs, ino } = statSync(file); return `${file} ${size} ${mtimeMs} ${ino}`; } catch { return `${file} gone`; }
  }).join('\n');
}

/** Hex digest of the model file and then its external data files, in the order of their names. Remembered while the files stay the same. */
export async function startHash(model: Model): Promise<string> {
  const stamp = fileStamp(model), before = known.get(stamp);
  if (before !== undefined) return before;
  const digest = await hashFiles(filesOf(model));
  if (known.size >= mostKnown) known.delete(known.keys().next().value!);
  known.set(stamp, digest);
  return digest;
}

function filesOf(model: Model): readonly string[] { return [model.path, ...[...new Set(model.dataFiles.values())].filter(file => file !== model.path).sort()]; }

/** `run()` keeps the main thread busy, so the bytes are read on another. */
const hashing = `
  const { parentPort, workerData } = require('node:worker_threads'), { createHash } = require('node:crypto'), { openSync, readSync, closeSync } = require('node:fs');
  const hash = createHash('sha256'), chunk = Buffer.allocUnsafe(4 * 2 ** 20);
  for (const file of workerData) {
    const fd = openSync(file, 'r');
    for (let n; (n = readSync(fd, chunk, 0, chunk.length, null)) > 0;) hash.update(n === chunk.length ? chunk : chunk.subarray(0, n));
    closeSync(fd);
  }
  parentPort.postMessage(hash.digest('hex'));`;

function hashFiles(files: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(hashing, { eval: true, workerData: files });
    worker.once('message', resolve);
    worker.once('error', error => reject(new UserError(`The model's files could not be read: ${error.message}.`, 'Put them back, and trace again.')));
  });
}
