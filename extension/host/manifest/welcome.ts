/** What the two tree views say while they have nothing to show: what is missing, and the button that brings it. */

interface Welcome { readonly view: string; readonly when: string; readonly lines: readonly string[] }

const needsFolder = 'workspaceFolderCount == 0 && !virtualWorkspace', untrusted = 'workspaceFolderCount != 0 && !isWorkspaceTrusted && !virtualWorkspace', ready = 'workspaceFolderCount != 0 && isWorkspaceTrusted && !virtualWorkspace';
const demo = '[Open Demo](command:attnscope.openDemo)', start = 'New here? [Get started](command:attnscope.openWalkthrough) in five steps.';
const elsewhere = 'Models and traces have to be files on the machine that AttnScope runs on, and this folder is a virtual one. Clone it, or open it over Remote - SSH.';

const welcomes: readonly Welcome[] = [
  { view: 'attnscope.models', when: needsFolder, lines: ['Open the folder that holds your ONNX model and its Python source, or begin with the demo.', '[Open Folder](command:workbench.action.files.openFolder)', demo, start] },
  { view: 'attnscope.models', when: ready, lines: ['There is no ONNX model in this workspace. Export one, choose a model that lies elsewhere, or look at the demo.', '[Trace a Model Elsewhere…](command:attnscope.traceWith)', demo, start] },
  { view: 'attnscope.models', when: untrusted, lines: ['AttnScope runs no model of a workspace that is not trusted. Traces can still be opened.', '[Manage Workspace Trust](command:workbench.trust.manage)', '[Open Trace…](command:attnscope.openTrace)'] },
  { view: 'attnscope.models', when: 'virtualWorkspace', lines: [elsewhere] },
  { view: 'attnscope.traces', when: `isWorkspaceTrusted && !virtualWorkspace`, lines: ['No traces yet. A trace is what one run of a model on one text left behind.', '[Trace Attention](command:attnscope.trace)', 'Traces made elsewhere open too: [open a trace](command:attnscope.openTrace).'] },
  { view: 'attnscope.traces', when: '!isWorkspaceTrusted && !virtualWorkspace', lines: ['No traces yet. Nothing is run in a workspace that is not trusted, but traces made elsewhere open.', '[Open Trace…](command:attnscope.openTrace)'] },
  { view: 'attnscope.traces', when: 'virtualWorkspace', lines: [elsewhere] },
];

/** contributes.viewsWelcome. */
export function viewsWelcome(): readonly unknown[] {
  return welcomes.map(({ view, when, lines }) => ({ view, contents: lines.join('\n'), when }));
}
