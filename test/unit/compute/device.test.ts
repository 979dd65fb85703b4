/** WGSL runs here, on a software adapter at least, and gives its result back; where it cannot, a sentence says why. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..'), folder = mkdtempSync(join(root, 'node_modules', '.attnscope-device-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const script = join(folder, 'probe.mjs');

beforeAll(async () => {
  await build({
    stdin: { contents: `import { probeDevice } from './extension/engine/compute/device.ts'; console.log(JSON.stringify(await probeDevice(process.argv[2]))); process.exit(0);`, resolveDir: root },
    bundle: true, platform: 'node', format: 'esm', outfile: script, external: ['webgpu'], logLevel: 'error',
  });
});
/** In a process of its own: a driver is chosen when a process first asks for one. */
function probe(shaders: string, env: Readonly<Record<string, string>> = {}): { readonly webgpu: string | null; readonly why?: string } {
  return JSON.parse(execFileSync(process.execPath, [script, shaders], { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 60_000 }).trim().split('\n').pop()!);
}

describe('the device', () => {
  it('doubles a buffer', () => {
    const device = probe(join(root, 'shaders'));
    expect(device.why).toBeUndefined();
    expect(device.webgpu, 'a WGSL adapter: apt-get install chromium libvulkan1').toMatch(/\w/);
  });
  it('says when there is no adapter', () => {
    expect(probe(join(root, 'shaders'), { VK_ICD_FILENAMES: join(tmpdir(), 'no-driver.json'), VK_DRIVER_FILES: join(tmpdir(), 'no-driver.json') })).toEqual({ webgpu: null, why: 'WebGPU finds no adapter: there is no GPU, or its Vulkan driver is missing.' });
  });
  it('says when the shaders are missing', () => {
    expect(probe(join(root, 'none'))).toEqual({ webgpu: null, why: expect.stringMatching(/^WebGPU cannot be used here: ENOENT/) });
  });
});
