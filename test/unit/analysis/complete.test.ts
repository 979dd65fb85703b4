/** Completion: statistics, metrics and stored rules against the float64 twin; and all or nothing. */
import * as fs from 'node:fs';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Cancelled } from '../../../extension/contract/errors.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { exportPattern } from '../../../extension/engine/analysis/export-pattern.ts';
import { computeTile } from '../../../extension/engine/analysis/tile.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';
import { viewStoredSite } from '../../../extension/engine/trace/site-view.ts';
import { readReference } from '../../zoo/cases.ts';
import { headTwin } from './head-twin.ts';
import { syntheticCapture, type Wanted } from './synthetic.ts';

const failing = vi.hoisted(() => ({ after: Infinity }));
vi.mock('node:fs', async original => {
  const real = await original<typeof fs>();
  return { ...real, writeSync: ((...args: Parameters<typeof real.writeSync>) => {
    if (failing.after-- <= 0) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    return real.writeSync(...args);
  }) as typeof real.writeSync };
});

const folder = mkdtempSync(join(tmpdir(), 'attnscope-complete-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const name = 'blocks.0.attn';
const lowest = -3.4e38;

const left = [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]];
const right = [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]];
const cases: Readonly<Record<string, Wanted>> = {
  causal: { queries: 40, heads: 4, kvHeads: 2, ids: [Array.from({ length: 40 }, (_, i) => i % 7)] },
  'left-padding': { queries: 12, batch: 2, heads: 2, mask: (b, _h, i, j) => (j <= i && left[b][j] ? 0 : lowest), rule: { causal: false, offset: 0, window: null }, real: left },
  'right-padding': { queries: 12, batch: 2, heads: 2, mask: (b, _h, _i, j) => (right[b][j] ? 0 : -1e4), rule: { causal: false, offset: 0, window: null }, real: right },
  'padding-rows-see-all': { queries: 12, batch: 2, mask: (b, _h, i, j) => (!left[b][i] || j <= i && left[b][j] ? 0 : lowest), rule: { causal: false, offset: 0, window: null }, real: left },
  'cache-window-softcap': { queries: 5, keys: 30, heads: 2, kvHeads: 1, softcap: 3, rule: { causal: true, offset: 25, window: [9, -1] }, spread: 4 },
  'bias-and-sink': { queries: 16, heads: 2, sink: [1.5, -2], mask: (_b, h, i, j) => (j <= i ? -0.1 * (h + 1) * (i - j) : -Infinity), rule: { causal: false, offset: 0, window: null } },
  'empty-rows': { queries: 10, mask: (_b, _h, i, j) => (i === 3 || i === 4 || j > i ? -Infinity : 0), rule: { causal: false, offset: 0, window: null } },
  'one-query': { queries: 1, keys: 20, heads: 2 },
  'many-repeats': { queries: 64, heads: 2, ids: [Array.from({ length: 64 }, (_, i) => i % 2)] },
};

describe.each(Object.entries(cases))('%s', (label, wanted) => {
  it('agrees with the float64 twin on every number', async () => {
    const { out, twins, sees } = syntheticCapture(folder, label, wanted), { queries, keys = queries, batch = 1, heads = 2 } = wanted;
    const { manifest } = await completeCapture({ out }), trace = openTrace(out);
    try {
      // What is returned is what lies in the file.
      expect(trace.manifest).toEqual(JSON.parse(JSON.stringify(manifest)));
      expect(manifest.parity[name]).toMatchObject({ ok: true, of: 'pattern' });
      const read = (part: string): Float32Array | Int32Array => (part === 'max_key' ? trace.store.ints(`${name}.stats.max_key`) : trace.store.floats(`${name}.stats.${part}`));
      const parts = { lse: read('lse'), entropy: read('entropy'), max: read('max') }, maxKey = read('max_key'), received = read('received');
      let empty = 0;
      for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) {
        const twin = twins[b], real = (i: number): boolean => manifest.input.real[b]?.length !== queries || manifest.input.real[b][i] === 1;
        const column = new Float64Array(keys);
        for (let i = 0; i < queries; i++) {
          const at = (b * heads + h) * queries + i, own = h * queries + i;
          for (const [part, data] of Object.entries(parts)) if (data[at] !== twin[part as 'lse'][own]) expect(Math.abs(data[at] - twin[part as 'lse'][own]), `${part} ${b} ${h} ${i}`).toBeLessThanOrEqual(1e-5);
          if (twin.maxKey[own] !== maxKey[at]) expect(twin.probs[own * keys + maxKey[at]]).toBeCloseTo(twin.max[own], 6);
          const seen = Array.from({ length: keys }, (_, j) => sees(b, h, i, j)).some(Boolean);
          if (real(i) && !seen) empty++;
          if (real(i) && seen) for (let j = 0; j < keys; j++) column[j] += twin.probs[own * keys + j];
        }
        for (let j = 0; j < keys; j++) expect(Math.abs(received[(b * heads + h) * keys + j] - column[j])).toBeLessThanOrEqual(1e-5);
        const stats = manifest.heads[name].find(one => one.batch === b && one.head === h)!, expected = headTwin({ twin, h, queries, keys, ids: manifest.input.ids[b], real, sees: (i, j) => sees(b, h, i, j), self: true });
        for (const [metric, value] of Object.entries(expected)) expect(Math.abs(stats[metric as 'sink'] - value), `${metric} ${b} ${h}`).toBeLessThanOrEqual(metric.startsWith('qk') ? 1e-4 : 2e-5);
      }
      expect(manifest.emptyRows[name]).toBe(empty);
      await exportPattern(trace, { out: `${out}.p`, sites: [name], scores: false });
      await exportPattern(trace, { out: `${out}.s`, sites: [name], head: 1, rows: [0, 1], cols: [0, 1], scores: true });
      const pattern = readReference(`${out}.p`).get(`${name}.hook_pattern`)!, score = readReference(`${out}.s`).get(`${name}.hook_attn_scores`)!;
      expect(pattern.shape).toEqual([batch, heads, queries, keys]);
      twins.forEach((twin, b) => twin.probs.forEach((p, n) => expect(Math.abs(pattern.data[b * twin.probs.length + n] - p)).toBeLessThanOrEqual(1e-5)));
      expect(score.shape).toEqual([batch, 1, 1, 1]);
      if (!sees(0, 1, 0, 0)) expect(score.data[0]).toBe(-Infinity); else if (!wanted.sink) expect(Math.exp(score.data[0] - twins[0].lse[queries])).toBeCloseTo(twins[0].probs[queries * keys], 5);
      const view = viewStoredSite(trace.store, manifest.sites[0], manifest.masks[name]), [height, width] = [Math.min(4, queries), Math.min(7, keys)];
      for (const reduce of ['mean', 'max'] as const) {
        const tile = await computeTile({ view, batch: batch - 1, head: 1, rows: [0, queries], cols: [0, keys], height, width, of: 'prob', reduce });
        for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
          const values: number[] = [];
          for (let i = 0; i < queries; i++) for (let j = 0; j < keys; j++) if (Math.floor(i * height / queries) === y && Math.floor(j * width / keys) === x && sees(batch - 1, 1, i, j)) values.push(twins[batch - 1].probs[(queries + i) * keys + j]);
          const value = tile.data[y * width + x];
          if (!values.length) expect(value).toBeNaN(); else expect(Math.abs(value - (reduce === 'max' ? Math.max(...values) : values.reduce((a, b) => a + b) / values.length))).toBeLessThanOrEqual(1e-5);
        }
      }
    } finally { trace.close(); }
  });
});

