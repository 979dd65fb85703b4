/** Pictures on the GPU are those of the CPU, whatever the mask; and whatever happens to the GPU, they come. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { computeTile, type TileOf } from '../../../extension/engine/analysis/tile.ts';
import { Devices, wantedDevice } from '../../../extension/engine/compute/gpu/devices.ts';
import { OutOfMemory } from '../../../extension/engine/compute/gpu/buffer-pool.ts';
import type { Gpu } from '../../../extension/engine/compute/gpu/gpu.ts';
import { sampleStatistics } from '../../../extension/engine/compute/statistics.ts';
import { countVisible, type Visibility } from '../../../extension/engine/trace/visibility.ts';
import { storeSite } from '../../golden/stored-site.ts';
import { randomNumbers } from './synthetic.ts';

const shaders = resolve(import.meta.dirname, '../../../shaders'), folder = mkdtempSync(join(tmpdir(), 'attnscope-devices-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const random = randomNumbers(5), batch = 2, heads = 4, kvHeads = 2, queries = 37, keys = 45, dim = 6;
const draw = (count: number): Float32Array => Float32Array.from({ length: count }, () => 4 * random() - 2);
const q = { shape: [batch, heads, queries, dim], data: draw(batch * heads * queries * dim) }, k = { shape: [batch, kvHeads, keys, dim], data: draw(batch * kvHeads * keys * dim) };
const plain = { batch, heads, queries, keys }, causal = { causal: true, offset: keys - queries, window: null };
const masks: Readonly<Record<string, Visibility>> = {
  'causal, behind cached keys': { ...plain, rule: causal },
  'a window, padding': { ...plain, rule: { causal: false, offset: 0, window: [7, 3] }, visibleKeys: Uint8Array.from({ length: batch * keys }, (_, n) => Number(n % 6 !== 2)) },
  'a bias a head, with hidden cells': { ...plain, rule: causal, bias: { dims: [1, heads, queries, keys], data: Float32Array.from({ length: heads * queries * keys }, () => (random() < 0.2 ? -1e9 : random())) } },
  'blocks a head': { ...plain, rule: causal, blocks: { size: 8, offset: 0, dims: [2, 5, 6], cells: Uint8Array.from({ length: 60 }, () => Number(random() < 0.6)) } },
};
const named = /^Large maps are computed on \S/, forced = new Devices(shaders, 'webgpu', sentence => { if (!named.test(sentence)) throw new Error(sentence); });

describe.each(Object.entries(masks))('%s', (_, visibility) => {
  it('probabilities and scores, mean and maximum, of a part, of single cells and of everything', async () => {
    const bare = storeSite(folder, { q, k }, { scale: 0.4, softcap: 3, visibility }), lse = new Float32Array(batch * heads * queries);
    for (let b = 0; b < batch; b++) lse.set((await sampleStatistics(bare.view, b, h => Uint8Array.from(countVisible(visibility, b, h, () => true).seen, seen => Math.min(1, seen)), async () => undefined)).lse, b * heads * queries);
    bare.close();
    const stored = storeSite(folder, { q, k, lse }, { scale: 0.4, softcap: 3, visibility });
    try {
      for (const [head, sample] of [[0, 0], [3, 1]] as const) for (const of of ['prob', 'score'] as const) for (const reduce of ['mean', 'max'] as const) for (const [rows, cols, height, width] of [[[0, queries], [0, keys], 8, 8], [[3, 9], [2, 13], 6, 11], [[0, queries], [0, keys], 32, 5]] as const) {
        const tile: TileOf = { view: stored.view, batch: sample, head, rows, cols, height, width, of, reduce };
        const [own, other] = [await computeTile(tile), await computeTile({ ...tile, devices: forced, largeFrom: 0 })];
        own.data.forEach((value, n) => (Number.isNaN(value) ? expect(other.data[n], `${of} ${reduce} ${n}`).toBeNaN() : expect(Math.abs(other.data[n] - value), `${of} ${reduce} ${n}: ${other.data[n]} for ${value}`).toBeLessThan(2e-5)));
      }
    } finally { stored.close(); }
  });
});

describe('what happens to the GPU', () => {
  it('lost once, it is opened again; lost twice, the CPU goes on; each is said', async () => {
    const said: string[] = [], devices = new Devices(shaders, 'webgpu', sentence => said.push(sentence));
    expect(await devices.run(async gpu => gpu.name, async () => '')).not.toBe('');
    expect(said.splice(0)).toEqual([expect.stringMatching(named)]);
    const work = (lose: number): Promise<string> => devices.run(async gpu => {
      if (lose-- > 0) gpu.device.destroy();
      await gpu.read(await gpu.upload(new Float32Array(4)), 16);
      return 'gpu';
    }, async () => 'cpu');
    expect(await work(0)).toBe('gpu');
    expect(await work(1)).toBe('gpu');
    expect(said).toEqual(['The GPU was lost: it was closed. It is opened once more.']);
    expect(await work(1)).toBe('cpu');
    expect(said.slice(1)).toEqual(['The GPU was lost: it was closed. The CPU computes from now on.']);
    expect(await work(0)).toBe('cpu');
    expect(said).toHaveLength(2);
  });
  it('what it has no room for, the CPU does, and that alone', async () => {
    const said: string[] = [], devices = new Devices(shaders, 'webgpu', sentence => said.push(sentence));
    expect(await devices.run(async gpu => gpu.name, async () => '')).not.toBe('');
    expect(said.splice(0)).toEqual([expect.stringMatching(named)]);
    expect(await devices.run(async gpu => { await gpu.pool.take(2 ** 45); return 'gpu'; }, async () => 'cpu')).toBe('cpu');
    expect(said[0]).toMatch(/^The GPU has no room for a buffer of 33,554,432 MiB: .* The CPU does it\.$/);
    expect(await devices.run(async () => 'gpu', async () => 'cpu')).toBe('gpu');
    expect(() => { throw new OutOfMemory(1, 'x'); }).toThrow('The GPU has no room for a buffer of 1 MiB: x.');
  });
  it('a failure of our own on it costs the GPU, not the picture', async () => {
    const said: string[] = [], devices = new Devices(shaders, 'webgpu', sentence => said.push(sentence));
    expect(await devices.run(async gpu => gpu.name, async () => '')).not.toBe('');
    expect(said.splice(0)).toEqual([expect.stringMatching(named)]);
    expect(await devices.run(async (gpu: Gpu) => { await gpu.run({ buffers: { a: 4 }, passes: [{ shader: 'none.wgsl', reads: [], writes: ['a'], grid: [1] }] }, new Map(), ['a']); return 'gpu'; }, async () => 'cpu')).toBe('cpu');
    expect(said[0]).toMatch(/^ENOENT.* The CPU computes from now on\.$/);
  });
  it('`auto` takes no processor for a GPU, `cpu` nothing at all', async () => {
    const taken = (wanted: 'auto' | 'cpu'): Promise<string> => new Devices(shaders, wanted, () => undefined).run(async () => 'gpu', async () => 'cpu');
    expect(await taken('cpu')).toBe('cpu');
    expect(await taken('auto')).toBe((await forced.gpu())!.software ? 'cpu' : 'gpu');
    expect([wantedDevice('webgpu'), wantedDevice('cpu'), wantedDevice(undefined), wantedDevice('tpu')]).toEqual(['webgpu', 'cpu', 'auto', 'auto']);
  });
});
