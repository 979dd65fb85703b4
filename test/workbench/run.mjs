/** Runs everything that needs a workbench, from the packed VSIX: what it carries, the API suites, the walk. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openBrowser } from '../bed/browser.mjs';
import { ensureCodeServer, startCodeServer } from '../bed/code-server.mjs';
import { copyDemo } from '../bed/demo.mjs';
import { results, root, run, say } from '../bed/run.mjs';
import { ensureSystem, swiftshader } from '../bed/system.mjs';
import { packVsix } from '../bed/vsix.mjs';
import { openWorkbench } from '../bed/workbench.mjs';
import { packageCases } from './package.mjs';
import { packSuite } from './suite-extension.mjs';
import { compareCases, twoTraces } from './walk/compare.mjs';
import { exportCases, exportWorkspace } from './walk/export.mjs';
import { groundingCases, llavaWorkspace } from './walk/grounding.mjs';
import { generateCases } from './walk/generate.mjs';
import { hearCases, speechWorkspace } from './walk/hear.mjs';
import { longCases, longWorkspace } from './walk/long.mjs';
import { mannersCases, withoutModels } from './walk/manners.mjs';
import { gridTraces, overviewCases } from './walk/overview.mjs';
import { sourceCases, sourceWorkspace } from './walk/source.mjs';
import { viewsCases } from './walk/views.mjs';
import { walkCases } from './walk/walk.mjs';

const suiteTimeoutMs = 300_000;
/** The Node that runs this: the tests ask that the engine runs on it too, since it is another than code-server's. */
const otherNode = { ATTNSCOPE_OTHER_NODE: process.execPath, ATTNSCOPE_OTHER_NODE_VERSION: process.versions.node };

/** Further walks, each in a workbench of its own: what puts its files into the workspace, and its steps. */
const walks = {
  compare: { prepare: twoTraces, cases: compareCases },
  export: { prepare: exportWorkspace, cases: exportCases },
  generate: { prepare: () => undefined, cases: generateCases },
  hear: { prepare: speechWorkspace, cases: hearCases },
  long: { prepare: longWorkspace, cases: longCases },
  overview: { prepare: gridTraces, cases: overviewCases },
  source: { prepare: sourceWorkspace, cases: sourceCases },
  views: { prepare: () => undefined, cases: viewsCases },
  manners: { prepare: withoutModels, cases: mannersCases },
  grounding: { prepare: llavaWorkspace, cases: groundingCases },
};

