/** Every command there is: its title, where it is offered, and when. The handlers' table is typed by it. */

export interface MenuPlace { readonly when: string; readonly group: string }
export interface CommandRow {
  readonly title: string;
  /** Codicon name, for places that show icons. */
  readonly icon?: string;
  /** When the palette offers it; `false`: never (it needs arguments). */
  readonly palette: string | false;
  /** Other menus: VS Code's menu id → when, and the group it stands in. */
  readonly menus?: Readonly<Record<string, MenuPlace | readonly MenuPlace[]>>;
  /** Keys, while `when` holds. */
  readonly keys?: { readonly key: string; readonly mac?: string; readonly when: string };
  /** One sentence for the README. */
  readonly help: string;
}

const always = 'true';
const models = 'view == attnscope.models', traces = 'view == attnscope.traces';
/** Running a model needs trust, and files that are on this machine. */
const canTrace = 'isWorkspaceTrusted && !virtualWorkspace';
const model = `${models} && viewItem =~ /^model/ && ${canTrace}`, traced = `${models} && viewItem == model.traced`, trace = `${traces} && viewItem =~ /^trace/`;
const inTraces = "focusedView == 'attnscope.traces' && !inputFocus";
const showsTrace = "activeCustomEditorId == 'attnscope.trace'";

