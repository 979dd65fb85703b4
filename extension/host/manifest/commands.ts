/** Every command there is: its title, where it is offered, and when. The handlers' table is typed by it. */

export interface CommandRow {
  readonly title: string;
  /** Codicon name, for places that show icons. */
  readonly icon?: string;
  /** When the palette offers it; `false`: never (it needs arguments). */
  readonly palette: string | false;
  /** Other menus: VS Code's menu id → when, and the group it stands in. */
  readonly menus?: Readonly<Record<string, { readonly when: string; readonly group: string }>>;
  /** One sentence for the README. */
  readonly help: string;
}

const always = 'true';
const showsTrace = "activeCustomEditorId == 'attnscope.trace'";

export const commands = {
  'attnscope.trace': {
    title: 'Trace Attention',
    icon: 'telescope',
    palette: always,
    menus: {
      'explorer/context': { when: "resourceExtname == '.onnx' && resourceScheme == 'file'", group: 'navigation@90' },
      'editor/context': { when: 'editorHasSelection && !editorReadonly', group: 'z_attnscope@1' },
    },
    help: 'Runs a model once on a text and shows what every head attended to. Selected text is the prompt; model and prompt are remembered.',
  },
  'attnscope.traceWith': {
    title: 'Trace Attention With…',
    palette: always,
    help: 'The same, and asks for model and prompt again.',
  },
  'attnscope.traceAgain': {
    title: 'Trace Again',
    icon: 'refresh',
    palette: showsTrace,
    menus: { 'editor/title': { when: showsTrace, group: 'navigation@1' } },
    help: 'Runs the same model on the same prompt, after the model changed.',
  },
  'attnscope.openTrace': {
    title: 'Open Trace…',
    palette: always,
    help: 'Opens an .attntrace file, newest first.',
  },
  'attnscope.openHead': {
    title: 'Open Head',
    palette: false,
    help: 'Shows one head of a trace (links in hovers and lenses).',
  },
  'attnscope.openDemo': {
    title: 'Open Demo…',
    palette: always,
    help: 'Opens a workspace with a small language model, its PyTorch source, and its ONNX exports.',
  },
  'attnscope.showLog': {
    title: 'Show Log',
    palette: always,
    help: 'Shows what the extension and its engine wrote down.',
  },
  'attnscope.restartEngine': {
    title: 'Restart Engine',
    palette: always,
    help: 'Ends both engine processes and starts new ones; open traces stay open.',
  },
} as const satisfies Readonly<Record<`attnscope.${string}`, CommandRow>>;

export type CommandId = keyof typeof commands;
