/** The latest trace of every model as lenses and hovers need it: its manifest, and whether its model is still the same. */
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import type { OpenTrace } from '../contract/api.ts';
import type { OpenTraces, TraceLease } from './open-traces.ts';
import type { LatestTrace, Session } from './session.ts';
import { staleness, watchedFiles } from './stale.ts';

/** Traces whose numbers are kept at hand. */
const mostLive = 8;

export interface LiveTrace { readonly latest: LatestTrace; readonly open: OpenTrace; readonly stale?: string }

export interface LiveTraces {
  /** Newest first. Traces that cannot be opened are left out; whose file is gone, forgotten. */
  all(): Promise<readonly LiveTrace[]>;
  /** A sentence when the model of `open` changed since; watches its files from now on. */
  staleOf(open: OpenTrace): Promise<string | undefined>;
  /** A trace came, went or went stale. */
  readonly onDidChange: vscode.Event<void>;
  /** This file of a traced model (absolute path) was written, made or removed; at once, and for every piece that is written. */
  readonly onDidTouch: vscode.Event<string>;
  dispose(): void;
}

export function createLiveTraces(session: Session, openTraces: OpenTraces, log: vscode.LogOutputChannel): LiveTraces {
  const changed = new vscode.EventEmitter<void>(), fileTouched = new vscode.EventEmitter<string>(), leases = new Map<string, TraceLease>(), watchers = new Map<string, vscode.FileSystemWatcher>();
  let waiting: NodeJS.Timeout | undefined;
  // A model is written in pieces: look when it has been quiet for a moment.
  const touched = (path: string): void => { fileTouched.fire(path); clearTimeout(waiting); waiting = setTimeout(() => changed.fire(), 300); };
  const watch = (path: string): void => {
    if (watchers.has(path)) return;
    const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(vscode.Uri.file(dirname(path)), basename(path).replace(/[*?{}[\]]/g, '?')));
    watcher.onDidChange(() => touched(path));
    watcher.onDidCreate(() => touched(path));
    watcher.onDidDelete(() => touched(path));
    watchers.set(path, watcher);
  };
  const staleOf: LiveTraces['staleOf'] = open => {
    for (const path of watchedFiles(open.manifest)) watch(path);
    return staleness(open.manifest);
  };
  const live = async (latest: LatestTrace): Promise<LiveTrace | undefined> => {
    if (!existsSync(latest.file)) { session.forget(latest.file); return undefined; }
    let lease = leases.get(latest.file);
    if (!lease) { lease = openTraces.lease(latest.file); leases.set(latest.file, lease); }
    try {
      const open = await lease.open(), stale = await staleOf(open);
      return { latest, open, ...(stale ? { stale } : {}) };
    } catch (error) {
      log.warn(`${latest.file} cannot be shown in the source: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const subscription = session.onDidChange(() => {
    const kept = new Set(session.latest().map(latest => latest.file));
    for (const [file, lease] of leases) if (!kept.has(file)) { lease.dispose(); leases.delete(file); }
    changed.fire();
  });
  return {
    all: async () => (await Promise.all(session.latest().slice(0, mostLive).map(live))).filter(one => one !== undefined),
    staleOf,
    onDidChange: changed.event,
    onDidTouch: fileTouched.event,
    dispose: () => {
      clearTimeout(waiting);
      subscription.dispose();
      for (const one of [...watchers.values(), ...leases.values(), changed, fileTouched]) one.dispose();
    },
  };
}
