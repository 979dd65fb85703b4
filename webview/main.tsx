/** The page: connects to the host and shows the trace. */
import { render } from 'preact';
import type { PanelApi, PanelEvents } from '../extension/contract/api.ts';
import { connect, serve } from '../extension/contract/rpc.ts';
import { App } from './panels/app.tsx';
import { Store } from './panels/store.ts';
import { hostPort, type VsCode } from './port.ts';
import './style.css';

declare function acquireVsCodeApi(): VsCode;

const vscode = acquireVsCodeApi(), port = hostPort(vscode), store = new Store(connect<PanelApi>(port), vscode);
serve<PanelEvents>(port, {
  changed: () => void store.pull(),
  reveal: ({ site, head, batch }) => store.show(site, head, batch),
});
render(<App store={store} />, document.getElementById('root')!);
void store.pull();
