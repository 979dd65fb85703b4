/** A page's end of the RPC: VS Code's messages as a port. */
import type * as vscode from 'vscode';
import type { Port } from '../contract/rpc.ts';

/** `close` says that the page is gone. Messages carry `to`, so that both ends can call over one channel. */
export function webviewPort(webview: vscode.Webview): { readonly port: Port; close(reason: string): void } {
  const listeners: ((message: unknown) => void)[] = [];
  let closed: (reason: string) => void = () => undefined;
  webview.onDidReceiveMessage((envelope: { to?: unknown; message?: unknown } | undefined) => { if (envelope?.to === 'host') for (const on of listeners) on(envelope.message); });
  return {
    port: { post: message => void webview.postMessage({ to: 'panel', message }), listen: on => listeners.push(on), closed: new Promise(resolve => { closed = resolve; }) },
    close: reason => closed(reason),
  };
}
