/** What every command's handler is given. */
import type * as vscode from 'vscode';
import type { ComparePanels } from '../compare-panel.ts';
import type { HostEngine } from '../engine.ts';
import type { WorkspaceModels } from '../models/workspace-models.ts';
import type { PythonSources } from '../python-sources.ts';
import type { RecentErrors } from '../recent-errors.ts';
import type { Retrace } from '../retrace.ts';
import type { Session } from '../session.ts';
import type { Status } from '../status.ts';
import type { TraceEditor } from '../trace-editor.ts';
import type { TraceLibrary } from '../traces/trace-library.ts';
import type { TracesView } from '../traces/traces-view.ts';
import type { Tracing } from '../tracing.ts';

export interface Host { readonly context: vscode.ExtensionContext; readonly engine: HostEngine; readonly session: Session; readonly sources: PythonSources; readonly tracing: Tracing; readonly retrace: Retrace; readonly status: Status; readonly editor: TraceEditor; readonly compare: ComparePanels; readonly models: WorkspaceModels; readonly library: TraceLibrary; readonly tracesView: TracesView; /** What went wrong lately. */ readonly errors: RecentErrors; readonly log: vscode.LogOutputChannel }

/** Arguments come from menus, lenses, links and other extensions: nothing is believed of them. */
export type Handler = (host: Host, argument: unknown, /** The other rows that are selected, from menus of lists. */ more?: unknown) => unknown;
