/** The panel's end of the one postMessage channel between host and panel. */
import type { Port } from '../extension/contract/rpc.ts';

/** What `acquireVsCodeApi()` gives a webview, once. */
export interface VsCode {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

/**
 * The envelope of every message, in both directions: what the panel posts is `to: 'host'`, what the host posts is `to: 'panel'`.
 * Each end lays one port over it and runs both `connect` and `serve` on that port: the panel `connect<PanelApi>` and
 * `serve<PanelEvents>`, the host the reverse. They do not disturb each other, since a message says whether it is
 * a call (or cancel) for the server, or a reply (or progress) for the client.
 */
export interface Envelope { readonly to: 'host' | 'panel'; readonly message: unknown }

/** A port to the host. It never closes: the editor disposes page and port together, and a dead engine arrives as a failed call. */
export function hostPort(vscode: Pick<VsCode, 'postMessage'>, events: Pick<Window, 'addEventListener'> = window): Port {
  return {
    post: message => vscode.postMessage({ to: 'host', message } satisfies Envelope),
    listen: on => events.addEventListener('message', event => {
      const envelope = event.data as Envelope | undefined;
      if (typeof envelope === 'object' && envelope !== null && envelope.to === 'panel') on(envelope.message);
    }),
    closed: new Promise(() => {}),
  };
}
