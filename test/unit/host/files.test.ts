/** Models in the order they are offered, and names of traces; on real files. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { byNearness, hasModelNear, hasTokenizer, traceName, unusedTraceFile } from '../../../extension/host/model-files.ts';

const place = mkdtempSync(join(tmpdir(), 'attnscope-host-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));
const at = (...parts: string[]): string => join(place, ...parts);
const write = (path: string, text: string): void => { mkdirSync(join(path, '..'), { recursive: true }); writeFileSync(path, text); };

describe('models', () => {
  it('stand with the nearest to the Python file first, then model.onnx, then by name', () => {
    const models = [at('far', 'away', 'model.onnx'), at('src', 'b.onnx'), at('src', 'model.onnx'), at('src', 'a.onnx'), at('src', 'onnx', 'model.onnx')];
    expect(byNearness(models, at('src'))).toEqual([at('src', 'model.onnx'), at('src', 'a.onnx'), at('src', 'b.onnx'), at('src', 'onnx', 'model.onnx'), at('far', 'away', 'model.onnx')]);
    expect(byNearness([at('x', 'y', 'model.onnx'), at('z', 'model.onnx')], undefined)[0]).toBe(at('z', 'model.onnx'));
  });
  it('have a tokenizer beside them or one folder above', () => {
    write(at('tok', 'tokenizer.json'), '{}');
    expect([at('tok', 'model.onnx'), at('tok', 'onnx', 'model.onnx'), at('tok', 'onnx', 'deeper', 'model.onnx'), at('none', 'model.onnx')].map(hasTokenizer)).toEqual([true, true, false, false]);
  });
  it('give traces names that every file system takes, and two of one second two of them', () => {
    const time = new Date(2026, 0, 2, 3, 4, 5);
    expect(traceName(at('My model: v2?.onnx'), time)).toBe('My_model_v2_-20260102-030405.attntrace');
    expect(traceName(`${'x'.repeat(300)}.onnx`, time)).toHaveLength(80 + '-20260102-030405.attntrace'.length);
    const first = unusedTraceFile(place, 'm.onnx', time);
    write(first, '');
    expect(unusedTraceFile(place, 'm.onnx', time)).toBe(at('m-20260102-030405-2.attntrace'));
  });
  it('are near a source in its folder, below it, and below the folder above, but not in another project of the workspace', () => {
    const near = (source: string, ...models: string[]): boolean => hasModelNear(at(source), models.map(model => at(model)), place);
    expect(near('a/src/model.py', 'a/src/model.onnx')).toBe(true);
    expect(near('a/src/model.py', 'a/onnx/deep/model.onnx')).toBe(true);
    expect(near('a/src/model.py', 'b/model.onnx', 'model.onnx')).toBe(false);
    expect(near('model.py', 'out/model.onnx')).toBe(true);
    // One folder up of a file at the top would be outside of the workspace.
    expect(hasModelNear(at('model.py'), [join(place, '..', 'other', 'model.onnx')], place)).toBe(false);
    expect(near('a/model.py', 'ab/model.onnx')).toBe(true);
    expect(near('x/a/model.py', 'x-other/model.onnx')).toBe(false);
    expect(near('x/a/model.py')).toBe(false);
    expect([hasModelNear('/elsewhere/modeling.py', [at('m.onnx')], place), hasModelNear('/elsewhere/modeling.py', [], place), hasModelNear('/elsewhere/modeling.py', [at('m.onnx')], undefined)]).toEqual([true, false, true]);
  });
});