export const commands = {
  'attnscope.trace': {
    title: 'Trace Attention',
    icon: 'telescope',
    palette: canTrace,
    menus: {
      'explorer/context': { when: "resourceExtname == '.onnx' && resourceScheme == 'file' && isWorkspaceTrusted", group: 'navigation@90' },
      'editor/context': { when: `editorHasSelection && !editorReadonly && ${canTrace}`, group: 'z_attnscope@1' },
      'view/item/context': [{ when: model, group: 'inline@2' }, { when: model, group: '1_trace@1' }],
    },
    help: 'Runs a model once on a text and shows what every head attended to. Selected text is the prompt; model and prompt are remembered.',
  },
  'attnscope.traceWith': {
    title: 'Trace Attention With…',
    palette: canTrace,
    menus: { 'view/item/context': { when: model, group: '1_trace@2' } },
    help: 'The same, and asks for model and prompt again.',
  },
  'attnscope.traceAgain': {
    title: 'Trace Again',
    icon: 'refresh',
    palette: `${showsTrace} && ${canTrace}`,
    menus: { 'editor/title': { when: `${showsTrace} && ${canTrace}`, group: 'navigation@1' }, 'view/item/context': { when: trace, group: '1_trace@2' } },
    help: 'Runs the same model on the same prompt, after the model changed.',
  },
  'attnscope.cancel': {
    title: 'Cancel Trace',
    palette: 'attnscope.tracing',
    help: 'Ends the trace that is running, or one that waits for its model to be written.',
  },
  'attnscope.openTrace': {
    title: 'Open Trace…',
    icon: 'folder-opened',
    palette: always,
    menus: { 'view/title': { when: traces, group: 'navigation@1' } },
    help: 'Opens an .attntrace file, newest first.',
  },
  'attnscope.openLastTrace': {
    title: 'Open Last Trace',
    icon: 'go-to-file',
    palette: always,
    menus: { 'view/item/context': [{ when: traced, group: 'inline@1' }, { when: traced, group: '1_trace@0' }] },
    help: 'Opens the newest trace (in the Models view: of that model).',
  },
  'attnscope.renameTrace': {
    title: 'Rename Trace…',
    palette: false,
    menus: { 'view/item/context': { when: trace, group: '4_file@1' } },
    keys: { key: 'f2', mac: 'enter', when: inTraces },
    help: 'Gives a trace a name of its own.',
  },
  'attnscope.deleteTrace': {
    title: 'Delete Trace',
    palette: false,
    menus: { 'view/item/context': { when: trace, group: '4_file@2' } },
    keys: { key: 'delete', mac: 'cmd+backspace', when: inTraces },
    help: 'Deletes traces, to the trash where there is one.',
  },
  'attnscope.exportTrace': {
    title: 'Export Trace…',
    palette: showsTrace,
    menus: { 'view/item/context': { when: trace, group: '3_export@1' } },
    help: 'Copies the trace that is looked at to a place of your choice.',
  },
  'attnscope.pinTrace': {
    title: 'Pin',
    icon: 'pin',
    palette: false,
    menus: { 'view/item/context': [{ when: `${traces} && viewItem == trace`, group: 'inline@1' }, { when: `${traces} && viewItem == trace`, group: '2_pin@1' }] },
    help: 'Keeps a trace whatever the limit says.',
  },
  'attnscope.unpinTrace': {
    title: 'Unpin',
    icon: 'pinned',
    palette: false,
    menus: { 'view/item/context': [{ when: `${traces} && viewItem == trace.pinned`, group: 'inline@1' }, { when: `${traces} && viewItem == trace.pinned`, group: '2_pin@1' }] },
    help: 'Lets a trace go when room is needed.',
  },
  'attnscope.revealFile': {
    title: 'Reveal in Explorer',
    palette: showsTrace,
    menus: { 'view/item/context': [{ when: `${models} && viewItem != site`, group: '3_file@1' }, { when: trace, group: '3_file@1' }] },
    help: 'Shows where the trace that is looked at lies.',
  },
  'attnscope.copyPath': {
    title: 'Copy Path',
    palette: showsTrace,
    menus: { 'view/item/context': [{ when: `${models} && viewItem != site`, group: '3_file@2' }, { when: trace, group: '3_file@2' }] },
    help: 'Copies the path of the trace that is looked at.',
  },
  'attnscope.refreshViews': {
    title: 'Refresh Models and Traces',
    icon: 'refresh',
    palette: always,
    menus: { 'view/title': { when: 'view =~ /^attnscope\\.(models|traces)$/', group: 'navigation@9' } },
    help: 'Looks at the disk again; the views follow it by themselves, too.',
  },
  'attnscope.traceStorage': {
    title: 'Trace Folder and Limit…',
    icon: 'gear',
    palette: always,
    menus: { 'view/title': { when: traces, group: 'navigation@2' } },
    help: 'Opens the settings that say where traces lie, how much room they may take, and how they are stored.',
  },
  'attnscope.compareTraces': {
    title: 'Compare Traces…',
    icon: 'diff',
    palette: always,
    menus: {
      'explorer/context': { when: "resourceExtname == '.attntrace' && resourceScheme == 'file'", group: '3_compare@90' },
      'view/item/context': { when: trace, group: '2_compare@1' },
      'editor/title': { when: showsTrace, group: '1_attnscope@5' },
    },
    help: 'Shows where two traces differ: the open one and another, two that are selected in the Explorer, or any two.',
  },
  'attnscope.openHead': {
    title: 'Open Head',
    palette: false,
    help: 'Shows one head of a trace (links in hovers and lenses).',
  },
  'attnscope.exportOnnx': {
    title: 'Export to ONNX…',
    palette: "editorLangId == 'python' && resourceScheme == 'file'",
    help: 'For a class without a model: writes a script beside the source that exports the model to ONNX with dynamic axes and checks it against PyTorch.',
  },
  'attnscope.exportMap': {
    title: 'Export Map…',
    icon: 'export',
    palette: showsTrace,
    help: 'Writes the map that is shown as a PNG, its cells as CSV, or its probabilities as safetensors.',
  },
  'attnscope.copyLink': {
    title: 'Copy Link to This View',
    icon: 'link',
    palette: showsTrace,
    menus: { 'editor/title': { when: showsTrace, group: 'navigation@2' } },
    help: 'Copies a link that opens exactly what is shown: trace, tab, head, zoom, options.',
  },
  'attnscope.openLink': {
    title: 'Open Link…',
    palette: always,
    help: 'Opens a link that was copied with Copy Link to This View.',
  },
  'attnscope.openDemo': {
    title: 'Open Demo…',
    palette: '!virtualWorkspace',
    help: 'Opens a workspace with a small language model, its PyTorch source, and its ONNX exports.',
  },
  'attnscope.showLog': {
    title: 'Show Log',
    palette: always,
    help: 'Shows what the extension and its engine wrote down.',
  },
  'attnscope.restartEngine': {
    title: 'Restart Engine',
    palette: 'attnscope.active',
    help: 'Ends both engine processes and starts new ones; open traces stay open.',
  },
  'attnscope.copyDiagnostics': {
    title: 'Copy Diagnostics',
    palette: always,
    help: 'Puts what a bug report needs on the clipboard: versions, settings, runtime, adapter, models found, last errors; no prompts and no content of files.',
  },
  'attnscope.openWalkthrough': {
    title: 'Get Started',
    palette: always,
    help: 'Opens the walkthrough: five steps from the demo to a head and back to the source.',
  },
} as const satisfies Readonly<Record<`attnscope.${string}`, CommandRow>>;

export type CommandId = keyof typeof commands;
