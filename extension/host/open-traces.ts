/** Traces that lenses, hovers and panels look at: each is open once in analysis, again after a restart, and closed when nobody looks. */
import type { AnalysisApi, OpenTrace } from '../contract/api.ts';
import type { Client } from '../contract/rpc.ts';

export interface OpenTraces {
  /** Says that somebody looks at `file`; nothing is read yet. */
  lease(file: string): TraceLease;
  /** `file` is being written: whoever opens it waits until `ready` is settled, and fails as it does. */
  expect(file: string, ready: Promise<unknown>): void;
  /** How far the run of an expected `file` is, for those who wait for it. */
  say(file: string, text: string): void;
  onSaid(listener: (file: string, text: string) => void): void;
  /** Analysis is gone: every trace is opened again when it is asked for. */
  reset(): void;
}
export interface TraceLease {
  readonly file: string;
  /** The trace, opened when it is not. Errors: `UserError` for a file that is no trace, `PeerGone`. */
  open(): Promise<OpenTrace>;
  dispose(): void;
}

interface Entry { leases: number; opened?: Promise<OpenTrace> }

export function createOpenTraces(analysis: () => Promise<Client<AnalysisApi>>): OpenTraces {
  const entries = new Map<string, Entry>(), expected = new Map<string, Promise<unknown>>(), listeners: ((file: string, text: string) => void)[] = [];
  const open = (entry: Entry, file: string): Promise<OpenTrace> => entry.opened ??= (async () => {
    try { await expected.get(file); return await (await analysis()).open({ file }); } catch (error) { entry.opened = undefined; throw error; }
  })();
  return {
    lease: file => {
      const entry = entries.get(file) ?? { leases: 0 };
      entries.set(file, entry);
      entry.leases++;
      let held = true;
      return {
        file,
        open: () => open(entry, file),
        dispose: () => {
          if (!held) return;
          held = false;
          if (--entry.leases > 0) return;
          entries.delete(file);
          // A trace that cannot be closed is one whose process is gone.
          entry.opened?.then(async opened => (await analysis()).close({ trace: opened.trace })).catch(() => undefined);
        },
      };
    },
    expect: (file, ready) => {
      const settled = (): void => { if (expected.get(file) === ready) expected.delete(file); };
      expected.set(file, ready);
      ready.then(settled, settled);
    },
    say: (file, text) => { if (expected.has(file)) for (const listener of listeners) listener(file, text); },
    onSaid: listener => { listeners.push(listener); },
    reset: () => { for (const entry of entries.values()) entry.opened = undefined; },
  };
}
