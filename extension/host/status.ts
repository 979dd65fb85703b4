/** The one item in the status bar: what runs and on which device; idle it opens the log, during a trace it cancels. */
import * as vscode from 'vscode';
import { setContext } from './set-context.ts';
import { statusText, type RanOn, type Running } from './status-text.ts';

export interface Status {
  /** A trace that runs, or models that wait to be traced again; undefined: none (any more). */
  show(what: 'trace' | 'waiting', running: Running | undefined): void;
  /** Where the last run ran. */
  ranOn(where: RanOn): void;
  /** What `ranOn` was told. */
  readonly last: RanOn | undefined;
  dispose(): void;
}

export function createStatus(): Status {
  const item = vscode.window.createStatusBarItem('attnscope.status', vscode.StatusBarAlignment.Left, 0), now: { trace?: Running; waiting?: Running; ranOn?: RanOn } = {};
  item.name = 'AttnScope';
  let tooltip = '', wasBusy = false;
  const draw = (): void => {
    const said = statusText(now);
    item.text = said.text;
    // A tooltip that is set anew closes the one that is being read.
    if (said.tooltip !== tooltip) {
      tooltip = said.tooltip;
      const markdown = new vscode.MarkdownString(tooltip);
      markdown.isTrusted = { enabledCommands: ['attnscope.showLog', 'attnscope.restartEngine', 'attnscope.copyDiagnostics'] };
      item.tooltip = markdown;
    }
    item.command = said.command;
    item.accessibilityInformation = { label: said.label };
  };
  draw();
  item.show();
  return {
    show: (what, running) => {
      now[what] = running;
      const busy = now.trace !== undefined || now.waiting !== undefined;
      if (busy !== wasBusy) setContext('attnscope.tracing', busy);
      wasBusy = busy;
      draw();
    },
    ranOn: where => { now.ranOn = where; draw(); },
    get last() { return now.ranOn; },
    dispose: () => item.dispose(),
  };
}
