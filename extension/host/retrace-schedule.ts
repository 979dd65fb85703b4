/** When a model that was written anew is traced again: once its files have settled, one at a time, and given up when it changes once more; no `vscode` here. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How the schedule reaches the world. */
export interface Rerun {
  /** Text that differs whenever a file of the model was written; undefined while there is none to trace. */
  stamp(model: string): Promise<string | undefined>;
  /** Asked after the files settled and again before the run: the setting, trust, whether anything changed at all. */
  wanted(model: string): boolean | Promise<boolean>;
  /** Resolves when nothing else is being traced. */
  idle(): Promise<void>;
  /** Traces; must not reject. Ends soon after `signal` aborts. */
  run(model: string, signal: AbortSignal): Promise<void>;
  /** Models that wait for their files or for their turn, for the status item. */
  waiting(models: readonly string[]): void;
}

export interface RetraceSchedule {
  /** A file of `model` was written, made or removed. */
  touched(model: string): void;
  /** Gives up what waits and what runs. */
  cancel(): void;
}

/** `quietMs`: nothing may change for so long before a model counts as written. */
export function createRetraceSchedule(rerun: Rerun, quietMs = 1_500): RetraceSchedule {
  /** Model → what ends its present round: waiting, queueing or running. */
  const rounds = new Map<string, AbortController>(), waiting = new Set<string>();
  let line: Promise<void> = Promise.resolve();
  const tell = (model: string, waits: boolean): void => {
    if (waits ? waiting.has(model) : !waiting.delete(model)) return;
    if (waits) waiting.add(model);
    rerun.waiting([...waiting]);
  };
  const round = async (model: string, signal: AbortSignal): Promise<void> => {
    const settled = await settle(() => rerun.stamp(model), quietMs, signal);
    if (!settled || signal.aborted || !await rerun.wanted(model)) return;
    const before = line;
    let done: () => void = () => undefined;
    line = new Promise(resolve => { done = resolve; });
    try {
      await before;
      if (signal.aborted || !await rerun.wanted(model)) return;
      // Last of all, so that nobody starts a trace between.
      await rerun.idle();
      if (signal.aborted) return;
      tell(model, false);
      await rerun.run(model, signal);
    } finally { done(); }
  };
  return {
    touched: model => {
      rounds.get(model)?.abort();
      const mine = new AbortController();
      rounds.set(model, mine);
      tell(model, true);
      void round(model, mine.signal).catch(() => undefined).finally(() => {
        // A newer round of the same model goes on.
        if (rounds.get(model) !== mine) return;
        rounds.delete(model);
        tell(model, false);
      });
    },
    cancel: () => { for (const [, one] of rounds) one.abort(); },
  };
}

/** Waits until two stamps, `quietMs` apart, are the same. False: there is nothing to trace, or nobody wants it any more. */
async function settle(stamp: () => Promise<string | undefined>, quietMs: number, signal: AbortSignal): Promise<boolean> {
  for (let before: string | undefined; ;) {
    await pause(quietMs, signal);
    if (signal.aborted) return false;
    const now = await stamp();
    if (now === undefined) return false;
    if (now === before) return true;
    before = now;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Names beside a model that are looked at. */
const mostNames = 4_096;

/**
 * Size and time of a model, of `dataFiles` (absolute), and of whatever beside it begins with its name, as exporters call their external data:
 * an export that writes data under a new name has not settled while that grows. Undefined when the model itself is not there.
 */
export async function modelStamp(model: string, dataFiles: readonly string[] = []): Promise<string | undefined> {
  const folder = dirname(model), stem = basename(model).replace(/\.onnx$/i, '');
  const names = (await readdir(folder).catch(() => [])).slice(0, mostNames).filter(name => name.startsWith(stem) && !/\.attntrace/.test(name));
  const found = await Promise.all([...new Set([...names.map(name => join(folder, name)), ...dataFiles])].sort().map(async file => {
    const at = await stat(file).catch(() => undefined);
    return at?.isFile() ? [file, at.size, at.mtimeMs] as const : undefined;
  }));
  const files = found.filter(one => one !== undefined);
  return files.some(([file]) => file === model) ? JSON.stringify(files) : undefined;
}
