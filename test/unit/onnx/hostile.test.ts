/** Broken, foreign and lying files: each is refused with a sentence that names it, at once and without reading far. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { buildModel, type ExternalTensor } from '../../../extension/engine/onnx/build.ts';
import { Pieces } from '../../../extension/engine/onnx/encode.ts';
import { viewGraph } from '../../../extension/engine/onnx/graph-view.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import { writeSkeleton } from '../../../extension/engine/onnx/writer.ts';
import { zooCases } from '../../zoo/cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'onnx-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const good = readFileSync(zooCases()[0].file);

function put(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
async function refusal(path: string): Promise<string> {
  const start = performance.now();
  const error = await openModel(path).then(() => undefined, (e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect(performance.now() - start).toBeLessThan(30_000);
  return (error as UserError).sentence;
}

describe('files that are no model', () => {
  const onnx = (name: string): string => `${name} is not an ONNX model. Choose a file that torch.onnx.export, optimum or another exporter wrote.`;
  it.each<[string, Uint8Array, (name: string) => string]>([
    ['empty.onnx', new Uint8Array(0), name => `${name} is empty. Export or download the model again.`],
    ['text.onnx', Buffer.from('hello, I am not a model\n'), onnx],
    ['png.onnx', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), onnx],
    ['zeros.onnx', Buffer.alloc(5000), onnx],
    ['deep.onnx', Buffer.from(Array.from({ length: 4000 }, () => [0x3a, 0x7f]).flat()), onnx],
    ['huge.onnx', Buffer.concat([Buffer.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f]), good.subarray(0, 100)]), onnx],
    ['negative.onnx', Buffer.concat([Buffer.from([0x3a, ...Array<number>(9).fill(0xff), 0x01]), good.subarray(0, 50)]), onnx],
    ['pointer.onnx', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n'), name => `${name} is a Git LFS pointer, not the model itself. Fetch it with git lfs pull.`],
    ['no-graph.onnx', new Pieces().varint(1, 8).join(), name => `${name} holds no graph. It may be cut off; export or download the model again.`],
  ])('%s', async (name, bytes, sentence) => expect(await refusal(put(name, bytes))).toBe(sentence(name)));

  it.each([0.5, 0.9, 1 - 3 / good.length])('cut off at %d', async share => {
    expect(await refusal(put('cut.onnx', good.subarray(0, Math.floor(good.length * share))))).toMatch(/^cut\.onnx is damaged or cut off: (.* claims \d+ bytes where \d+ are left|a number at byte \d+ runs past the end of its message)\. Copy, download or export it again\.$/);
  });
  it('graphs in graphs in graphs', async () => {
    let graph = new Pieces().text(2, 'innermost');
    for (let i = 0; i < 60; i++) graph = new Pieces().message(1, new Pieces().text(4, 'If').message(5, new Pieces().text(1, 'then_branch').message(6, graph)));
    expect(await refusal(put('nested.onnx', new Pieces().varint(1, 8).message(7, graph).join()))).toBe('nested.onnx is damaged or cut off: graphs are nested more than 16 deep. Copy, download or export it again.');
  });
  it('a size below zero', async () => {
    const graph = new Pieces().message(5, new Pieces().packed(1, [-4]).varint(2, 1).text(8, 'w').bytes(9, new Uint8Array(4)));
    expect(await refusal(put('size.onnx', new Pieces().varint(1, 8).message(7, graph).join()))).toContain('the tensor w has the size -4');
  });
  it('flipped bits are refused with a sentence or survive opening, recognising and writing', async () => {
    let seed = 99;
    const random = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
    for (let i = 0; i < 150; i++) {
      const bytes = Buffer.from(good);
      for (let k = 0; k < 3; k++) bytes[random(bytes.length)] ^= 1 << random(8);
      try {
        const model = await openModel(put('flip.onnx', bytes)), view = viewGraph(model);
        for (const node of model.graph.nodes) for (const input of node.inputs) view.constant(input);
        recognise(model);
        expect(writeSkeleton(model, { outputs: [{ name: 'x' }], rewire: [{ from: 'a', to: 'b' }] }).length).toBeGreaterThan(1000);
      } catch (error) { expect(error, `flip ${i}: ${(error as Error).stack}`).toBeInstanceOf(UserError); }
    }
  });
});

describe('places', () => {
  it('a missing file, an empty folder, several models', async () => {
    const missing = join(folder, 'none.onnx');
    expect(await refusal(missing)).toBe(`There is no file or folder ${missing}. Check the path of the model.`);
    const several = join(folder, 'several');
    mkdirSync(several);
    expect(await refusal(several)).toBe(`The folder ${several} holds no .onnx file. Name the model file, or a folder with a model.onnx.`);
    for (const name of ['a.onnx', 'b.onnx']) writeFileSync(join(several, name), good);
    expect(await refusal(several)).toBe(`The folder ${several} holds several models: a.onnx, b.onnx. Name the file that you mean.`);
    mkdirSync(join(several, 'onnx'));
    writeFileSync(join(several, 'onnx', 'model.onnx'), good);
    expect((await openModel(several)).path).toBe(join(several, 'onnx', 'model.onnx'));
  });

  const external = (place: Omit<ExternalTensor, 'name' | 'type' | 'dims'>): Uint8Array => buildModel({
    nodes: [{ op: 'Add', name: 'add', inputs: ['x', 'w'], outputs: ['y'] }], inputs: [{ name: 'x', type: 1, dims: [4] }], outputs: [{ name: 'y', type: 1, dims: [4] }],
    initializers: [{ name: 'w', type: 1, dims: [4], ...place }],
  });
  it.each([['../w.bin'], ['/etc/hostname'], ['sub/../../w.bin'], [''], ['C:\\w.bin']])('external data at %j lies outside', async location => {
    expect(await refusal(put('outside.onnx', external({ location, offset: 0, length: 16 })))).toBe(`The tensor w of outside.onnx lies outside the model's folder: ${location || '(no location)'}. Export the model again, with its data beside it.`);
  });
  it('external data that is missing, too short, or a link out of the folder', async () => {
    expect(await refusal(put('m.onnx', external({ location: 'w.bin', offset: 0, length: 16 })))).toBe('m.onnx needs the file w.bin for its tensor w, and it is missing. Copy it beside the model.');
    put('short.bin', new Uint8Array(20));
    expect(await refusal(put('s.onnx', external({ location: 'short.bin', offset: 8, length: 16 })))).toBe('short.bin is too short: the tensor w of s.onnx ends at byte 24 of 20. Copy or download it again.');
    symlinkSync('/etc/hostname', join(folder, 'link.bin'));
    expect(await refusal(put('l.onnx', external({ location: 'link.bin', offset: 0, length: 0 })))).toContain('link.bin is a link to /etc/hostname');
  });
});