describe('the file', () => {
  it('opens the same with a header that outgrew its space', async () => {
    const { out } = syntheticCapture(folder, 'small-header', { queries: 20, headerSpace: 64 }), { manifest } = await completeCapture({ out }), trace = openTrace(out);
    expect(trace.manifest.heads).toEqual(manifest.heads);
    expect(trace.store.floats(`${name}.hook_q`, 0, 1)[0]).not.toBe(0);
    trace.close();
  });
  it('keeps the pattern when it is asked for', async () => {
    const { out, twins } = syntheticCapture(folder, 'kept', { queries: 9, keepPattern: true });
    await completeCapture({ out });
    const trace = openTrace(out), kept = trace.store.floats(`${name}.hook_pattern`);
    twins[0].probs.forEach((p, n) => expect(kept[n]).toBeCloseTo(p, 5));
    trace.close();
  });
  it('stores one mask once', async () => {
    const { out } = syntheticCapture(folder, 'mask', cases['padding-rows-see-all']);
    await completeCapture({ out });
    const trace = openTrace(out);
    expect(trace.manifest.masks[name]).toEqual({ causal: false, offset: 0, window: null, keys: null, bias: 'masks.bias.0', sink: null });
    expect(trace.manifest.sites[0].mask).toMatchObject({ causal: true, additive: false });
    trace.close();
  });
  const left = (): string[] => readdirSync(folder).filter(file => /\.(part|side|capture)$/.test(file));
  it('a full disk leaves the old trace and nothing else', async () => {
    for (const after of [0, 3, 5, 6]) {
      const { out } = syntheticCapture(folder, 'full', { queries: 12 });
      writeFileSync(out, 'the old one');
      failing.after = after;
      try { await expect(completeCapture({ out })).rejects.toThrow(`The disk is full: ${out}.part could not be written.`); } finally { failing.after = Infinity; }
      expect(fs.readFileSync(out, 'utf8')).toBe('the old one');
      expect(left()).toEqual([]);
    }
  });
  it('a cancelled completion leaves nothing', async () => {
    const { out } = syntheticCapture(folder, 'cancelled', { queries: 300, heads: 8 }), controller = new AbortController();
    await expect(completeCapture({ out }, { signal: controller.signal, progress: () => controller.abort() })).rejects.toBeInstanceOf(Cancelled);
    expect(fs.existsSync(out)).toBe(false);
    expect(left()).toEqual([]);
  });
  it('without a capture there is a sentence', async () => {
    await expect(completeCapture({ out: join(folder, 'none.attntrace') })).rejects.toThrow('There is no finished capture for');
  });
  it('values that are not finite fail parity and get a verdict', async () => {
    const { out } = syntheticCapture(folder, 'nan', { queries: 6, spoil: q => { q[5] = NaN; } }), { manifest } = await completeCapture({ out });
    expect(manifest.parity[name]).toMatchObject({ ok: false, maxAbs: null, why: 'Some values are not finite.' });
    expect(manifest.verdicts.map(verdict => verdict.text)).toContain('The attention of 1 row is not finite (first at L0): what goes into it is broken already, by an overflow before it or by damaged weights. The first one is blocks.0.attn.hook_q[0, 0, 0, 5] = NaN.');
    openTrace(out).close();
  });
});
