/** Traces as a list: grouped by model, what a row says, and which go first when they take too much room; pure. */
import { basename } from 'node:path';
import type { TraceSummary } from '../../contract/api.ts';
import { layersText } from '../../contract/layers.ts';
import { bytesText } from '../bytes-text.ts';
import { counted, escaped, parityText } from '../models/describe-model.ts';
import { shorten } from '../prompts.ts';

/** Where a trace lies. Only what lies in storage is ours to tidy up. */
export type TracePlace = 'storage' | 'folder' | 'workspace' | 'elsewhere';

/** A trace on the disk; what its header says, once it was read. */
export interface TraceEntry {
  readonly file: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly place: TracePlace;
  readonly pinned: boolean;
  readonly summary?: TraceSummary;
  /** Why its header cannot be read. */
  readonly problem?: string;
}

export interface TraceGroup {
  /** Path of the model; undefined: what it is of is not known. */
  readonly model: string | undefined;
  /** Newest first. */
  readonly traces: readonly TraceEntry[];
  readonly bytes: number;
}

export function createdMs(entry: TraceEntry): number {
  const said = entry.summary ? Date.parse(entry.summary.created) : NaN;
  return Number.isFinite(said) ? said : entry.modifiedMs;
}

/** One group a model, the model of the newest trace first. */
export function groupTraces(entries: readonly TraceEntry[]): TraceGroup[] {
  const groups = new Map<string | undefined, TraceEntry[]>();
  for (const entry of [...entries].sort((a, b) => createdMs(b) - createdMs(a) || (a.file < b.file ? 1 : -1))) {
    const model = entry.summary?.model.path;
    const group = groups.get(model);
    if (group) group.push(entry);
    else groups.set(model, [entry]);
  }
  return [...groups].map(([model, traces]) => ({ model, traces, bytes: total(traces) }));
}

export function total(entries: readonly Pick<TraceEntry, 'bytes'>[]): number { return entries.reduce((sum, entry) => sum + entry.bytes, 0); }

/**
 * The files to delete so that traces in storage take at most `quotaBytes`: oldest first, never a pinned one, one of `kept` (open, or just
 * made), or one outside of storage. 0: no limit.
 */
export function overQuota(entries: readonly TraceEntry[], quotaBytes: number, kept: ReadonlySet<string>): TraceEntry[] {
  if (!(quotaBytes > 0)) return [];
  const stored = entries.filter(entry => entry.place === 'storage'), gone: TraceEntry[] = [];
  let bytes = total(stored);
  for (const entry of [...stored].sort((a, b) => createdMs(a) - createdMs(b))) {
    if (bytes <= quotaBytes) break;
    if (entry.pinned || kept.has(entry.file)) continue;
    gone.push(entry);
    bytes -= entry.bytes;
  }
  return gone;
}

export interface RowText { readonly label: string; readonly description: string; readonly tooltip: string; readonly spoken: string }

/** `“Anna gave the lantern t…”`: `12:30 · 15 tokens · 210 kB · parity 2.5e-6`; a trace that a person named goes by that name. */
export function traceText(entry: TraceEntry, now: Date): RowText {
  const { summary } = entry, file = basename(entry.file), stem = file.replace(/\.attntrace$/, ''), named = !/-\d{8}-\d{6}(-\d+)?$/.test(stem);
  // The sidebar is narrow, and what follows the prompt is what tells traces apart.
  const prompt = summary?.prompt ? `“${shorten(summary.prompt.replace(/\s+/g, ' ').trim(), 24)}”` : undefined;
  const when = timeText(new Date(createdMs(entry)), now), parity = summary && parityText(summary);
  const parts = [
    ...(named && prompt ? [prompt] : []), when, summary ? sizeText(summary) : undefined, bytesText(entry.bytes), entry.problem === undefined ? parity : 'cannot be read',
    summary?.kept ? `layers ${layersText(summary.kept.layers)}` : undefined, entry.pinned ? 'pinned' : undefined,
  ].filter(part => part !== undefined);
  const label = named || prompt === undefined ? stem : prompt;
  const tooltip = [
    `**${escaped(file)}**`, ...(entry.problem === undefined ? [] : [escaped(entry.problem)]),
    ...(summary ? [`Prompt: ${escaped(shorten(summary.prompt.replace(/\s+/g, ' ').trim(), 300))}`, `Model: ${escaped(summary.model.path)}`,
      `${counted(summary.sites, 'site')}${summary.kept ? ` of ${summary.kept.ofSites} (layers ${layersText(summary.kept.layers)})` : ''}, ${sizeText(summary)}, stored as ${summary.stored === 'F16' ? 'float16' : 'float32'}${parity ? `, ${parity}` : ''}`] : []),
    `Traced: ${escaped(new Date(createdMs(entry)).toLocaleString())}`, `Lies in: ${escaped(placeWords[entry.place])}, ${bytesText(entry.bytes)}${entry.pinned ? ', pinned: never deleted to make room' : ''}`,
  ].join('  \n');
  return { label, description: parts.join(' · '), tooltip, spoken: [label, ...parts].join(', ') };
}

/** `model.onnx`: `gpt2 · 4.1 MB · 3 traces`. */
export function groupText(group: TraceGroup): RowText {
  const label = group.model === undefined ? 'Other files' : group.model.split(/[\\/]/).pop()!, parts = [bytesText(group.bytes), counted(group.traces.length, 'trace')];
  const folder = group.model?.split(/[\\/]/).slice(-2, -1)[0];
  return { label, description: [...(folder ? [folder] : []), ...parts].join(' · '), tooltip: escaped(group.model ?? 'Files that could not be read yet.'), spoken: [label, ...parts].join(', ') };
}

/** For the head of the view: `12 traces · 340 MB of 5 GB`; the limit counts what lies in storage. */
export function totalText(entries: readonly TraceEntry[], quotaBytes: number): string {
  if (!entries.length) return '';
  const stored = total(entries.filter(entry => entry.place === 'storage')), all = total(entries), limit = quotaBytes > 0 ? ` of ${bytesText(quotaBytes)}` : '';
  return stored === all ? `${bytesText(all)}${limit}` : stored === 0 ? bytesText(all) : `${bytesText(all)}, ${bytesText(stored)}${limit} in storage`;
}

/** A name that a trace can have: no folder, no reserved character; a sentence where it cannot. `taken`: names beside it. */
export function nameProblem(name: string, taken: ReadonlySet<string>): string | undefined {
  const trimmed = name.trim();
  if (trimmed === '') return 'Type a name.';
  if (/[\\/:*?"<>|\u0000-\u001f]/.test(trimmed) || /^\.+$/.test(trimmed) || /[. ]$/.test(trimmed)) return 'A name has none of \\ / : * ? " < > | and does not end with a dot.';
  if (trimmed.length > 120) return 'At most 120 characters.';
  return taken.has(`${trimmed}.attntrace`.toLowerCase()) ? `There is already a trace named ${trimmed}.` : undefined;
}

const placeWords: Readonly<Record<TracePlace, string>> = { storage: 'workspace storage', folder: 'the folder for traces', workspace: 'the workspace', elsewhere: 'another folder' };

function sizeText({ batch, tokens }: TraceSummary): string { return `${batch > 1 ? `${batch} × ` : ''}${counted(tokens, 'token')}`; }

/** `12:30` today, `Nov 23` this year, `Nov 23, 2025` before. */
function timeText(at: Date, now: Date): string {
  if (at.toDateString() === now.toDateString()) return at.toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  return at.toLocaleDateString('en', { month: 'short', day: 'numeric', ...(at.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }) });
}
