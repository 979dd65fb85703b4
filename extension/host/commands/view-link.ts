/** Copy Link to This View, and opening such a link: by the editor's URI handler, or pasted into Open Link…. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { UserError } from '../../contract/errors.ts';
import { readPayload, readViewLink, viewLink, type ViewLink } from '../view-link.ts';
import type { Handler, Host } from './handler.ts';

/** Copies and returns the link. */
export const copyLink: Handler = async host => {
  const panel = host.editor.front;
  if (!panel) throw new UserError('There is no view to link to.', 'Open a trace first.');
  const { view, label } = await panel.events.view({}), link = viewLink(vscode.env.uriScheme, host.context.extension.id, { trace: panel.file, view }, label);
  await vscode.env.clipboard.writeText(link);
  void vscode.window.setStatusBarMessage(`AttnScope: copied a link to ${label ?? 'the overview'}.`, 4_000);
  return link;
};

/** Opens the link that is given, or asks for one; what the clipboard holds is offered when it is one. */
export const openLink: Handler = async (host, argument) => {
  const given = typeof argument === 'string' ? argument : await askLink();
  if (given !== undefined) await follow(host, readViewLink(given));
};

/** The editor opens `vscode://attnscope.attnscope/…` here. */
export function followUri(host: Host, uri: vscode.Uri): Promise<void> { return follow(host, readPayload(uri.query)); }

async function follow(host: Host, link: ViewLink | { readonly problem: string }): Promise<void> {
  if ('problem' in link) throw new UserError(link.problem, 'Copy it again with AttnScope: Copy Link to This View.');
  if (!existsSync(link.trace)) throw new UserError(`The trace of this link, ${basename(link.trace)}, is not on this machine.`, 'Trace the model again.');
  await host.editor.showView(link.trace, link.view);
}

async function askLink(): Promise<string | undefined> {
  const copied = await vscode.env.clipboard.readText().then(text => text, () => '');
  return vscode.window.showInputBox({
    title: 'Open Link', prompt: 'A link that was copied with Copy Link to This View', placeHolder: `${vscode.env.uriScheme}://…`, ...('problem' in readViewLink(copied) ? {} : { value: copied.trim() }),
    validateInput: text => { const read = readViewLink(text); return text.trim() && 'problem' in read ? read.problem : undefined; },
  });
}
