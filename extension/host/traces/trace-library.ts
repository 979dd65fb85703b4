/** Every trace that can be found, kept current: in storage, in the chosen folder, in the workspace, and those that the session knows. */
import { readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { AnalysisApi, TraceSummary } from '../../contract/api.ts';
import type { Client } from '../../contract/rpc.ts';
import { bytesText } from '../bytes-text.ts';
import { repeated } from '../debounce.ts';
import type { WorkspaceModels } from '../models/workspace-models.ts';
import { setting } from '../read-setting.ts';
import type { Session } from '../session.ts';
import { openTraceFiles } from '../show-trace.ts';
import { chosenFolder, storageFolder } from './trace-folder.ts';
import { createdMs, overQuota, total, type TraceEntry, type TracePlace } from './trace-files.ts';

export interface TraceLibrary {
  /** As far as is known; empty before anybody asked for `refresh`. */
  readonly entries: readonly TraceEntry[];
  /** The newest trace of a model that can be read. */
  newestOf(model: string): TraceEntry | undefined;
  /** Looks at the disk again. */
  refresh(): Promise<void>;
  /** Deletes the oldest traces in storage until they fit the quota; what is open, pinned or `made` stays. Says so. */
  makeRoom(made: string | undefined): Promise<void>;
  readonly onDidChange: vscode.Event<void>;
  dispose(): void;
}

interface Around { readonly context: vscode.ExtensionContext; readonly session: Session; readonly models: WorkspaceModels; readonly analysis: () => Promise<Client<AnalysisApi>>; /** Traces that are looked at elsewhere than in their editors. */ readonly held: () => readonly string[]; readonly log: vscode.LogOutputChannel }
type Read = TraceSummary | { readonly file: string; readonly problem: string };

const quietMs = 300;
/** Headers asked for at a time: the list fills while the rest is read. */
const readAtOnce = 16;
/** What a run left behind when everything died at once is old by then, whatever still runs. */
const leftoverMs = 24 * 3_600_000;

export function quotaBytes(): number { return setting('attnscope.traceQuota') * 1e9; }

export function createTraceLibrary({ context, session, models, analysis, held, log }: Around): TraceLibrary {
  const changed = new vscode.EventEmitter<void>(), read = new Map<string, { readonly key: string; readonly of: Read }>(), watchers = new Map<string, vscode.FileSystemWatcher>();
  let entries: readonly TraceEntry[] = [], asked = false, told = false;
  const storage = storageFolder(context);

  const watch = (): void => {
    const wanted = new Set([storage, chosenFolder()].filter(folder => folder !== undefined));
    for (const [folder, watcher] of watchers) if (!wanted.has(folder)) { watcher.dispose(); watchers.delete(folder); }
    for (const folder of wanted) {
      if (watchers.has(folder)) continue;
      const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(vscode.Uri.file(folder), '*.attntrace'));
      for (const event of [watcher.onDidCreate, watcher.onDidChange, watcher.onDidDelete]) event(() => look.soon());
      watchers.set(folder, watcher);
    }
  };
  const list = async (): Promise<TraceEntry[]> => {
    const chosen = chosenFolder(), pins = session.pins(), places = new Map<string, TracePlace>();
    const add = (file: string, place: TracePlace): void => { if (!places.has(file)) places.set(file, place); };
    for (const [folder, place] of [[storage, 'storage'], [chosen, 'folder']] as const) {
      for (const name of folder === undefined ? [] : await readdir(folder).catch((): string[] => [])) if (name.endsWith('.attntrace')) add(join(folder!, name), place);
    }
    for (const file of (await models.current()).traces) add(file, 'workspace');
    for (const { file } of session.latest()) add(file, dirname(file) === storage ? 'storage' : 'elsewhere');
    const found = await Promise.all([...places].map(async ([file, place]): Promise<TraceEntry | undefined> => {
      const stats = await stat(file).catch(() => undefined);
      return stats?.isFile() ? { file, place, bytes: stats.size, modifiedMs: stats.mtimeMs, pinned: pins.has(file) } : undefined;
    }));
    return found.filter(entry => entry !== undefined);
  };
  const keyOf = ({ bytes, modifiedMs }: TraceEntry): string => `${bytes} ${modifiedMs}`;
  const withHeader = (entry: TraceEntry): TraceEntry => {
    const known = read.get(entry.file);
    return known?.key !== keyOf(entry) ? entry : 'problem' in known.of ? { ...entry, problem: known.of.problem } : { ...entry, summary: known.of };
  };
  const look = repeated(async () => {
    try {
      watch();
      const found = await list(), files = new Set(found.map(({ file }) => file));
      for (const file of read.keys()) if (!files.has(file)) read.delete(file);
      const unread = found.filter(entry => read.get(entry.file)?.key !== keyOf(entry)).sort((a, b) => b.modifiedMs - a.modifiedMs);
      for (let at = 0; at < unread.length; at += readAtOnce) {
        const some = unread.slice(at, at + readAtOnce), summaries = await (await analysis()).summaries({ files: some.map(({ file }) => file) });
        some.forEach((entry, i) => read.set(entry.file, { key: keyOf(entry), of: summaries[i] }));
        entries = found.map(withHeader);
        changed.fire();
      }
      entries = found.map(withHeader);
    } catch (error) { log.warn(`The list of traces is not complete: ${error instanceof Error ? error.message : String(error)}`); }
    changed.fire();
  }, quietMs);

  const removeLeftovers = async (): Promise<void> => {
    for (const name of await readdir(storage).catch((): string[] => [])) {
      if (!/\.attntrace\.(part|side|capture)$/.test(name)) continue;
      const file = join(storage, name), stats = await stat(file).catch(() => undefined);
      if (stats && Date.now() - stats.mtimeMs > leftoverMs) await rm(file, { force: true }).then(() => log.info(`Removed ${file}, left by a run that ended early.`), () => undefined);
    }
  };
  const makeRoom = async (made: string | undefined): Promise<void> => {
    await removeLeftovers();
    const limit = quotaBytes();
    if (!(limit > 0)) return;
    const found = (await list()).map(withHeader), gone = overQuota(found, limit, new Set([...openTraceFiles(), ...held(), ...(made === undefined ? [] : [made])]));
    const deleted: TraceEntry[] = [];
    for (const entry of gone) {
      try { await rm(entry.file); } catch (error) { log.warn(`${entry.file} could not be deleted: ${(error as Error).message}`); continue; }
      deleted.push(entry);
      session.forget(entry.file);
      log.info(`Deleted ${entry.file} (${bytesText(entry.bytes)}, traced ${new Date(createdMs(entry)).toLocaleString()}): traces in storage took more than ${bytesText(limit)}.`);
    }
    if (!deleted.length) return;
    if (asked) await look.now();
    // Once a session is enough: it happens after every trace from now on.
    if (told) return;
    told = true;
    const change = 'Change Limit…', answer = await vscode.window.showInformationMessage(`AttnScope deleted ${deleted.length === 1 ? 'the oldest trace' : `the ${deleted.length} oldest traces`} (${bytesText(total(deleted))}) to keep within ${bytesText(limit)}. Pin a trace to keep it.`, change, 'Show Log');
    if (answer === change) await vscode.commands.executeCommand('workbench.action.openSettings', 'attnscope.traceQuota');
    if (answer === 'Show Log') log.show();
  };

  const subscriptions = [
    models.onDidChange(() => { if (asked) look.soon(); }), session.onDidChange(() => { if (asked) look.soon(); }),
    vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('attnscope.traceFolder') && asked) look.soon();
      if (event.affectsConfiguration('attnscope.traceQuota')) void makeRoom(undefined).then(() => changed.fire());
    }),
  ];
  return {
    get entries() { return entries; },
    newestOf: model => entries.filter(entry => entry.summary?.model.path === model).reduce<TraceEntry | undefined>((newest, entry) => (newest && createdMs(newest) >= createdMs(entry) ? newest : entry), undefined),
    refresh: () => { asked = true; return look.now(); },
    makeRoom,
    onDidChange: changed.event,
    dispose: () => { for (const one of [look, ...subscriptions, ...watchers.values(), changed]) one.dispose(); },
  };
}
