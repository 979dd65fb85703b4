/** What the status item says: what runs, and on which device; pure. */

/** Something that takes a while: `text` with its phase, `model` by name. */
export interface Running { readonly text: string; readonly model: string }
/** Where the last run ran, as its trace says. */
export interface RanOn { readonly device: string; readonly versions: Readonly<Record<string, string>> }
export interface StatusText { readonly text: string; /** Markdown. */ readonly tooltip: string; readonly label: string; readonly command: string }

export const cancelCommand = 'attnscope.cancel', idleCommand = 'attnscope.showLog';

export function statusText({ trace, waiting, ranOn }: { readonly trace?: Running; readonly waiting?: Running; readonly ranOn?: RanOn }): StatusText {
  const running = trace ?? waiting, device = ranOn?.device.toUpperCase();
  const links = '[Show Log](command:attnscope.showLog) · [Restart Engine](command:attnscope.restartEngine) · [Copy Diagnostics](command:attnscope.copyDiagnostics)';
  const where = ranOn ? `Models run on: ${device}${versions(ranOn.versions)}` : 'No model was run in this window yet.';
  if (running) {
    return {
      text: `${trace ? '$(loading~spin)' : '$(history)'} ${running.text}${trace && device ? ` · ${device}` : ''}`,
      tooltip: `${trace ? `AttnScope traces **${escaped(running.model)}**` : `AttnScope waits until **${escaped(running.model)}** is written`}. Click to cancel.\n\n${where}\n\n${links}`,
      label: `AttnScope: ${running.text}`, command: cancelCommand,
    };
  }
  return { text: `$(telescope) AttnScope${device ? ` · ${device}` : ''}`, tooltip: `AttnScope is idle. Click to show its log.\n\n${where}\n\n${links}`, label: `AttnScope: idle${device ? `, models run on ${device}` : ''}`, command: idleCommand };
}

/** ` (onnxruntime 1.30.0, Node.js 24.21.0)` */
function versions({ onnxruntime, node }: Readonly<Record<string, string>>): string {
  const said = [onnxruntime && `onnxruntime ${onnxruntime}`, node && `Node.js ${node.replace(/^v/, '')}`].filter(Boolean);
  return said.length ? ` (${said.join(', ')})` : '';
}

/** A file name must not become a link or a command. */
function escaped(name: string): string { return name.replace(/[\\`*_{}[\]()<>#+!|~$]/g, '\\$&'); }
