/** Shows a failure where the user is looking: a sentence, its remedy, and what can be done about it. */
import * as vscode from 'vscode';
import { Cancelled, PeerGone, UserError } from '../contract/errors.ts';

/** Shows and logs `error`; cancelling is silent. Resolves when the notification is answered or closed. */
export async function showFailure(error: unknown, log: vscode.LogOutputChannel): Promise<void> {
  if (error instanceof Cancelled) return;
  const [sentence, more] = error instanceof UserError ? [error.sentence, []]
    : error instanceof PeerGone ? [error.message, ['Restart Engine']]
      : [`AttnScope failed: ${error instanceof Error ? error.message : String(error)}`, []];
  log.error(error instanceof UserError || error instanceof PeerGone ? sentence : error instanceof Error ? error.stack ?? error.message : sentence);
  const answer = await vscode.window.showErrorMessage(sentence, ...more, 'Show Log');
  if (answer === 'Show Log') log.show();
  if (answer === 'Restart Engine') await vscode.commands.executeCommand('attnscope.restartEngine');
}
