/** Serves the built panel in a plain page that stands in for VS Code: its colours, its policy, and a host that answers from a real trace. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { OpenTrace, PanelApi, TracePanelState } from '../../extension/contract/api.ts';
import { Cancelled, toWire } from '../../extension/contract/errors.ts';
import { answerThumbnails, answerTile } from '../../extension/engine/analysis/answer-tile.ts';
import { look } from '../../extension/engine/analysis/look.ts';
import { OpenTraces } from '../../extension/engine/analysis/open-traces.ts';
import { headRows } from '../../extension/engine/analysis/tile.ts';
import { panelPage } from '../../extension/host/panel-page.ts';

export const themes = {
  dark: { kind: 'vscode-dark', foreground: '#cccccc', background: '#1f1f1f', description: '#9d9d9d', hover: '#2a2d2e', widget: '#202020', border: '#454545', input: '#313131', badge: '#616161', badgeText: '#f8f8f8', button: '#0078d4', secondary: '#313131', link: '#4daafc', error: '#f85149', warning: '#352a05', focus: '#0078d4' },
  light: { kind: 'vscode-light', foreground: '#3b3b3b', background: '#ffffff', description: '#6b6b6b', hover: '#f2f2f2', widget: '#f8f8f8', border: '#c8c8c8', input: '#ffffff', badge: '#cccccc', badgeText: '#3b3b3b', button: '#005fb8', secondary: '#e5e5e5', link: '#005fb8', error: '#c72e0f', warning: '#f6f5d2', focus: '#005fb8' },
  contrast: { kind: 'vscode-high-contrast', foreground: '#ffffff', background: '#000000', description: '#ffffffb3', hover: '#000000', widget: '#0c141f', border: '#6fc3df', input: '#000000', badge: '#000000', badgeText: '#ffffff', button: '#000000', secondary: '#000000', link: '#21a6ff', error: '#f48771', warning: '#000000', focus: '#f38518' },
} as const;
export type Theme = keyof typeof themes;

// Vitest and the benchmarks start at the root.
const root = process.cwd(), nonce = 'gallery';

type Answers = { [K in keyof PanelApi]: (request: Parameters<PanelApi[K]>[0], signal?: AbortSignal) => unknown };
/** `calls` collects what the panel asked of the host; any of `answers` may be replaced, to show what goes wrong. */
export interface Gallery { readonly url: (theme: Theme) => string; readonly calls: string[]; readonly answers: Answers; setStale(sentence: string | undefined): void; close(): void }

/** `ready`: the trace is still being written until then; the page waits for it. */
export async function openGallery(traceFile: string, ready?: Promise<unknown>): Promise<Gallery> {
  const traces = new OpenTraces(), calls: string[] = [], opened = ready ? ready.then(() => traces.open(traceFile)) : traces.open(traceFile);
  let stale: string | undefined;
  const stateOf = (open: OpenTrace): TracePanelState => ({ open, ...(stale ? { stale } : {}), sources: Object.fromEntries(open.manifest.sites.map(site => [site.name, 'model.py:102'])) });
  const answers: Answers = {
    state: () => ('then' in opened ? opened.then(stateOf) : stateOf(opened)),
    tile: (request, signal) => answerTile(traces, request, () => heard(signal)),
    thumbnails: request => answerThumbnails(traces, request, async () => undefined),
    look: request => look(traces, request, async () => undefined),
    picture: ({ trace, picture }) => traces.picture(trace, picture),
    rows: ({ trace, site, batch, head }) => headRows(traces.view(trace, site), batch, head),
    revealSource: () => undefined, retrace: () => undefined, restartEngine: () => undefined, saveImage: () => undefined, exportMap: () => undefined, copyLink: () => undefined,
  };
  const { url, close } = await servePanel(answers, calls);
  return { url, calls, answers, setStale: sentence => { stale = sentence; }, close: () => { close(); void Promise.resolve(opened).then(open => traces.close(open.trace)); } };
}

/** As in the analysis process: a tile that nobody wants any more stops, and nothing else waits. */
async function heard(signal: AbortSignal | undefined): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
  if (signal?.aborted) throw new Cancelled();
}

/** Serves one panel whose calls `answers` answers; `calls` collects their names. `panel` as `panelPage` has it. */
export async function servePanel(answers: object, calls: string[], panel?: string): Promise<{ readonly url: (theme: Theme) => string; close(): void }> {
  const [script, style] = ['dist/webview.js', 'dist/webview.css'].map(file => readFileSync(join(root, file))), known = answers as Readonly<Record<string, (request: unknown, signal: AbortSignal) => unknown>>;
  const server = createServer((request, response) => {
    const path = request.url ?? '/', send = (type: string, body: string | Buffer): void => { response.setHeader('content-type', type); response.end(body); };
    if (path.startsWith('/call')) {
      let body = '';
      request.on('data', chunk => { body += String(chunk); });
      request.on('end', () => {
        const { method, request: asked } = JSON.parse(body) as { method: string; request: unknown };
        calls.push(method);
        const stop = new AbortController();
        response.on('close', () => stop.abort());
        void (async () => { try { return { ok: await known[method](asked, stop.signal) }; } catch (error) { return { error: toWire(error) }; } })()
          .then(answer => send('application/octet-stream', packed(answer)));
      });
    } else if (path === '/webview.js') send('text/javascript', script);
    else if (path === '/webview.css') send('text/css', style);
    else if (path === '/host.js') send('text/javascript', hostScript);
    else send('text/html', page((Object.keys(themes) as Theme[]).find(theme => path === `/${theme}`) ?? 'dark', panel));
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  return { url: theme => `http://127.0.0.1:${port(server)}/${theme}`, close: () => { server.close(); server.closeAllConnections(); } };
}

/** Arrays travel as bytes, as VS Code sends them: length of the JSON, the JSON, padding to 8, the arrays, each padded to 8. */
function packed(answer: unknown): Buffer {
  const arrays: Buffer[] = [];
  let at = 0;
  const json = Buffer.from(JSON.stringify(answer, (_, value: unknown) => {
    if (!(value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array)) return value;
    const array = { type: value.constructor.name, at, length: value.length }, bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    arrays.push(bytes, Buffer.alloc(-bytes.length & 7));
    at += bytes.length + (-bytes.length & 7);
    return array;
  })), length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, Buffer.alloc(-(json.length + 4) & 7), ...arrays]);
}

