/** What a trace costs beside the untouched run, what opening a large model costs, and whether the editor stays quick meanwhile. */
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine } from '../../extension/children/engine.ts';
import { Cancelled } from '../../extension/contract/errors.ts';
import { benchDiscovery } from './discovery.ts';
import { benchEstimates } from './estimates.ts';
import { benchSize, generateDecoder } from './generate-decoder.ts';
import { lensBench } from './lens.ts';
import { benchRecognition } from './recognition.ts';
import { overview } from './overview.ts';
import { maps } from './map.ts';
import { viewer } from './viewer.ts';
import type { Order, Report } from './worker.ts';

const here = dirname(fileURLToPath(import.meta.url)), cache = join(here, '../.cache/bench'), rounds = 7;
const args = process.argv.slice(2), only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;
const lengths = args.filter(arg => /^\d+$/.test(arg)).map(Number), MB = 1e6;
const budgets: Readonly<Record<number, string>> = { 512: '≤ 1.5 (goal 1.25)', 2048: '≤ 1.8 (goal 1.5)' };
const say = (line: string): void => { process.stdout.write(`${line}\n`); };
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];
const quantile = (values: readonly number[], q: number): number => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))];
const idsOf = (T: number): number[] => Array.from({ length: T }, (_, i) => (i * 7919) % 8000);

function model(layers: number): string {
  const folder = join(cache, `decoder-${layers}`), file = join(folder, 'model.onnx');
  if (!existsSync(file)) generateDecoder(folder, { ...benchSize, layers });
  return file;
}

function worker(): { ask(order: Order): Promise<Report>; end(): void } {
  const child: ChildProcess = fork(join(here, 'bench-worker.js'), { serialization: 'advanced' });
  return {
    ask: order => new Promise((resolve, reject) => { child.once('message', message => resolve(message as Report)); child.once('exit', code => reject(new Error(`The bench worker ended with ${code}.`))); child.send(order); }),
    end: () => { child.removeAllListeners('exit'); child.kill(); },
  };
}

async function traces(): Promise<void> {
  say(`\nTrace against the untouched file (level all), 12 layers, 12 heads, 768 wide; medians of ${rounds} alternating rounds after one of warm-up; ${cpus().length} × ${cpus()[0].model}`);
  say('| T | untouched ms | run ms | write ms | complete ms | trace ms | × | budget | peak over untouched MB, first trace; after all | allowed MB |');
  say('|--|--|--|--|--|--|--|--|--|--|');
  for (const T of lengths.length ? lengths : [512, 2048]) {
    const file = model(12), out = join(cache, 'bench.attntrace'), ids = idsOf(T), plain = worker(), runner = worker(), analysis = worker(), seen: { plain: number; run: number; write: number; complete: number }[] = [];
    let peaks = { plain: 0, runner: 0, analysis: 0 }, firstPeaks = peaks, stored = 0, failed = 0;
    for (let round = 0; round <= rounds; round++) {
      const a = await plain.ask({ kind: 'plain', model: file, ids }), b = await runner.ask({ kind: 'capture', model: file, ids, out }), c = await analysis.ask({ kind: 'complete', out });
      peaks = { plain: a.peakBytes, runner: b.peakBytes, analysis: c.peakBytes };
      if (!round) firstPeaks = peaks;
      stored = b.more['storedBytes'];
      failed = c.more['failed'];
      if (round) seen.push({ plain: a.ms, run: b.more['run'], write: b.more['capture'], complete: c.ms });
    }
    for (const one of [plain, runner, analysis]) one.end();
    rmSync(out, { force: true });
    const over = (at: typeof peaks): string => ((Math.max(at.runner, at.analysis) - at.plain) / MB).toFixed(0);
    const of = (pick: (one: typeof seen[number]) => number): number => median(seen.map(pick)), ratio = median(seen.map(one => (one.run + one.write + one.complete) / one.plain));
    say(`| ${T} | ${of(o => o.plain).toFixed(0)} | ${of(o => o.run).toFixed(0)} | ${of(o => o.write).toFixed(0)} | ${of(o => o.complete).toFixed(0)} | ${of(o => o.run + o.write + o.complete).toFixed(0)} | ${ratio.toFixed(2)} | ${budgets[T] ?? ''} | ${over(firstPeaks)}; ${over(peaks)} | ${(2 * stored / MB + 100).toFixed(0)} |`);
    if (failed) say(`${failed} sites failed parity.`);
  }
}

