/** A walk through the engine as the editor makes it, with one of its children killed at a chosen moment, and what must hold afterwards. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { safetensorsProblem } from './whole.ts';
import { Engine } from '../../extension/children/engine.ts';
import { PeerGone } from '../../extension/contract/errors.ts';
import type { Hello } from '../../extension/contract/api.ts';

export interface Bench {
  readonly scripts: Readonly<Record<Hello['role'], string>>;
  readonly model: string;
  readonly folder: string;
  readonly prompt: string;
  /** A trace that was there before; it must stay as it is, byte for byte. */
  readonly kept: string;
  readonly keptHash: string;
}

export interface Moment { readonly role: Hello['role']; readonly afterMs: number }
export interface Outcome {
  /** Whether the walk came to its end all the same, and where it stood when the child died. */
  readonly finished: boolean;
  readonly step: string;
  /** From the kill to a map of the kept trace and an answer about the model, in ms. */
  readonly backMs: number;
  readonly problems: readonly string[];
}

export function hashOf(file: string): string { return createHash('sha256').update(readFileSync(file)).digest('hex'); }

/**
 * Sites, trace, open, thumbnails, tiles, rows, close; `tell` hears of every step. Returns the trace.
 * Errors: what the engine throws.
 */
export async function walk(engine: Engine, bench: Bench, out: string, tell: (step: string) => void): Promise<string> {
  tell('sites');
  await engine.sites(bench.model);
  tell('trace');
  const { file, manifest } = await engine.trace({ model: bench.model, prompt: { kind: 'text', text: bench.prompt }, out }, { onProgress: ({ phase, done }) => tell(`trace, ${phase}${done === undefined ? '' : ` ${done}`}`) });
  tell('open');
  const analysis = await engine.analysis(), { trace } = await analysis.open({ file });
  for (const { name } of manifest.sites) { tell(`thumbnails of ${name}`); await analysis.thumbnails({ trace, site: name }); }
  for (let head = 0; head < 8; head++) { tell(`tile of head ${head}`); await analysis.tile(tileOf(trace, head)); await analysis.rows({ trace, site: 'blocks.4.attn', batch: 0, head }); }
  tell('close');
  await analysis.close({ trace });
  return file;
}

/** Walks, and walks again, until `moment.role` is killed by SIGKILL `afterMs` after the first step; then looks at what is left. */
export async function struckWalk(bench: Bench, moment: Moment, name: string): Promise<Outcome> {
  const problems: string[] = [], outs: string[] = [];
  const engine = new Engine({ scripts: bench.scripts });
  let step = 'start', stepWhenStruck = '';
  try {
    // Both run before the walk begins, as in an editor with a trace open.
    await Promise.all([engine.sites(bench.model), engine.analysis()]);
    const { pid } = (await engine.hellos()).find(hello => hello.role === moment.role)!;
    let back: Promise<number> | undefined;
    const strike = setTimeout(() => { stepWhenStruck = step; process.kill(pid, 'SIGKILL'); back = timeToCome(engine, bench, moment.role, problems); }, moment.afterMs);
    let finished = true;
    try {
      while (!back) {
        const out = join(bench.folder, `${name}-${outs.length}.attntrace`);
        await walk(engine, bench, out, now => { step = now; });
        outs.push(out);
      }
    } catch (error) {
      finished = false;
      // A call that was pending fails with the reason; a later one on an id of the dead process says that it is not open.
      if (!back) problems.push(`it failed before anything was killed: ${String(error)}`);
      else if (!(error instanceof PeerGone ? /SIGKILL/.test(error.message) : /no longer open/.test(String(error)))) problems.push(`it failed with ${String(error)}`);
    }
    clearTimeout(strike);
    const backMs = await back ?? 0;
    problems.push(...leftovers(bench, outs));
    for (const out of outs) rmSync(out, { force: true });
    return { finished, step: stepWhenStruck, backMs, problems };
  } finally { await engine.dispose(); }
}

/** From now to a map of the kept trace, and, when the runner died, an answer about the model, in ms; asks as a panel does: again when its engine is gone. */
async function timeToCome(engine: Engine, bench: Bench, role: Hello['role'], problems: string[]): Promise<number> {
  const from = performance.now();
  for (;;) {
    try {
      const analysis = await engine.analysis(), { trace } = await analysis.open({ file: bench.kept }), tile = await analysis.tile(tileOf(trace, 1));
      if (!tile.data.some(value => value > 0)) problems.push('the map that came back is empty');
      if (role === 'runner') await engine.sites(bench.model);
      return performance.now() - from;
    } catch (error) {
      if (!(error instanceof PeerGone)) { problems.push(`it did not come back: ${String(error)}`); return performance.now() - from; }
    }
  }
}

function tileOf(trace: string, head: number) {
  return { trace, site: 'blocks.4.attn', batch: 0, head, rows: [0, 64], cols: [0, 64], height: 64, width: 64, of: 'prob', reduce: 'max' } as const;
}

/** What is wrong with the folder: files of a capture, half a trace, a kept trace that changed, one of `outs` (traced to their end) that was lost. */
function leftovers(bench: Bench, outs: readonly string[]): string[] {
  const problems: string[] = [];
  for (const name of readdirSync(bench.folder)) {
    if (!name.endsWith('.attntrace')) { problems.push(`${name} was left behind`); continue; }
    const why = safetensorsProblem(join(bench.folder, name));
    if (why) problems.push(`${name} is not whole: ${why}`);
  }
  for (const out of outs) if (!existsSync(out)) problems.push(`${out} was traced and is not there`);
  if (hashOf(bench.kept) !== bench.keptHash) problems.push('the trace that was there before changed');
  return problems;
}
