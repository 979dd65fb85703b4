/** Work that is asked for often and done one at a time: when it has been quiet for a moment, and once more when it was asked for meanwhile. */

export interface Repeated {
  /** Asks for the work, after a pause without further requests. */
  soon(): void;
  /** Does it now, unless it is running: then again after that. Resolves when what was asked for is done. */
  now(): Promise<void>;
  dispose(): void;
}

/** `work` handles its own failures. */
export function repeated(work: () => Promise<void>, quietMs: number): Repeated {
  let timer: NodeJS.Timeout | undefined, running: Promise<void> | undefined, again: Promise<void> | undefined, disposed = false;
  const start = (): Promise<void> => running = work().finally(() => { running = undefined; });
  const now = (): Promise<void> => {
    clearTimeout(timer);
    if (disposed) return Promise.resolve();
    if (!running) return start();
    return again ??= running.then(() => { again = undefined; return disposed ? undefined : start(); });
  };
  return {
    now,
    soon: () => { clearTimeout(timer); timer = setTimeout(() => void now(), quietMs); },
    dispose: () => { disposed = true; clearTimeout(timer); },
  };
}
