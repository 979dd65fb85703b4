/** Uses mutants one after the other and says what must not happen: a crash, a hang, hunger, or something else than a sentence. */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../extension/children/engine.ts';
import { PeerGone, UserError } from '../../extension/contract/errors.ts';
import { randomFrom } from '../../extension/engine/maths/random.ts';
import { pick } from './mutate.ts';
import type { Seed, Target } from './target.ts';

export interface Verdict { readonly target: string; readonly nth: number; readonly how: string; readonly ended: 'used' | 'refused' | 'runner crashed' | 'runner ended after 5 s'; readonly said: string; readonly problem?: string; /** Of the call, in milliseconds, and the most memory that a child had meanwhile. */ readonly ms: number; readonly bytes: number }

/** What the issue allows. On a machine that is doing something else as well, the processor's time counts, and so much time in any case. */
const hangMs = 5_000, memoryBytes = 1e9, mostMs = 60_000;

export interface Bed { readonly scripts: { readonly runner: string; readonly analysis: string }; readonly folder: string; /** Mutants with a problem are kept here. */ readonly kept: string }

/** Mutants `first` … `end` of `target`; the same numbers with the same seed are the same mutants. */
export async function fuzz(target: Target, [first, end]: readonly [number, number], seed: number, bed: Bed): Promise<Verdict[]> {
  const folder = join(bed.folder, target.name), verdicts: Verdict[] = [];
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  target.prepare(folder);
  const there = new Set(readdirSync(folder));
  let gone: string[] = [];
  const engine = new Engine({ scripts: bed.scripts, onGone: role => gone.push(role) });
  try {
    for (let nth = first; nth < end; nth++) {
      const dice = randomFrom(seed * 1_000_003 + nth), from = pick(dice, target.seeds), { how, bytes } = target.mutate(from.bytes, dice);
      writeFileSync(join(folder, target.file), bytes);
      gone = [];
      const verdict: Verdict = { target: target.name, nth, how, ...await used(target, engine, folder, from, () => gone) };
      const left = readdirSync(folder).filter(name => !there.has(name) && name !== target.file && name !== 'out.attntrace');
      const judged = verdict.problem === undefined && left.length ? { ...verdict, problem: `it left ${left.join(', ')}` } : verdict;
      for (const name of [...left, 'out.attntrace']) rmSync(join(folder, name), { recursive: true, force: true });
      if (judged.problem !== undefined) { mkdirSync(bed.kept, { recursive: true }); writeFileSync(join(bed.kept, `${target.name}-${nth}-${target.file}`), bytes); }
      verdicts.push(judged);
    }
  } finally { await engine.dispose(); }
  return verdicts;
}

type Ended = Omit<Verdict, 'target' | 'nth' | 'how'>;

async function used(target: Target, engine: Engine, folder: string, seed: Seed, gone: () => readonly string[]): Promise<Ended> {
  const children = await engine.hellos(), peaks = new Map<string, number>(), start = performance.now();
  // A child that is about to be ended is asked before; one that died has nothing to say.
  const measure = (): void => { for (const { role, pid } of children) peaks.set(role, Math.max(peaks.get(role) ?? 0, peakOf(pid))); };
  for (const { pid } of children) forgetPeak(pid);
  const ended = await ending(target, engine, folder, seed, gone, measure), ms = performance.now() - start;
  measure();
  const hungry = [...peaks].find(([, bytes]) => bytes > memoryBytes);
  return { ...(hungry && ended.problem === undefined ? { problem: `${hungry[0]} took ${(hungry[1] / 1e9).toFixed(1)} GB` } : {}), ...ended, ms, bytes: Math.max(0, ...peaks.values()) };
}

async function ending(target: Target, engine: Engine, folder: string, seed: Seed, gone: () => readonly string[], measure: () => void): Promise<Pick<Verdict, 'ended' | 'said' | 'problem'>> {
  let natively = false, late = false;
  const children = await engine.hellos(), worked = (): number => children.reduce((sum, { pid }) => sum + processorMs(pid), 0), start = performance.now(), before = worked();
  const timer = setInterval(() => {
    const ms = performance.now() - start;
    if (late || ms < hangMs || (ms < mostMs && worked() - before < hangMs)) return;
    late = true;
    measure();
    void engine.restart('runner');
    if (!natively) void engine.restart('analysis');
  }, 250);
  try {
    await target.use(engine, folder, seed, yes => { natively = yes; });
    return { ended: 'used', said: '' };
  } catch (error) {
    const said = (error as Error).message;
    // What runs a model natively may hang or die with it: that is what the runner is for.
    if (late) return natively ? { ended: 'runner ended after 5 s', said } : { ended: 'runner ended after 5 s', said, problem: `it took more than ${hangMs / 1000} s` };
    if (error instanceof UserError) return { ended: 'refused', said: error.sentence, ...(isSentence(error.sentence) ? {} : { problem: 'that is no sentence' }) };
    if (error instanceof PeerGone && natively && !gone().includes('analysis')) return { ended: 'runner crashed', said, ...(isSentence(said) ? {} : { problem: 'that is no sentence' }) };
    return { ended: 'refused', said, problem: error instanceof PeerGone ? `a process died: ${gone().join(', ')}` : `no sentence for a person: ${(error as Error).stack?.split('\n').slice(0, 4).join(' | ')}` };
  } finally { clearInterval(timer); }
}

function isSentence(text: string): boolean { return /^\S[\s\S]{8,1500}[.!?]$/.test(text) && !/\n\s+at |\[object |\bundefined\b|\bNaN\b/.test(text.replaceAll(/\/[\w./-]+|"[^"]*"/g, '')); }

/** Linux keeps the largest memory that a process had since it was told to forget. */
function forgetPeak(pid: number): void { try { writeFileSync(`/proc/${pid}/clear_refs`, '5'); } catch { /* not Linux, or gone */ } }

function peakOf(pid: number): number {
  try { return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0); } catch { return 0; }
}

/** User and system time of a process (Linux counts it in hundredths of a second); 0 where it is not told, so that only `mostMs` ends a call there. */
function processorMs(pid: number): number {
  try { const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' '); return 10 * (Number(fields[11]) + Number(fields[12])); } catch { return 0; }
}
