/** `npm test`: everything, from a clone with nothing installed; its last line is `tests: N passed, N failed`. `--quick` runs the unit, golden and Python suites only. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ensureCodeServer } from './bed/code-server.mjs';
import { ensurePackages } from './bed/packages.mjs';
import { BedError, results, root, run, say } from './bed/run.mjs';
import { ensureSystem, swiftshader } from './bed/system.mjs';
import { ensureVenv, python } from './bed/venv.mjs';

const quick = process.argv.includes('--quick');
/** Everything that was tried: { suite, name, ok, why? }. */
const outcomes = [];
const clock = Date.now();

try {
  await everything();
} catch (error) {
  outcomes.push({ suite: 'bed', name: 'test/run.mjs', ok: false, why: error instanceof BedError ? error.message : error.stack });
}
for (const { suite, name, why } of outcomes.filter(outcome => !outcome.ok)) say(`FAILED ${suite}: ${name}\n    ${String(why).split('\n').slice(0, 12).join('\n    ')}`);
const failed = outcomes.filter(outcome => !outcome.ok).length;
process.exitCode = failed > 0 || outcomes.length === 0 ? 1 : 0;
say(`whole run: ${((Date.now() - clock) / 60_000).toFixed(1)} min`);
say(`tests: ${outcomes.length - failed} passed, ${failed} failed`);

async function everything() {
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  await ensureSystem();
  await ensurePackages();
  await ensureVenv();
  const env = { ...process.env, ATTNSCOPE_PYTHON: process.env.ATTNSCOPE_PYTHON ?? python, VK_ICD_FILENAMES: process.env.VK_ICD_FILENAMES ?? swiftshader };
  await attempt('build', 'node build.mjs', () => run(process.execPath, ['build.mjs']));
  if (quick) return vitest(['test/repo.test.ts', 'test/unit', 'test/golden', 'test/python'], env);
  await ensureCodeServer();
  for (const room of ['extension', 'webview', 'test']) await attempt('types', `tsc -p ${room}`, () => run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', room]));
  await vitest([], env);
  // Imported late: these need our own packages, which a fresh clone does not have when this file is read.
  const { testWorkbench } = await import('./workbench/run.mjs');
  const workbench = await testWorkbench(env);
  outcomes.push(...workbench);
  if (!workbench.some(outcome => outcome.suite === 'walk' && outcome.ok)) outcomes.push({ suite: 'halves', name: 'browser', ok: false, why: 'No step of the walk passed in a browser.' });
}

async function attempt(suite, name, work) {
  try {
    await work();
    outcomes.push({ suite, name, ok: true });
  } catch (error) {
    outcomes.push({ suite, name, ok: false, why: error.message });
  }
}

/** Runs vitest on `paths` (all by default) and adds what its report says. What did not run counts as failed. */
async function vitest(paths, env) {
  const report = join(results, 'vitest.json');
  let ended = '';
  try {
    await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...paths], { env, inherit: true, timeoutMs: 1_500_000 });
  } catch (error) { ended = error.message; }
  if (!existsSync(report)) {
    outcomes.push({ suite: 'vitest', name: 'report', ok: false, why: `vitest left no report. ${ended}` });
    return;
  }
  const files = JSON.parse(readFileSync(report, 'utf8')).testResults;
  const passedIn = pattern => files.some(file => pattern.test(readFileSync(file.name, 'utf8')) && file.assertionResults.some(test => test.status === 'passed'));
  for (const file of files) {
    const suite = relative(root, file.name);
    for (const test of file.assertionResults) outcomes.push({ suite, name: test.fullName, ok: test.status === 'passed', why: test.status === 'failed' ? test.failureMessages.join('\n') : `it did not run (${test.status})` });
    if (file.status === 'failed' && file.assertionResults.every(test => test.status === 'passed')) outcomes.push({ suite, name: 'the file itself', ok: false, why: file.message || 'it has no tests' });
  }
  if (ended && outcomes.every(outcome => outcome.ok)) outcomes.push({ suite: 'vitest', name: 'exit status', ok: false, why: ended });
  if (!passedIn(/ATTNSCOPE_PYTHON/)) outcomes.push({ suite: 'halves', name: 'Python', ok: false, why: 'No test that asks Python ran and passed.' });
  if (!passedIn(/webgpu|wgsl/i)) outcomes.push({ suite: 'halves', name: 'WGSL', ok: false, why: 'No test that runs WGSL on an adapter ran and passed.' });
}
