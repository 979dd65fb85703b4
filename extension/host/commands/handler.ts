/** What every command's handler is given. */
import type * as vscode from 'vscode';
import type { HostEngine } from '../engine.ts';
import type { Session } from '../session.ts';
import type { TraceEditor } from '../trace-editor.ts';
import type { Tracing } from '../tracing.ts';

export interface Host { readonly context: vscode.ExtensionContext; readonly engine: HostEngine; readonly session: Session; readonly tracing: Tracing; readonly editor: TraceEditor; readonly log: vscode.LogOutputChannel }

/** Arguments come from menus, lenses, links and other extensions: nothing is believed of them. */
export type Handler = (host: Host, argument: unknown) => unknown;