function port(server: Server): number { return (server.address() as { port: number }).port; }

/** The host's own page, with the theme's colours as VS Code gives them (an inline style with its nonce) and our stand-in for its API. */
function page(theme: Theme, panel?: string): string {
  const c = themes[theme], variables: Readonly<Record<string, string>> = {
    'foreground': c.foreground, 'editor-background': c.background, 'descriptionForeground': c.description, 'list-hoverBackground': c.hover, 'editorHoverWidget-background': c.widget, 'editorHoverWidget-foreground': c.foreground,
    'editorHoverWidget-border': c.border, 'widget-border': c.border, 'panel-border': c.border, 'input-background': c.input, 'input-foreground': c.foreground, 'dropdown-background': c.input, 'dropdown-foreground': c.foreground, 'dropdown-border': c.border,
    'badge-background': c.badge, 'badge-foreground': c.badgeText, 'button-background': c.button, 'button-foreground': '#ffffff', 'button-secondaryBackground': c.secondary, 'button-secondaryForeground': c.foreground, 'textLink-foreground': c.link,
    'errorForeground': c.error, 'inputValidation-warningBackground': c.warning, 'inputValidation-warningBorder': '#b89500', 'inputValidation-errorBackground': c.widget, 'focusBorder': c.focus, 'font-family': 'DejaVu Sans, sans-serif', 'font-size': '13px', 'editor-font-family': 'DejaVu Sans Mono, monospace',
    'charts-blue': theme !== 'light' ? '#3794ff' : '#1a85ff', 'charts-yellow': theme !== 'light' ? '#cca700' : '#9a6700', 'charts-red': c.error, 'testing-iconPassed': theme !== 'light' ? '#73c991' : '#388a34',
  };
  const css = `:root { ${Object.entries(variables).map(([name, value]) => `--vscode-${name}: ${value};`).join(' ')} }`;
  return panelPage({ script: '/webview.js', style: '/webview.css', source: "'self'", nonce, title: 'Gallery', ...(panel ? { panel } : {}) })
    .replace("default-src 'none'", "default-src 'none'; connect-src 'self'")
    .replace('</head>', `<style nonce="${nonce}">${css}</style><script nonce="${nonce}" src="/host.js"></script></head>`)
    .replace('<body>', `<body class="${c.kind}" data-vscode-theme-kind="${c.kind}">`);
}

const hostScript = `
let kept = JSON.parse(sessionStorage.getItem('kept') ?? 'null');
const running = new Map();
window.violations = [];
// What the panel answers when the host calls it.
window.replies = [];
window.callPanel = (method, request) => window.postMessage({ to: 'panel', message: { call: 1, method, request } }, '*');
document.addEventListener('securitypolicyviolation', event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI));
const unpack = buffer => {
  const length = new DataView(buffer).getUint32(0, true), base = length + 4 + (-(length + 4) & 7);
  return JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)), (_, value) => value && value.at !== undefined && value.type ? new ({ Float32Array, Int32Array, Uint8Array })[value.type](buffer.slice(base + value.at, base + value.at + value.length * (value.type === "Uint8Array" ? 1 : 4))) : value);
};
window.acquireVsCodeApi = () => ({
  getState: () => kept, setState: state => { kept = state; sessionStorage.setItem('kept', JSON.stringify(state)); },
  postMessage: ({ message }) => {
    if ('cancel' in message) { running.get(message.cancel)?.abort(); return; }
    if (!('call' in message)) { if ('ok' in message || 'err' in message) window.replies.push(message); return; }
    const say = reply => window.postMessage({ to: 'panel', message: reply }, '*');
    const stop = new AbortController();
    running.set(message.call, stop);
    fetch('/call', { method: 'POST', signal: stop.signal, body: JSON.stringify(message, (_, value) => value instanceof Uint8Array ? btoa(Array.from(value, byte => String.fromCharCode(byte)).join('')) : value) }).then(r => r.arrayBuffer()).then(body => {
      const answer = unpack(body);
      say(answer.error ? { err: message.call, error: answer.error } : { ok: message.call, value: answer.ok });
    }).catch(error => { if (error.name !== 'AbortError') throw error; }).finally(() => running.delete(message.call));
  },
});`;
