/** The analysis process itself: greets, completes, answers tiles while it completes, refuses with sentences, exports. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnalysisApi, Progress } from '../../../extension/contract/api.ts';
import { apiVersion } from '../../../extension/contract/api.ts';
import { Cancelled, UserError } from '../../../extension/contract/errors.ts';
import { connect, type Client } from '../../../extension/contract/rpc.ts';
import { startChild, type Child } from '../../../extension/children/start-child.ts';
import { syntheticCapture, type Synthetic } from './synthetic.ts';

const root = resolve(import.meta.dirname, '../../..'), bundle = mkdtempSync(join(root, 'node_modules', '.attnscope-analysis-')), folder = mkdtempSync(join(tmpdir(), 'attnscope-child-'));
let child: Child, analysis: Client<AnalysisApi>, made: Synthetic, file: string;
const site = 'blocks.0.attn';

beforeAll(async () => {
  await build({
    entryPoints: [join(root, 'extension/engine/main/analysis.ts')], bundle: true, platform: 'node', format: 'cjs', target: 'node20', outdir: bundle, logLevel: 'error',
    define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')], external: ['onnxruntime-node', 'webgpu'],
  });
  child = await startChild({ role: 'analysis', script: join(bundle, 'analysis.js') });
  analysis = connect<AnalysisApi>(child.port);
  made = syntheticCapture(folder, 'child', { queries: 100, heads: 3, ids: [Array.from({ length: 100 }, (_, i) => i % 9)] });
  file = made.out;
});
afterAll(async () => {
  child?.kill('done');
  await child?.closed;
  for (const one of [bundle, folder]) rmSync(one, { recursive: true, force: true });
});

describe('the analysis process', () => {
  it('greets with its role and version', () => expect(child.hello).toMatchObject({ apiVersion, role: 'analysis' }));
  it('completes, with phases', async () => {
    const phases: Progress[] = [], { manifest } = await analysis.complete({ out: file, part: `${file}.part` }, { onProgress: value => phases.push(value as Progress) });
    expect(manifest.parity[site].ok).toBe(true);
    expect(phases.map(one => one.phase)).toEqual(['statistics', 'statistics', 'write']);
    expect(phases[1]).toEqual({ phase: 'statistics', done: 1, total: 1 });
  });
  it('opens, and answers tiles, thumbnails and rows as the twin has them', async () => {
    const { trace, manifest, bytes } = await analysis.open({ file }), { probs, received } = made.twins[0];
    expect(bytes).toBe(readFileSync(file).byteLength);
    const tile = await analysis.tile({ trace, site, batch: 0, head: 2, rows: [10, 30], cols: [5, 25], height: 100, width: 100, of: 'prob', reduce: 'mean' });
    expect([tile.height, tile.width, tile.data.length]).toEqual([20, 20, 400]);
    for (let y = 0; y < 20; y++) for (let x = 0; x < 20; x++) {
      if (x + 5 > y + 10) expect(tile.data[y * 20 + x]).toBeNaN(); else expect(Math.abs(tile.data[y * 20 + x] - probs[(200 + y + 10) * 100 + x + 5])).toBeLessThan(1e-6);
    }
    const thumbnails = await analysis.thumbnails({ trace, site });
    expect([thumbnails.batch, thumbnails.heads, thumbnails.size, thumbnails.data.length]).toEqual([1, 3, 32, 3 * 1024]);
    // Rows of the picture are means of rows that sum to 1.
    for (let row = 0; row < 96; row++) expect(thumbnails.data.subarray(row * 32, row * 32 + 32).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    const rows = await analysis.rows({ trace, site, batch: 0, head: 1 });
    expect([rows.entropy.length, rows.max.length, rows.maxKey.length, rows.received.length]).toEqual([100, 100, 100, 100]);
    rows.received.forEach((value, j) => expect(Math.abs(value - received[100 + j])).toBeLessThan(1e-5));
    expect(manifest.heads[site]).toHaveLength(3);
    await analysis.close({ trace });
    await expect(analysis.rows({ trace, site, batch: 0, head: 1 })).rejects.toThrow('This trace is no longer open.');
  });
  it('refuses heads, samples, ranges and sites that are not there', async () => {
    const { trace } = await analysis.open({ file }), ask = (change: object): Promise<unknown> => analysis.tile({ trace, site, batch: 0, head: 0, rows: [0, 10], cols: [0, 10], height: 10, width: 10, of: 'prob', reduce: 'max', ...change });
    await expect(ask({ head: 3 })).rejects.toThrow('blocks.0.attn has no head 3; it has 3.');
    await expect(ask({ batch: 1 })).rejects.toThrow('blocks.0.attn has no sample 1; there is 1.');
    await expect(ask({ rows: [200, 300] })).rejects.toThrow('There are no rows 200 to 300; there are 100.');
    await expect(ask({ site: 'blocks.9.attn' })).rejects.toThrow('has no site blocks.9.attn.');
    await expect(analysis.open({ file: join(folder, 'none') })).rejects.toBeInstanceOf(UserError);
  });
  it('writes pictures and tables', async () => {
    const { trace } = await analysis.open({ file }), png = join(folder, 'map.png'), csv = join(folder, 'map.csv');
    await analysis.exportMap({ trace, site, batch: 0, head: 1, out: png });
    await analysis.exportMap({ trace, site, batch: 0, head: 1, out: csv });
    await expect(analysis.exportMap({ trace, site, batch: 0, head: 1, out: join(folder, 'map.gif') })).rejects.toThrow('A map is written as .png or .csv; found .gif.');
    const picture = PNG.sync.read(readFileSync(png)), pixel = (x: number, y: number): number[] => [...picture.data.subarray((y * picture.width + x) * 4, (y * picture.width + x) * 4 + 3)];
    expect([picture.width, picture.height]).toEqual([300, 300]);
    expect(pixel(299, 0)).toEqual([222, 222, 228]);
    expect(pixel(0, 0)).toEqual([253, 231, 37]);
    const lines = readFileSync(csv, 'utf8').trim().split('\n').map(line => line.split(','));
    expect(lines).toHaveLength(101);
    expect(lines[0].slice(0, 3)).toEqual(['query', '0 t0', '1 t1']);
    expect(lines[1].slice(0, 3)).toEqual(['0 t0', '1', '']);
    expect(Number(lines[50][20])).toBeCloseTo(made.twins[0].probs[(100 + 49) * 100 + 19], 6);
    expect(existsSync(`${png}.part`)).toBe(false);
  });
  it('answers tiles while it completes, and stops completing when nobody wants it', async () => {
    mkdirSync(join(folder, 'long'));
    const long = syntheticCapture(join(folder, 'long'), 'long', { queries: 700, heads: 6, dim: 4, ids: [Array.from({ length: 700 }, (_, i) => i % 3)] }), controller = new AbortController();
    const { trace } = await analysis.open({ file });
    let ended = false;
    const completing = analysis.complete({ out: long.out, part: `${long.out}.part` }, { signal: controller.signal }).finally(() => { ended = true; });
    completing.catch(() => undefined);
    let answered = 0;
    while (!ended && answered < 3) { await analysis.tile({ trace, site, batch: 0, head: answered % 3, rows: [0, 100], cols: [0, 100], height: 100, width: 100, of: 'prob', reduce: 'mean' }); if (!ended) answered++; }
    expect(answered).toBe(3);
    controller.abort();
    await expect(completing).rejects.toBeInstanceOf(Cancelled);
    await analysis.close({ trace });
    await expect.poll(() => existsSync(`${long.out}.part`), { timeout: 10_000 }).toBe(false);
    expect(existsSync(long.out)).toBe(false);
  });
  it('discards what a dead runner left', async () => {
    const left = syntheticCapture(folder, 'left', { queries: 4 });
    await analysis.discard({ out: left.out });
    expect(['part', 'side', 'capture'].filter(ending => existsSync(`${left.out}.${ending}`))).toEqual([]);
  });
});
