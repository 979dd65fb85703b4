/** Which attention classes are offered "Export to ONNX…": those that no model near them can have run. */
import * as vscode from 'vscode';
import type { Lens } from '../source/lenses.ts';
import type { CommandId } from './manifest/commands.ts';
import { hasModelNear } from './model-files.ts';
import type { WorkspaceModels } from './models/workspace-models.ts';

export interface ExportOffer {
  /** The second lens of a class that has none but the offer to trace; undefined where a model is there. `traced`: another class of its file was measured. */
  of(lens: Lens, document: vscode.TextDocument, traced: boolean): Promise<vscode.Command | undefined>;
  readonly onDidChange: vscode.Event<void>;
}

export function createExportOffer(models: WorkspaceModels): ExportOffer {
  const near = async (uri: vscode.Uri): Promise<boolean> => {
    const found = (await models.current()).groups.flatMap(group => group.models.map(model => model.path));
    return hasModelNear(uri.fsPath, found, vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath);
  };
  return {
    of: async (lens, document, traced) => {
      if (lens.kind !== 'trace' || lens.sites.length > 0 || document.uri.scheme !== 'file') return undefined;
      // A class of a traced file was not run by that model, unless a subclass ran its forward, which its lens then says.
      if (traced ? lens.title !== 'Trace Attention' : await near(document.uri)) return undefined;
      return { title: 'Export to ONNX…', tooltip: 'No model yet? Writes a script that exports the model around this class and checks it against PyTorch.', command: 'attnscope.exportOnnx' satisfies CommandId, arguments: [{ source: { uri: document.uri.toString(), className: lens.className } }] };
    },
    onDidChange: models.onDidChange,
  };
}
