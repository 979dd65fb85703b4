/** Comparing traces: a head whose weights were changed is named as the first; equal traces give 0; numbers as a float64 twin has them. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Progress } from '../../../extension/contract/api.ts';
import type { HeadDiff, TraceDiff } from '../../../extension/contract/diff.ts';
import { Cancelled, UserError } from '../../../extension/contract/errors.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { nextTokenDiff } from '../../../extension/engine/analysis/diff-next.ts';
import { differenceTile } from '../../../extension/engine/analysis/diff-tile.ts';
import { diffTraces, type DiffOptions } from '../../../extension/engine/analysis/diff.ts';
import { prepare } from '../../../extension/engine/compute/rows.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';
import { viewStoredSite } from '../../../extension/engine/trace/site-view.ts';
import { alteredDemo, demo, traced } from './altered-demo.ts';
import { diffTwin, siteTwin } from './diff-twin.ts';
import { syntheticCapture, type Wanted } from './synthetic.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-diff-')), text = 'Anna gave the lantern to Boris. Then Boris gave the lantern to', model = join(demo, 'model.onnx');
const at = (name: string): string => join(folder, `${name}.attntrace`);
let whole: string, alteredQ: string, alteredV: string;

beforeAll(async () => {
  whole = await traced(model, text, at('whole'));
  alteredQ = await traced(await alteredDemo(folder, 'q', 1, 3), text, at('altered-q'));
  alteredV = await traced(await alteredDemo(folder, 'v', 2, 1), text, at('altered-v'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function diff(a: string, b: string, options?: DiffOptions): Promise<TraceDiff> {
  const [first, second] = [openTrace(a), openTrace(b)];
  try { return await diffTraces(first, second, options); } finally { first.close(); second.close(); }
}
const headOf = (found: TraceDiff, site: string, head: number): HeadDiff => found.sites.find(one => one.name === site)!.heads[head];
const zero = { js: 0, klAB: 0, klBA: 0, tv: 0, maxAbs: 0, topKOverlap: 1, outputError: 0, maskRows: 0, notFinite: [0, 0], above: false };

describe('equal traces', () => {
  it('give exactly 0 everywhere, whether copied or run again', async () => {
    const copied = at('copied'), again = await traced(model, text, at('again'));
    copyFileSync(whole, copied);
    for (const other of [copied, again]) {
      const found = await diff(whole, other);
      expect(found).toMatchObject({ identical: true, first: null, worst: [], models: 'same', sameInput: true, notes: [], sentence: 'The two traces are the same: every difference at all 48 heads is exactly 0.' });
      for (const site of found.sites) for (const head of site.heads) expect(head).toMatchObject(zero);
      expect(found.next).toMatchObject([{ klAB: 0, klBA: 0, js: 0, tv: 0 }]);
    }
  });
});

describe('a model with the W_Q of L1H3 changed', () => {
  it('differs first at that head, at that head alone, and nowhere before', async () => {
    const found = await diff(whole, alteredQ);
    expect(found.first).toEqual({ site: 'blocks.1.attn', batch: 0, head: 3, label: 'L1H3' });
    expect(found.models).toBe('same-graph');
    for (const head of found.sites[0].heads) expect(head).toMatchObject(zero);
    for (const head of found.sites[1].heads) if (head.head === 3) expect(head).toMatchObject({ above: true, rows: siteTwin(whole, 'blocks.1.attn').length }); else expect(head).toMatchObject(zero);
    expect(found.sites.slice(2).every(site => site.heads.every(head => head.above))).toBe(true);
    expect(found.sentence).toMatch(/^It starts at L1, at L1H3 alone: a probability changes by up to 0\.\d+ \(query \d+ ".+", key \d+ ".+"\), where rounding explains 2e-5; its output changes by \d+(\.\d+)?%\. All 8 heads before it agree exactly\./);
    expect(found.next[0].tokens.some(token => token.a !== token.b)).toBe(true);
  });
  it('has the numbers of the float64 twin, in every head of every layer', async () => {
    const found = await diff(whole, alteredQ);
    for (const site of found.sites) {
      const a = siteTwin(whole, site.name), b = siteTwin(alteredQ, site.name);
      for (const head of site.heads) {
        const twin = diffTwin(a, b, head.head);
        // float32 scores are off by some 1e-6, and probabilities by as much of themselves; equal probabilities may change places among the top 5.
        for (const name of ['js', 'tv', 'maxAbs', 'klAB', 'klBA', 'outputError'] as const) expect(Math.abs(head[name]! - twin[name]), `${site.label}H${head.head} ${name}`).toBeLessThan(2e-5 * Math.max(1, twin[name]));
        expect(Math.abs(head.topKOverlap - twin.topKOverlap)).toBeLessThan(0.02);
      }
    }
    expect(found.worst.map(place => headOf(found, place.site, place.head).js)).toEqual(found.worst.map(place => headOf(found, place.site, place.head).js).toSorted((x, y) => y - x));
  });
  it('reports progress site by site, and stops when it is cancelled', async () => {
    const phases: Progress[] = [];
    await diff(whole, alteredQ, { progress: value => phases.push(value) });
    expect(phases.map(one => one.done)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await expect(diff(whole, alteredQ, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(Cancelled);
  });
  it('has a difference map that is B less A, pooled by the largest change', async () => {
    const sides = [whole, alteredQ].map(file => {
      const trace = openTrace(file), view = viewStoredSite(trace.store, trace.manifest.sites[1], trace.manifest.masks['blocks.1.attn']);
      return { trace, view, prepared: prepare({ view, batch: 0, head: 3, of: 'prob' }) };
    });
    const a = siteTwin(whole, 'blocks.1.attn'), b = siteTwin(alteredQ, 'blocks.1.attn'), n = a.length, change = (i: number, j: number): number => b.probs[(3 * n + i) * n + j] - a.probs[(3 * n + i) * n + j];
    try {
      const ask = { a: sides[0], b: sides[1], batch: 0, head: 3, rows: [0, n] as const, cols: [0, n] as const }, fine = await differenceTile({ ...ask, height: 512, width: 512 }), coarse = await differenceTile({ ...ask, height: 4, width: 4 });
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (j > i) expect(fine.data[i * n + j]).toBeNaN(); else expect(Math.abs(fine.data[i * n + j] - change(i, j))).toBeLessThan(5e-6);
      for (let y = 0; y < 4; y++) for (let x = 0; x <= y; x++) {
        let most = 0;
        for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) if (Math.floor(i * 4 / n) === y && Math.floor(j * 4 / n) === x && Math.abs(change(i, j)) > Math.abs(most)) most = change(i, j);
        expect(Math.abs(coarse.data[y * 4 + x] - most)).toBeLessThan(5e-6);
      }
    } finally { for (const { trace } of sides) trace.close(); }
  });
});

describe('other differences', () => {
  it('a changed W_V shows in the output of the query heads that read it, while all probabilities there agree', async () => {
    const found = await diff(whole, alteredV), site = found.sites[2];
    expect(found.first).toMatchObject({ site: 'blocks.2.attn' });
    expect(site.heads.filter(head => head.above).map(head => head.head)).toEqual([2, 3]);
    expect(site.heads.every(head => head.js === 0 && head.maxAbs === 0)).toBe(true);
    // −2 of the values is 3 away from them.
    expect(site.heads[2].outputError).toBeCloseTo(3, 4);
    expect(found.sentence).toContain('its probabilities agree, but its output Σ p·v changes by 300%, where rounding explains');
    expect(found.sentence).toContain('All 16 heads before it agree exactly.');
  });
  it('what storing halves makes of a trace is rounding, and said to be', async () => {
    const halves = await traced(model, text, at('halves'), 'fp16'), found = await diff(whole, halves);
    expect(found).toMatchObject({ first: null, identical: false });
    expect(found.worst).toHaveLength(48);
    expect(found.sites[0].precision).toEqual({ a: 'F32', b: 'F16' });
    expect(found.sentence).toMatch(/^No head differs by more than rounding: the largest change of a probability is \S+ at L\dH\d, where rounding explains \S+\. The most likely next token stays ".+" \(\S+% → \S+%\)\.$/);
    expect(found.sites.every(site => site.floor.probability > 2e-5 && site.floor.probability < 0.05)).toBe(true);
  });
  it.each([['llama', 'eager-ts', 'sdpa-dynamo23'], ['gpt2', 'sdpa-ts', 'eager-dynamo18']])('two exports of %s (%s, %s), which compute in another order, agree up to rounding, and the floor says so', async (name, one, other) => {
    const zoo = resolve(import.meta.dirname, '../../zoo/models', name), prompt = { kind: 'tensors' as const, file: join(zoo, 'reference.safetensors') }, [a, b] = await Promise.all([one, other].map(file => traced(join(zoo, `${file}.onnx`), prompt, at(`${name}-${file}`))));
    const found = await diff(a, b);
    expect(found).toMatchObject({ first: null, identical: false, models: 'different', sameInput: true });
    expect(found.sentence).toMatch(/^No head differs by more than rounding: the largest change of a probability is \S+e-[78] at L\dH\d, where rounding explains 2e-5\./);
  });
  it('of two prompts the positions that both have are compared, and that is said', async () => {
    const found = await diff(whole, await traced(model, 'Anna gave the lantern to Carol. Then Boris went home and slept until noon.', at('other')));
    expect(found).toMatchObject({ sameInput: false, models: 'same', identical: false });
    expect(found.notes[0]).toMatch(/^The prompts differ from position \d+ on \(".*" in A, ".*" in B\)\.$/);
    expect(found.notes[1]).toMatch(/^A has \d+ tokens, B \d+: positions 0 to \d+ are compared one by one, and keys beyond them count as one\.$/);
    // Behind a causal mask nothing before the first other token can differ.
    const from = Number(/position (\d+)/.exec(found.notes[0])![1]), site = found.sites[0], a = siteTwin(whole, site.name), b = siteTwin(at('other'), site.name);
    expect(site.heads.every(head => head.maxAbs === 0 || head.query >= from)).toBe(true);
    expect(found.sentence).toMatch(/^Where the prompts allow a comparison, it starts at L0/);
    expect(site.heads[0].rows).toBe(Math.min(a.length, b.length));
    expect(Math.abs(site.heads[0].js - diffTwin(a, b, 0, Math.min(a.length, b.length)).js)).toBeLessThan(2e-5);
  });
});

describe('from q, k and v that were made up', () => {
  async function made(name: string, wanted: Wanted): Promise<string> {
    const { out } = syntheticCapture(folder, name, wanted);
    await completeCapture({ out });
    return out;
  }
  it('keys that one of them hides make KL infinite that way, and are counted', async () => {
    const a = await made('seen', { queries: 24 }), b = await made('held', { queries: 24, rule: { causal: true, offset: 0, window: [3, -1] } }), head = headOf(await diff(a, b), 'blocks.0.attn', 0);
    // The two names have as many letters, and so the same random numbers: the window alone differs. Rows 0 to 3 see all there is.
    expect(head).toMatchObject({ rows: 24, maskRows: 20, klAB: null });
    expect(head.klBA).toBeGreaterThan(0);
    expect(head.js).toBeGreaterThan(0);
    expect(head.js).toBeLessThan(Math.LN2);
  });
  it('padding is left out, and samples are compared each alone', async () => {
    const real = [Array.from({ length: 12 }, () => 1), Array.from({ length: 12 }, (_, i) => (i < 5 ? 0 : 1))], wanted = { queries: 12, batch: 2, real }, found = await diff(await made('pad1', wanted), await made('pads', { ...wanted, spread: 2.5 }));
    expect(found.sites[0].heads.map(({ batch, rows }) => [batch, rows])).toEqual([[0, 12], [0, 12], [1, 7], [1, 7]]);
    expect(found.first!.label).toMatch(/^L0H\d \[\d\]$/);
  });
  it('sink logits take part as a place of their own', async () => {
    const a = await made('sinkA', { queries: 16, sink: [0, 0] }), b = await made('sinkB', { queries: 16, sink: [0, 50] }), found = await diff(a, b);
    expect(headOf(found, 'blocks.0.attn', 0)).toMatchObject(zero);
    // All attention of the second head goes into the sink: nothing is left of its output.
    expect(headOf(found, 'blocks.0.attn', 1).tv).toBeGreaterThan(0.5);
    expect(headOf(found, 'blocks.0.attn', 1).outputError).toBeCloseTo(1, 4);
  });
  it('scores that are no numbers are counted and left out, and where one trace alone has them it starts', async () => {
    const spoil = (q: Float32Array): void => { q[0] = NaN; }, found = await diff(await made('nana', { queries: 8 }), await made('nanb', { queries: 8, spoil }));
    expect(headOf(found, 'blocks.0.attn', 0)).toMatchObject({ rows: 7, notFinite: [0, 1], maxAbs: 0, above: true });
    expect(found.sentence).toBe('It starts at L0, at L0H0 alone: scores are not finite in 1 row of B.');
    expect(found.identical).toBe(false);
  });
  it('of long ones a sample of rows is compared, and that is said; all on request', async () => {
    const a = await made('long1', { queries: 700, heads: 1, dim: 4, bare: true }), b = await made('longs', { queries: 700, heads: 1, dim: 4, bare: true, spread: 2.1 }), found = await diff(a, b), all = await diff(a, b, { allRows: true });
    expect(found.sites[0].heads[0].rows).toBe(512);
    expect(found.notes).toEqual(['Of 700 rows 512 are compared, evenly spread, the first and the last among them.']);
    expect(all.sites[0].heads[0].rows).toBe(700);
    expect(all.notes).toEqual([]);
    expect(found.sites[0].heads[0].js / all.sites[0].heads[0].js).toBeCloseTo(1, 1);
  });
  it('heads that are too large to hold together are gone through one by one, with the same numbers', async () => {
    const wanted = { queries: 40, heads: 6, kvHeads: 2, sink: [0, 1, 2, 3, 4, 5] }, a = await made('grpA', wanted), b = await made('grpB', { ...wanted, spread: 2.2 }), together = await diff(a, b), alone = await diff(a, b, { wholeBytes: 1 });
    expect(together.sites[0].heads.some(head => head.js > 0.001)).toBe(true);
    together.sites[0].heads.forEach((head, h) => { for (const name of ['js', 'klAB', 'tv', 'maxAbs', 'outputError', 'topKOverlap'] as const) expect(Math.abs(alone.sites[0].heads[h][name]! - head[name]!)).toBeLessThan(1e-6); });
    expect(Math.abs(alone.sites[0].floor.probability - together.sites[0].floor.probability)).toBeLessThan(1e-5);
  });
  it('traces without a common site are refused by name', async () => {
    const error = await diff(whole, await made('alone', { queries: 8 })).catch((refusal: unknown) => refusal);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).sentence).toContain('have no attention site in common (blocks.0.attn: 8 heads in A, 2 in B). Compare two traces of one model, or of two versions of it.');
  });
});

describe('next tokens', () => {
  const tokens = (...pairs: readonly (readonly [number, number])[]) => [pairs.map(([id, probability]) => ({ id, token: `t${id}`, probability }))];
  it('are compared over those that both store, the others as one', () => {
    const [found] = nextTokenDiff({ next: tokens([1, 0.5], [2, 0.25], [3, 0.05]) }, { next: tokens([2, 0.5], [1, 0.25], [4, 0.1]) });
    expect(found.tokens).toEqual([{ id: 1, token: 't1', a: 0.5, b: 0.25 }, { id: 2, token: 't2', a: 0.25, b: 0.5 }, { id: 4, token: 't4', a: null, b: 0.1 }, { id: 3, token: 't3', a: 0.05, b: null }]);
    expect(found.klAB).toBeCloseTo(0.5 * Math.log(2) - 0.25 * Math.log(2), 12);
    expect(found.tv).toBeCloseTo(0.25, 12);
  });
  it('without one in common say nothing', () => expect(nextTokenDiff({ next: tokens([1, 0.9]) }, { next: tokens([2, 0.9]) })[0]).toMatchObject({ klAB: null, klBA: null, js: null, tv: null }));
});
