/** The last errors that were logged, kept for Copy Diagnostics; the log itself stays as it is. */

/** One logged error. */
export interface RecentError { readonly atMs: number; readonly text: string }
export interface RecentErrors { /** Newest last. */ recent(): readonly RecentError[] }

const most = 10, longest = 2_000;

/** `log` behaves as the one given, and what its `error` is told is remembered. */
export function rememberErrors<Log extends { error(error: string | Error, ...rest: unknown[]): void }>(of: Log, now: () => number = Date.now): { readonly log: Log; readonly errors: RecentErrors } {
  const kept: RecentError[] = [];
  const error: Log['error'] = (said, ...rest) => {
    kept.push({ atMs: now(), text: (said instanceof Error ? said.stack ?? said.message : said).slice(0, longest) });
    if (kept.length > most) kept.shift();
    of.error(said, ...rest);
  };
  // The channel's methods want to be called on itself.
  const log = new Proxy(of, { get: (target, name) => {
    if (name === 'error') return error;
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === 'function' ? (value as (...given: unknown[]) => unknown).bind(target) : value;
  } });
  return { log, errors: { recent: () => [...kept] } };
}
