/** Cases and their outcomes: as little of a test runner as fits into an extension host. */

export interface Case {
  readonly name: string;
  readonly run: () => Promise<void>;
}
export interface Outcome { readonly suite: string; readonly name: string; readonly ok: boolean; readonly why?: string; readonly ms: number }

const caseTimeoutMs = 120_000;

/** Runs the cases one after the other; one that fails or hangs does not keep the others from running. */
export async function runCases(suite: string, cases: readonly Case[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { name, run } of cases) {
    const start = Date.now();
    let why: string | undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, fail) => { timer = setTimeout(() => fail(new Error(`still running after ${caseTimeoutMs / 1000} s`)), caseTimeoutMs); });
    try { await Promise.race([run(), late]); } catch (error) { why = error instanceof Error ? error.stack ?? error.message : String(error); }
    clearTimeout(timer);
    outcomes.push({ suite, name, ok: why === undefined, why, ms: Date.now() - start });
  }
  return outcomes;
}

/** Asks until the answer is there. VS Code shows some things a moment after they happened (new tabs, lenses). */
export async function until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>, timeoutMs = 30_000): Promise<T> {
  for (const end = Date.now() + timeoutMs; ;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await new Promise(done => setTimeout(done, 100));
  }
}
