/** A trace of the demo, made by the command line, opened in Python: the contract's names and shapes, and the numbers computed again by numpy. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const cli = join(root, 'dist/attnscope.js');
const python = process.env.ATTNSCOPE_PYTHON ?? 'python3';
const folder = mkdtempSync(join(tmpdir(), 'attnscope-python-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Found {
  readonly formatVersion: number;
  readonly sites: readonly string[];
  readonly tokens: number;
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly dtype: string }>>;
  readonly products: Readonly<Record<string, { readonly numpy: number; readonly at: readonly number[]; readonly trace: { readonly value: number; readonly exact: boolean; readonly batch: number; readonly head: number; readonly query: number; readonly key: number } }>>;
  readonly sinkValues: Readonly<Record<string, number>>;
  readonly saturation: Readonly<Record<string, number>>;
  readonly worst: Readonly<Record<string, Readonly<Record<'pattern' | 'entropy' | 'max' | 'max_key' | 'received', number>>>>;
}
let found: Found;

beforeAll(() => {
  expect(existsSync(cli), 'run npm run build first').toBe(true);
  const trace = join(folder, 'demo.attntrace');
  const pattern = join(folder, 'pattern.safetensors');
  const node = (...args: string[]): string => execFileSync(process.execPath, [cli, ...args], { encoding: 'utf8', timeout: 100_000 });
  node('trace', join(root, 'media/demo/storyteller/model.onnx'), '--prompt', 'Anna gave the lantern to Boris. Then Boris gave the lantern to', '--out', trace);
  node('pattern', trace, '--out', pattern);
  found = JSON.parse(execFileSync(python, [join(import.meta.dirname, 'read_trace.py'), trace, pattern], { encoding: 'utf8' }));
});

describe('a trace in Python', () => {
  it('opens, with the demo\'s six sites', () => {
    expect(found.formatVersion).toBe(1);
    expect(found.sites).toEqual([0, 1, 2, 3, 4, 5].map(layer => `blocks.${layer}.attn`));
    expect(found.tokens).toBeGreaterThan(10);
  });

  it('names and shapes are the contract\'s', () => {
    const t = found.tokens;
    // The demo has 8 query heads on 4 key-value heads of size 32.
    const shapes = { hook_q: [1, t, 8, 32], hook_k: [1, t, 4, 32], hook_v: [1, t, 4, 32], 'stats.lse': [1, 8, t], 'stats.entropy': [1, 8, t], 'stats.max': [1, 8, t], 'stats.max_key': [1, 8, t], 'stats.received': [1, 8, t], 'stats.pooled': [1, 8, 32, 32] };
    for (const site of found.sites) for (const [name, shape] of Object.entries(shapes)) {
      expect(found.tensors[`${site}.${name}`], `${site}.${name}`).toEqual({ shape, dtype: name === 'stats.max_key' ? 'int32' : 'float32' });
    }
  });

  it('numpy, in float64 from the stored q and k, finds the same probabilities and statistics', () => {
    for (const site of found.sites) {
      const worst = found.worst[site];
      // float32 q and k of this size give scores with an error of some 1e-6, and so probabilities.
      expect(worst.pattern, site).toBeLessThan(1e-5);
      expect(worst.max, site).toBeLessThan(1e-5);
      // Ties apart, the key with the largest probability is the one that is named.
      expect(worst.max_key, site).toBeLessThan(1e-5);
      // A sum over t terms p·ln p, each off by about 1e-6·|ln p|.
      expect(worst.entropy, site).toBeLessThan(1e-4);
      // A sum over up to t rows.
      expect(worst.received, site).toBeLessThan(1e-4);
    }
  });

  it('numpy finds the same largest |q·k| at the same place, and the same lengths of values and share of saturated rows', () => {
    for (const site of found.sites) {
      const { numpy, at, trace } = found.products[site];
      expect(trace).toMatchObject({ exact: true, batch: at[0], head: at[1], query: at[2], key: at[3] });
      // Seven digits are stored.
      expect(Math.abs(trace.value / numpy - 1), site).toBeLessThan(1e-6);
      // Five digits of a ratio of about 1.
      expect(found.sinkValues[site], site).toBeLessThan(1e-4);
      expect(found.saturation[site], site).toBeLessThan(1e-6);
    }
  });
});
