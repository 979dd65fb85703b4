/** Restart Engine, Show Log and Cancel Trace. */
import * as vscode from 'vscode';
import type { Handler } from './handler.ts';

export const cancel: Handler = host => {
  host.retrace.cancel();
  host.tracing.cancel();
};

export const restartEngine: Handler = async host => {
  host.tracing.cancel();
  await host.engine.restart();
  void vscode.window.setStatusBarMessage('AttnScope: the engine starts anew when it is needed.', 4_000);
};

export const showLog: Handler = host => host.log.show();
