/** A trace is stale when its model, or a file of its weights, was written again, grew, or went. */
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Manifest } from '../../../extension/contract/trace.ts';
import { staleness, watchedFiles } from '../../../extension/host/stale.ts';

let folder: string, manifest: Pick<Manifest, 'model'>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'attnscope-stale-'));
  for (const name of ['model.onnx', 'weights.bin']) writeFileSync(join(folder, name), 'abc');
  const stamp = (name: string) => { const { size, mtime } = statSync(join(folder, name)); return { file: name, bytes: size, modified: mtime.toISOString() }; };
  manifest = { model: { ...stamp('model.onnx'), path: join(folder, 'model.onnx'), graphHash: '', opsets: {}, producer: '', nodes: 1, dataFiles: [stamp('weights.bin')] } };
});
afterAll(() => rmSync(folder, { recursive: true }));

it('says nothing while nothing changed', async () => expect(await staleness(manifest)).toBeUndefined());
it('watches the model and its weights', () => expect(watchedFiles(manifest)).toEqual([join(folder, 'model.onnx'), join(folder, 'weights.bin')]));
it('names the file that changed', async () => {
  utimesSync(join(folder, 'weights.bin'), new Date(), new Date(Date.now() + 5_000));
  expect(await staleness(manifest)).toBe('weights.bin changed after this trace was made.');
});
it('names the file that is gone', async () => {
  rmSync(join(folder, 'model.onnx'));
  expect(await staleness(manifest)).toBe('model.onnx is not there any more.');
});
