/** Export Map…: what is drawn as a picture, what is in sight or the whole head as a table, probabilities for notebooks. */
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { UserError } from '../../contract/errors.ts';
import { askFile } from '../ask-file.ts';
import type { Handler, Host } from './handler.ts';

/** Above this a file is worth a question. */
const largeBytes = 2 ** 30;

type Kind = 'png' | 'csv' | 'csv-head' | 'pattern-sight' | 'pattern-head' | 'pattern-site';
const kinds: readonly (vscode.QuickPickItem & { readonly as: Kind })[] = [
  { as: 'png', label: 'Image (PNG)', description: 'what is drawn, with title, axes and legend' },
  { as: 'csv', label: 'Table of what is visible (CSV)', description: 'cells as they are shown' },
  { as: 'csv-head', label: 'Table of the whole head (CSV)', description: 'cells as they are shown' },
  { as: 'pattern-sight', label: 'Pattern of what is visible (safetensors)', description: 'single tokens, float32' },
  { as: 'pattern-head', label: 'Pattern of the whole head (safetensors)', description: 'single tokens, float32' },
  { as: 'pattern-site', label: 'Pattern of all heads of this layer (safetensors)', description: 'single tokens, float32' },
];

/** `argument`: { kind, out } skips the questions (tests, other extensions). Returns the file that was written. */
export const exportMap: Handler = async (host, argument) => {
  const panel = host.editor.front, asked = believed(argument);
  if (!panel) throw new UserError('There is no map to export.', 'Open a trace first.');
  const { map, label } = await panel.events.view({});
  if (!map || !label) throw new UserError('There is no map to export.', 'Open a head in the Attention tab first.');
  const kind = asked.kind ?? (await vscode.window.showQuickPick(kinds, { title: `Export ${label}`, placeHolder: 'As' }))?.as;
  if (!kind) return undefined;
  if (kind === 'png' || kind === 'csv' || kind === 'csv-head') {
    const { name, bytes } = await panel.events.mapFile({ as: kind }), out = asked.out ?? await askFile(panel.file, name, kind === 'png' ? { Image: ['png'] } : { Table: ['csv'] });
    if (out === undefined) return undefined;
    try { await writeFile(out, bytes); } catch (error) { throw new UserError(`${basename(out)} cannot be written: ${(error as Error).message}.`, 'Choose another place.'); }
    return told(out);
  }
  const open = await panel.open(), site = open.manifest.sites.find(one => one.name === map.site), extent = open.extents[map.site];
  const [rows, cols] = kind === 'pattern-sight' ? [map.rows, map.cols] : [[0, extent.queries], [0, extent.keys]], heads = kind === 'pattern-site' ? site?.heads ?? 1 : 1;
  const bytes = (rows[1] - rows[0]) * (cols[1] - cols[0]) * heads * open.manifest.input.ids.length * 4, where = kind === 'pattern-site' ? map.site : label;
  if (bytes > largeBytes && !asked.out) {
    const write = `Write ${(bytes / 1e9).toFixed(1)} GB`;
    if (await vscode.window.showWarningMessage(`The pattern of ${where} has ${heads > 1 ? `${heads} × ` : ''}${(rows[1] - rows[0]).toLocaleString()} × ${(cols[1] - cols[0]).toLocaleString()} cells.`, { modal: true, detail: 'Zoom in and export what is visible to write less.' }, write) !== write) return undefined;
  }
  const out = asked.out ?? await askFile(panel.file, `${basename(open.manifest.model.file, '.onnx')}-${where}-pattern.safetensors`, { Safetensors: ['safetensors'] });
  if (out === undefined) return undefined;
  await writePattern(host, where, { trace: open.trace, site: map.site, ...(kind === 'pattern-site' ? {} : { head: map.head }), ...(kind === 'pattern-sight' ? { rows: map.rows, cols: map.cols } : {}), out });
  return told(out);
};

async function writePattern(host: Host, where: string, request: { readonly trace: string; readonly site: string; readonly head?: number; readonly rows?: readonly [number, number]; readonly cols?: readonly [number, number]; readonly out: string }): Promise<void> {
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: `Writing the pattern of ${where}`, cancellable: true }, async (_, token) => {
    const cancel = new AbortController();
    token.onCancellationRequested(() => cancel.abort());
    await (await host.engine.analysis()).exportPattern(request, { signal: cancel.signal });
  });
}

function told(out: string): string {
  void vscode.window.setStatusBarMessage(`AttnScope: wrote ${basename(out)}.`, 5_000);
  return out;
}

function believed(argument: unknown): { readonly kind?: Kind; readonly out?: string } {
  const { kind, out } = (typeof argument === 'object' && argument !== null ? argument : {}) as Readonly<Record<string, unknown>>, known = kinds.find(one => one.as === kind)?.as;
  return { ...(known ? { kind: known } : {}), ...(known && typeof out === 'string' ? { out } : {}) };
}
