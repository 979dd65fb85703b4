/** `attnscope diff` against numpy, on two traces of the demo that differ in one head's W_Q. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { TraceDiff } from '../../extension/contract/diff.ts';
import { alteredDemo, demo, traced } from '../unit/analysis/altered-demo.ts';

const python = process.env.ATTNSCOPE_PYTHON ?? 'python3', folder = mkdtempSync(join(tmpdir(), 'attnscope-diff-python-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('numpy finds the same divergences in every head', async () => {
  const text = 'Anna gave the lantern to Boris. Then Boris gave the lantern to', a = await traced(join(demo, 'model.onnx'), text, join(folder, 'a.attntrace')), b = await traced(await alteredDemo(folder, 'q', 1, 3), text, join(folder, 'b.attntrace'));
  const mine = JSON.parse(execFileSync(process.execPath, [resolve(import.meta.dirname, '../../dist/attnscope.js'), 'diff', a, b, '--json'], { encoding: 'utf8' })) as TraceDiff;
  const theirs = JSON.parse(execFileSync(python, [join(import.meta.dirname, 'diff_traces.py'), a, b], { encoding: 'utf8' })) as Record<string, Record<'js' | 'klAB' | 'klBA' | 'tv' | 'maxAbs' | 'outputError', number[]>>;
  expect(mine.sites.map(site => site.name)).toEqual(Object.keys(theirs));
  // float32 scores are off by some 1e-6, and probabilities by as much of themselves.
  for (const site of mine.sites) for (const head of site.heads) for (const name of ['js', 'klAB', 'klBA', 'tv', 'maxAbs', 'outputError'] as const) expect(Math.abs(head[name]! - theirs[site.name][name][head.head]), `${site.label}H${head.head} ${name}`).toBeLessThan(2e-5 * Math.max(1, theirs[site.name][name][head.head]));
  expect(mine.sites[1].heads[3].js).toBeGreaterThan(0.01);
});
