/** `attnscope diff` as its users call it. */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TraceDiff } from '../../../extension/contract/diff.ts';
import { alteredDemo, demo, traced } from '../analysis/altered-demo.ts';

const root = resolve(import.meta.dirname, '../../..'), cache = join(root, 'node_modules/.cache'), folder = mkdtempSync(join(tmpdir(), 'attnscope-diff-cli-'));
mkdirSync(cache, { recursive: true });
const bundle = mkdtempSync(join(cache, 'attnscope-diff-cli-')), text = 'Anna gave the lantern to Boris. Then Boris gave the lantern to';
let whole: string, altered: string;

beforeAll(async () => {
  await build({
    absWorkingDir: root, outdir: bundle, bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'error', external: ['onnxruntime-node', 'webgpu'],
    define: { 'import.meta.url': '__importMetaUrl' }, inject: ['extension/cjs-shim.js'], entryPoints: { attnscope: 'extension/engine/main/cli.ts' },
  });
  whole = await traced(join(demo, 'model.onnx'), text, join(folder, 'whole.attntrace'));
  altered = await traced(await alteredDemo(folder, 'q', 1, 3), text, join(folder, 'altered.attntrace'));
});
afterAll(() => { for (const one of [bundle, folder]) rmSync(one, { recursive: true, force: true }); });

function attnscope(...args: readonly string[]): { readonly code: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(bundle, 'attnscope.js'), ...args], { encoding: 'utf8', timeout: 60_000 });
  return { code: status, out: stdout, err: stderr };
}

it('--json is one value, with every head of every site', () => {
  const { code, out, err } = attnscope('diff', whole, altered, '--json'), found = JSON.parse(out) as TraceDiff;
  expect([code, err]).toEqual([0, '']);
  expect(found).toMatchObject({ formatVersion: 1, first: { site: 'blocks.1.attn', head: 3, label: 'L1H3' }, identical: false, models: 'same-graph', a: { file: whole }, b: { file: altered } });
  expect(found.sites.map(site => site.heads.length)).toEqual([8, 8, 8, 8, 8, 8]);
  expect(JSON.parse(attnscope('diff', whole, whole, '--json').out)).toMatchObject({ identical: true, first: null, worst: [] });
});
it('without it is read by people: the sentence first, then heads, worst first, then the next tokens', () => {
  const { code, out, err } = attnscope('diff', whole, altered, '--all-rows');
  expect([code, err]).toEqual([0, '']);
  const lines = out.split('\n');
  expect(lines[0]).toMatch(/^It starts at L1, at L1H3 alone: /);
  expect(out).toMatch(/^head +JS +KL\(A\|B\) +KL\(B\|A\) +TV +max change +top-5 +output$/m);
  expect(out).toMatch(/^L1H3 +0\.\d{4} /m);
  expect(out).toMatch(/^next token +A +B$/m);
  expect(out).toContain('Only the 5 most likely are stored: KL(A|B) is at least ');
});
it('with --tolerance only what is over it counts: a head that changes less is not where it starts', () => {
  const found = JSON.parse(attnscope('diff', whole, altered, '--tolerance', '0.999', '--json').out) as TraceDiff;
  expect(found.tolerance).toBe(0.999);
  // L1H3's output changes by more than all of itself; every other head by less.
  expect(found.sites.flatMap(site => site.heads.filter(head => head.above).map(head => `${site.label}H${head.head}`))).toEqual(['L1H3']);
  expect(attnscope('diff', altered, whole, '--tolerance', '1').out).toMatch(/^No head differs by more than 1: the largest change of a probability is 0\.\d+ at L1H3, where rounding explains 2e-5\./);
});
it('refuses with a sentence, and wrong usage with the right one', () => {
  expect(attnscope('diff', whole, join(folder, 'none.attntrace'))).toMatchObject({ code: 1, out: '' });
  expect(attnscope('diff', whole)).toMatchObject({ code: 2, out: '', err: 'Two traces are needed; found 1.\nUsage: attnscope diff A.attntrace B.attntrace [--tolerance P] [--all-rows] [--json]\n' });
  expect(attnscope('diff', whole, altered, '--tolerance', '5%').err).toMatch(/^--tolerance must be a change of a probability, 0 to 1; found "5%"\./);
});
