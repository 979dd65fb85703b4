/** The one item in the status bar: idle it opens the log, during a trace it shows the phase and cancels. */
import * as vscode from 'vscode';

export interface Status {
  /** The phase of a running trace, one line; undefined: idle. A click calls `cancel`. */
  show(running: { readonly text: string; readonly model: string } | undefined): void;
  dispose(): void;
}

/** Internal: not in the table of commands, since nobody calls it but the item. */
const cancelCommand = 'attnscope.internal.cancel';

export function createStatus(cancel: () => void): Status {
  const item = vscode.window.createStatusBarItem('attnscope.status', vscode.StatusBarAlignment.Left, 0);
  item.name = 'AttnScope';
  const command = vscode.commands.registerCommand(cancelCommand, cancel);
  const show: Status['show'] = running => {
    item.text = running ? `$(loading~spin) ${running.text}` : '$(telescope) AttnScope';
    item.tooltip = running ? `AttnScope traces ${running.model}. Click to cancel.` : 'AttnScope is idle. Click to show its log.';
    item.command = running ? cancelCommand : 'attnscope.showLog';
    item.accessibilityInformation = { label: running ? `AttnScope: ${running.text}` : 'AttnScope: idle' };
  };
  show(undefined);
  item.show();
  return { show, dispose: () => { item.dispose(); command.dispose(); } };
}
