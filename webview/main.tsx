/** The page: connects to the host and shows the panel that it is for. */
import { render } from 'preact';
import type { CompareApi, CompareEvents, PanelApi, PanelEvents } from '../extension/contract/api.ts';
import { UserError } from '../extension/contract/errors.ts';
import { connect, serve } from '../extension/contract/rpc.ts';
import { App } from './panels/app.tsx';
import { CompareApp } from './panels/compare.tsx';
import { CompareStore } from './panels/compare-store.ts';
import { Store } from './panels/store.ts';
import { hostPort, type VsCode } from './port.ts';
import './style.css';
import './panels/compare.css';

declare function acquireVsCodeApi(): VsCode;

const vscode = acquireVsCodeApi(), port = hostPort(vscode), root = document.getElementById('root')!;
if (root.dataset['panel'] === 'compare') {
  const store = new CompareStore(connect<CompareApi>(port), vscode);
  serve<CompareEvents>(port, { changed: () => void store.pull() });
  render(<CompareApp store={store} />, root);
  void store.pull();
} else {
  const store = new Store(connect<PanelApi>(port), vscode);
  serve<PanelEvents>(port, {
    changed: () => void store.pull(),
    reveal: ({ site, head, batch }) => store.show(site, head, batch),
    waiting: ({ text }) => { store.waiting.value = text; },
    view: () => store.view(),
    show: ({ view }) => store.showView(view),
    mapFile: async ({ as }) => {
      if (!store.drawn) throw new UserError('There is no map to export.', 'Open a head in the Attention tab first.');
      return store.drawn.file(as);
    },
  });
  render(<App store={store} />, root);
  void store.pull();
}
