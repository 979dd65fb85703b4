/** What a bug report needs, as Markdown; pure. No prompt and no content of a file can be in it. */

export interface Facts {
  readonly version: string;
  readonly editor: { readonly name: string; readonly version: string; readonly host: string; readonly remote?: string; readonly ui: 'desktop' | 'web' };
  readonly machine: { readonly platform: string; readonly arch: string; readonly release: string; readonly cpus: number; readonly cpu: string; readonly memoryBytes: number; readonly node: string };
  readonly workspace: { readonly folders: number; readonly trusted: boolean };
  readonly engine: {
    readonly node: string;
    readonly processes: readonly { readonly role: string; readonly versions: Readonly<Record<string, string | undefined>> }[];
    /** The adapter that WGSL can run on; a sentence where there is none, or where nobody could be asked. */
    readonly adapter: string;
    /** What the last trace says it ran on. */
    readonly lastRun?: { readonly device: string; readonly versions: Readonly<Record<string, string>> };
  };
  /** Every setting with its value, and whether somebody changed it. */
  readonly settings: readonly { readonly id: string; readonly value: unknown; readonly changed: boolean }[];
  /** Paths as the workspace shows them. */
  readonly models: { readonly shown: readonly { readonly path: string; readonly bytes?: number; readonly tokenizer: boolean }[]; readonly total: number };
  readonly traces: number;
  readonly errors: readonly { readonly atMs: number; readonly text: string }[];
}

/** What must not leave this machine: the home folder, and every prompt that is remembered. */
export interface Private { readonly home: string; readonly prompts: readonly string[] }

const mostErrorLines = 8;

export function diagnosticsText(facts: Facts, hidden: Private): string {
  const { editor, machine, workspace, engine } = facts, clean = (text: string): string => withoutPrivate(text, hidden);
  const table = (versions: Readonly<Record<string, string | undefined>>): string => Object.entries(versions).filter(([, version]) => version).map(([name, version]) => `${name} ${version}`).join(', ');
  return [
    '### AttnScope diagnostics',
    `- AttnScope ${facts.version}`,
    `- ${editor.name} ${editor.version} (${editor.host}, ${editor.ui}${editor.remote ? `, remote ${editor.remote}` : ''})`,
    `- ${machine.platform}-${machine.arch} ${machine.release}, ${machine.cpus} × ${machine.cpu.trim() || 'CPU'}, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB; extension host on Node.js ${machine.node}`,
    `- workspace: ${workspace.folders} ${workspace.folders === 1 ? 'folder' : 'folders'}, ${workspace.trusted ? 'trusted' : 'not trusted'}`,
    '', '#### Engine',
    `- Node.js at \`${home(engine.node, hidden)}\``,
    ...(engine.processes.length ? engine.processes.map(({ role, versions }) => `- ${role}: ${table(versions)}`) : ['- no process runs']),
    `- adapter: ${clean(engine.adapter)}`,
    ...(engine.lastRun ? [`- last run: ${engine.lastRun.device}, ${table(engine.lastRun.versions)}`] : []),
    '', '#### Settings',
    ...facts.settings.map(({ id, value, changed }) => `- \`${id}\`: \`${home(JSON.stringify(value), hidden)}\`${changed ? ' (changed)' : ''}`),
    '', `#### Models found: ${facts.models.total}`,
    ...facts.models.shown.map(({ path, bytes, tokenizer }) => `- \`${home(path, hidden)}\`${bytes === undefined ? '' : `, ${(bytes / 1e6).toFixed(1)} MB without external data`}${tokenizer ? '' : ', no tokenizer.json'}`),
    ...(facts.models.total > facts.models.shown.length ? [`- … and ${facts.models.total - facts.models.shown.length} more`] : []),
    `- traces remembered: ${facts.traces}`,
    '', `#### Last errors: ${facts.errors.length}`,
    ...facts.errors.flatMap(({ atMs, text }) => [`- ${new Date(atMs).toISOString()}`, ...clean(text).split('\n').slice(0, mostErrorLines).map(line => `      ${line.trimEnd()}`)]),
    '',
  ].join('\n');
}

/**
 * An error's text without what may be private in it: remembered prompts, whatever stands in quotation marks (sentences of ours quote what was
 * typed, and JSON.parse quotes the file), and the name of the home folder.
 */
export function withoutPrivate(text: string, hidden: Private): string {
  const prompts = hidden.prompts.filter(prompt => prompt.trim().length > 2).sort((a, b) => b.length - a.length);
  const without = prompts.reduce((now, prompt) => now.replaceAll(prompt, '‹prompt›'), text);
  return home(without.replace(/“[^”]*”/g, '“…”').replace(/"[^"\n]*"/g, '"…"'), hidden);
}

function home(text: string, { home: folder }: Private): string {
  return folder.length > 1 ? text.replaceAll(folder, '~') : text;
}
