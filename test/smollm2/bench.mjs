/**
 * `npm run bench:smollm2`: SmolLM2 plainly run in onnxruntime, traced by us, and looked into by others, in the same run; `-- T …` chooses lengths,
 * `-- --only ours,eager,lens` who is measured beside plain.
 */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from '../bed/packages.mjs';
import { BedError, cache, root, say } from '../bed/run.mjs';
import { ensureTorch } from '../bed/torch.mjs';
import { ensureLens } from './lens.mjs';
import { ensurePlainModel, hfFolder } from './model.mjs';
import { pythonPeer, worker } from './peers.mjs';

const args = process.argv.slice(2), lengths = args.filter(arg => /^\d+$/.test(arg)).map(Number), only = args.includes('--only') ? args[args.indexOf('--only') + 1].split(',') : ['ours', 'eager', 'lens'];
const rounds = 7, GB = 1e9, median = values => values.toSorted((a, b) => a - b)[values.length >> 1];
/** Of ours, at the longest length. */
const limit = { ratio: 1.2, goal: 1.1, bytes: 1.9 * GB };

try { await main(); } catch (error) {
  process.stderr.write(`${error instanceof BedError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}

async function main() {
  await ensurePackages();
  await bundleWorker();
  const model = await ensurePlainModel(), contenders = [];
  if (only.includes('ours')) contenders.push({ name: 'AttnScope trace', start: () => ours(model) });
  if (only.includes('eager')) contenders.push({ name: 'Hugging Face eager + numpy', start: async () => pythonPeer(await ensureTorch(), 'eager', hfFolder) });
  if (only.includes('lens')) contenders.push({ name: 'TransformerLens run_with_cache', start: async () => pythonPeer(await ensureLens(), 'lens', hfFolder) });
  say(`\nSmolLM2-135M-Instruct, ${cpus().length} × ${cpus()[0].model}; medians of ${rounds} rounds, alternating with plain after one of warm-up, fresh processes for each pair; load before ${loadavg()[0].toFixed(1)}`);
  say('| T | who | plain ms | ms | × plain | least … most | peak GB | plain peak GB | limit |');
  say('|--|--|--|--|--|--|--|--|--|');
  for (const T of lengths.length ? lengths : [512, 1024]) {
    const ids = await tokens(T), checks = new Map();
    for (const { name, start } of contenders) {
      try {
        const row = await pair(model, ids, start);
        if (row.check) checks.set(name, row.check);
        const ratios = row.rounds.map(({ plain, other }) => other / plain), isOurs = name.startsWith('AttnScope');
        say(`| ${T} | ${name} | ${median(row.rounds.map(one => one.plain)).toFixed(0)} | ${median(row.rounds.map(one => one.other)).toFixed(0)} | ${median(ratios).toFixed(2)} | ${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)} | ${row.peaks.join(' + ')} | ${row.plainPeak} | ${isOurs ? `≤ ${limit.ratio} (goal ${limit.goal}), ≤ ${limit.bytes / GB} GB` : ''} |`);
        if (row.parts) say(`|  | of it: ${row.parts} | | | | | | | |`);
      } catch (error) {
        if (!(error instanceof BedError)) throw error;
        say(`| ${T} | ${name} | not measured: ${error.message.split('\n')[0]} | | | | | | |`);
      }
    }
    compareChecks(checks);
  }
  say(`load after ${loadavg()[0].toFixed(1)}`);
}

/** Plain and another in turn, each in processes of its own that see nothing else. */
async function pair(model, ids, start) {
  const plain = worker(), other = await start(), measured = [];
  try {
    for (let round = 0; round <= rounds; round++) {
      const a = await plain.ask({ kind: 'plain', model, ids }), b = await other.round(ids);
      measured.push({ plain: a.ms, other: b.ms, plainPeak: a.peakBytes, peaks: b.peakBytes, more: b.more, check: b.check });
    }
  } finally { plain.end(); other.end(); }
  const last = measured[rounds], gigabytes = bytes => (bytes / GB).toFixed(2);
  const parts = last.more && ['run', 'write', 'complete'].map(part => `${part} ${median(measured.slice(1).map(one => one.more[part])).toFixed(0)} ms`).join(', ');
  return { rounds: measured.slice(1), peaks: last.peaks.map(gigabytes), plainPeak: gigabytes(last.plainPeak), parts, check: last.check };
}

/** Runner and analysis as the product has them: two processes. Opening the model and making the session are left out, as they are in plain. */
async function ours(model) {
  const runner = worker(), analysis = worker(), out = join(cache, 'smollm2/bench.attntrace');
  return {
    round: async ids => {
      const captured = await runner.ask({ kind: 'capture', model, ids, out }), completed = await analysis.ask({ kind: 'complete', out });
      if (completed.more.failed) throw new BedError(`${completed.more.failed} sites failed parity.`);
      return { ms: captured.ms + completed.ms, peakBytes: [captured.peakBytes, completed.peakBytes], more: { run: captured.more.run, write: captured.more.capture, complete: completed.ms }, check: firstShares(out) };
    },
    end: () => { runner.end(); analysis.end(); rmSync(out, { force: true }); },
  };
}

/** First-token share of the last layer's heads, from the trace's manifest. */
function firstShares(out) {
  const bytes = readFileSync(out), header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString('utf8')), { sites, heads } = JSON.parse(header.__metadata__.attnscope);
  return heads[sites.at(-1).name].map(head => head.firstTokenShare);
}

/** All have measured the same thing, or the comparison means nothing. */
function compareChecks(checks) {
  const [first, ...others] = [...checks];
  for (const [name, check] of others) {
    const most = Math.max(...check.map((value, n) => Math.abs(value - first[1][n])));
    if (!(most < 1e-3)) throw new BedError(`${name} and ${first[0]} do not see the same attention: first-token shares of the last layer differ by ${most}.`);
  }
}

/** The first T tokens of a text that is there and long: this project's README. */
async function tokens(T) {
  const { Tokenizer } = await import('@huggingface/tokenizers'), read = name => JSON.parse(readFileSync(join(hfFolder, name), 'utf8'));
  const { ids } = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json')).encode(readFileSync(join(root, 'README.md'), 'utf8'));
  if (ids.length < T) throw new BedError(`README.md has ${ids.length} tokens, and ${T} were asked for. Choose a shorter length.`);
  return ids.slice(0, T);
}

async function bundleWorker() {
  const built = spawnSync(process.execPath, ['build.mjs'], { cwd: root, stdio: 'inherit' });
  if (built.status !== 0) throw new BedError('The build failed.');
  await build({
    entryPoints: [join(root, 'test/bench/worker.ts')], outfile: join(root, 'dist/bench-worker.js'), bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'warning',
    external: ['onnxruntime-node', 'webgpu'], define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')],
  });
}