async function opening(): Promise<void> {
  const file = model(22), bytes = statSync(file).size + statSync(join(dirname(file), 'weights.bin')).size, one = worker();
  const reports: Report[] = [];
  for (let i = 0; i < rounds; i++) reports.push(await one.ask({ kind: 'open', model: file }));
  one.end();
  const first = reports[0], ms = median(reports.map(report => report.ms));
  say(`\nOpening, recognising and instrumenting a model of ${(bytes / MB).toFixed(0)} MB (${first.more['sites']} sites): first ${first.ms.toFixed(0)} ms, median ${ms.toFixed(0)} ms (limit 300 ms); +${(first.more['addedBytes'] / MB).toFixed(0)} MB (limit 60 MB); ${(first.more['bytesRead'] / MB).toFixed(1)} MB read; skeleton ${(first.more['skeletonBytes'] / MB).toFixed(1)} MB`);
}

async function interactive(): Promise<void> {
  const file = model(12), T = 2048, out = join(cache, 'open.attntrace'), second = join(cache, 'second.attntrace'), engine = new Engine({ scripts: { runner: join(here, 'runner.js'), analysis: join(here, 'analysis.js') } });
  mkdirSync(cache, { recursive: true });
  const request = { model: file, prompt: { kind: 'ids', ids: idsOf(T) } as const };
  const analysis = await engine.analysis();
  await analysis.complete(await engine.capture({ ...request, out }));
  const { trace, manifest } = await analysis.open({ file: out }), times: number[] = [], cancel = new AbortController();
  let running = true, phase = '';
  const run = engine.capture({ ...request, out: second }, { signal: cancel.signal, onProgress: progress => { phase = progress.phase; } }).then(() => 'finished', (error: unknown) => (error instanceof Cancelled ? 'cancelled' : String(error))).finally(() => { running = false; });
  while (phase !== 'run' && running) await new Promise(resolve => setTimeout(resolve, 5));
  for (let n = 0; running && n < 120; n++) {
    const site = manifest.sites[n % manifest.sites.length].name, size = 256 << (n % 3), row = (n * 613) % (T - size + 1), col = Math.min(row, (n * 211) % (T - size + 1)), start = performance.now();
    await analysis.tile({ trace, site, batch: 0, head: n % 12, rows: [row, row + size], cols: [col, col + size], height: 256, width: 256, of: 'prob', reduce: 'max' });
    if (running) times.push(performance.now() - start);
    if (times.length === 80) break;
  }
  const before = performance.now();
  cancel.abort();
  const ended = await run, took = performance.now() - before;
  say(`\nTiles of an open trace during a run, T=${T}: ${times.length} tiles, median ${quantile(times, 0.5).toFixed(0)} ms, p95 ${quantile(times, 0.95).toFixed(0)} ms (limit 100 ms, at least 50 tiles)`);
  say(`Cancel in mid-run: ${ended} after ${took.toFixed(0)} ms (limit 1,000 ms); left behind: ${['', '.part', '.side', '.capture'].filter(end => existsSync(second + end)).join() || 'nothing'}`);
  await engine.dispose();
  for (const one of [out, second]) rmSync(one, { force: true });
}

async function lenses(): Promise<void> {
  say('\nLenses of a Python file, from its text, medians of 41');
  say('| file | lines | lenses | first ms | median ms | processor ms | limit ms |');
  say('|--|--|--|--|--|--|--|');
  for (const one of await lensBench(join(here, '..'))) say(`| ${one.name} | ${one.lines} | ${one.lenses} | ${one.firstMs.toFixed(1)} | ${one.medianMs.toFixed(1)} | ${one.cpuMs.toFixed(1)} | ${one.limitMs} |`);
}

async function looking(): Promise<void> {
  const engine = new Engine({ scripts: { runner: join(here, 'runner.js'), analysis: join(here, 'analysis.js') } });
  mkdirSync(cache, { recursive: true });
  try { await overview(say, engine, cache); } finally { await engine.dispose(); }
}

/** 32,768 tokens; made when it is not there. */
function longTrace(): string {
  const made = spawnSync(process.execPath, [join(here, '../test/long/make.mjs')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (made.status !== 0) throw new Error('The long trace could not be made.');
  for (const line of made.stdout.trim().split('\n').slice(0, -1)) say(line);
  return made.stdout.trim().split('\n').at(-1)!;
}

async function main(): Promise<void> {
  if (!only || only === 'lens') await lenses();
  if (!only || only === 'trace') await traces();
  if (!only || only === 'open') await opening();
  if (!only || only === 'recognition') await benchRecognition({ cache, zoo: join(here, '../test/zoo/models'), rounds, worker, say });
  if (!only || only === 'interactive') await interactive();
  if (!only || only === 'map') {
    const engine = new Engine({ scripts: { runner: join(here, 'runner.js'), analysis: join(here, 'analysis.js') } });
    try { await maps({ engine, model: model(12), cache, ids: idsOf, say }); } finally { await engine.dispose(); }
  }
  if (!only || only === 'discovery') await benchDiscovery(cache, rounds, say);
  if (!only || only === 'estimates') await benchEstimates(cache, worker, say);
  if (!only || only === 'overview') await looking();
  if (!only || only === 'viewer') await viewer(say, longTrace());
}
void main();