/** Outcomes of all workbench suites; `env` goes to code-server and so to the engine. `only` picks among package, api, restricted, walk, and the names of `walks`. */
export async function testWorkbench(env, only = ['package', 'api', 'restricted', 'walk', ...Object.keys(walks)], build = false) {
  const vsix = await packVsix({ build });
  const suite = only.includes('api') || only.includes('restricted') ? await packSuite() : undefined;
  // Outside of the checkout: inside, Node would find our node_modules on the way up, and hide what the package lacks.
  const place = mkdtempSync(join(tmpdir(), 'attnscope-'));
  mkdirSync(results, { recursive: true });
  const outcomes = [];
  try {
    if (only.includes('package') || only.includes('walk')) outcomes.push(...await twice('walk', name => inWorkbench({ place, name, vsix: [vsix], env }, async (server, page, lines) => {
      const found = [];
      const installed = join(server.extensions, readdirSync(server.extensions).find(name => name.startsWith('attnscope.attnscope-')));
      if (only.includes('package')) found.push(...await outcomesOf('package', packageCases(vsix, installed)));
      if (only.includes('walk')) found.push(...await outcomesOf('walk', walkCases({ server, page, lines }), page));
      return found;
    })));
    for (const [walk, { prepare, cases }] of Object.entries(walks).filter(([each]) => only.includes(each))) outcomes.push(...await twice(walk, name => inWorkbench({ place, name, vsix: [vsix], env }, async (server, page, lines) => {
      await prepare(server.workspace, join(place, name));
      return outcomesOf(walk, cases({ server, page, lines }), page);
    })));
    for (const scenario of ['api', 'restricted'].filter(name => only.includes(name))) {
      const file = join(place, `${scenario}.json`);
      outcomes.push(...await inWorkbench({ place, name: scenario, vsix: [vsix, suite], trusted: scenario !== 'restricted', env: { ...env, ...otherNode, ATTNSCOPE_SCENARIO: scenario, ATTNSCOPE_OUTCOMES: file } }, async (server, page) => {
        if (scenario === 'restricted') await keptTrace(server.workspace);
        await openWorkbench(page, server.url);
        return suiteOutcomes(scenario, file, page);
      }));
    }
  } finally {
    rmSync(place, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
  }
  for (const { suite: of, name, ok, ms } of outcomes) say(`${ok ? '✓' : '✗'} ${of}: ${name} (${(ms / 1000).toFixed(1)} s)`);
  return outcomes;
}

/**
 * A walk steers a window of somebody else's, on a busy machine, where at times a click is lost: one that failed is walked once more, whole
 * and from nothing. It counts by its second time, and what failed the first time is printed all the same.
 */
async function twice(walk, once) {
  const first = await once(walk), failed = first.filter(({ ok }) => !ok);
  if (!failed.length) return first;
  for (const { name, why } of failed) say(`first time ✗ ${walk}: ${name}\n    ${String(why).split('\n').slice(0, 6).join('\n    ')}`);
  return once(`${walk}-again`);
}

/** One workbench on a copy of the demo, with one page open; what the page and the server printed is kept in test-results. */
async function inWorkbench({ place, name, vsix, trusted = true, env }, work) {
  const home = join(place, name);
  const start = Date.now();
  let server;
  let browser;
  const lines = [];
  try {
    server = await startCodeServer({ workspace: copyDemo(join(home, 'demo')), home, vsix, trusted, env, settings: { 'workbench.colorTheme': 'Dark Modern' } });
    const opened = await openBrowser({ console: line => lines.push(line) });
    browser = opened.browser;
    return await work({ ...server, workspace: join(home, 'demo') }, opened.page, lines);
  } catch (error) {
    return [{ suite: name, name: 'the workbench itself', ok: false, why: error.stack, ms: Date.now() - start }];
  } finally {
    await browser?.close();
    await server?.stop();
  }
}

/** Runs [name, work] pairs; later steps of a walk stand on earlier ones, so they are tried all the same and fail by themselves. */
async function outcomesOf(suite, cases, page) {
  const outcomes = [];
  for (const [name, work] of cases) {
    const start = Date.now();
    try {
      await work();
      outcomes.push({ suite, name, ok: true, ms: Date.now() - start });
    } catch (error) {
      outcomes.push({ suite, name, ok: false, why: error.stack, ms: Date.now() - start });
      await page?.screenshot({ path: join(results, `failed-${name.replaceAll(/\W+/g, '-').slice(0, 60)}.png`) }).catch(() => undefined);
    }
  }
  return outcomes;
}

/** A trace that somebody left in the workspace. */
async function keptTrace(workspace) {
  await run(process.execPath, [join(root, 'dist/attnscope.js'), 'trace', join(workspace, 'storyteller/model.onnx'), '--prompt', 'Anna gave the lantern to Boris.', '--out', join(workspace, 'kept.attntrace')]);
}

async function suiteOutcomes(scenario, file, page) {
  for (const end = Date.now() + suiteTimeoutMs; Date.now() < end;) {
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
    await page.waitForTimeout(300);
  }
  await page.screenshot({ path: join(results, `failed-${scenario}.png`) });
  return [{ suite: scenario, name: 'the suite itself', ok: false, why: `no outcomes after ${suiteTimeoutMs / 1000} s`, ms: suiteTimeoutMs }];
}

// By itself, `node test/workbench/run.mjs walk api` packs what is built and runs the named parts.
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await ensureSystem();
  await ensureCodeServer();
  const named = process.argv.slice(2);
  const outcomes = await testWorkbench({ VK_ICD_FILENAMES: swiftshader }, named.length > 0 ? named : undefined);
  for (const { name, why } of outcomes.filter(outcome => !outcome.ok)) say(`${name}: ${why}`);
  process.exitCode = outcomes.every(outcome => outcome.ok) ? 0 : 1;
}
