/** Asks for a model and a prompt, each with what the workspace and its history offer. */
import { stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute } from 'node:path';
import * as vscode from 'vscode';
import type { Prompt } from '../contract/api.ts';
import { bytesText } from './bytes-text.ts';
import { byFolder, surely, weightRows } from './model-choice.ts';
import { byNearness, hasChatTemplate, hasTokenizer } from './model-files.ts';
import { pairSeparator, readPrompt, shorten } from './prompts.ts';

const mostModels = 500;
/** Something is found, given, and asked for: one Enter traces sinks, copying and an induction pattern, in the demo and in most language models. */
const firstText = 'One morning Anna found a silver key near the mill. Anna gave the key to Boris. Boris put the key in his bag. Who has the key?';

/** One of the .onnx files that were `found`, by folder and part; the nearest folder to `near` (a Python file) stands first. The only model of the workspace is taken without asking, in the weights that were `chosen` before where it has several, unless `always`. Undefined: the user closed the list. */
export async function askModel(near: string | undefined, options: { readonly always: boolean; readonly current?: string; readonly chosen: (models: readonly string[]) => string | undefined; readonly found: () => Promise<readonly string[]> }): Promise<string | undefined> {
  const models = byNearness((await options.found()).slice(0, mostModels), near && dirname(near)), choices = byFolder(models), only = options.always ? undefined : surely(choices, options.chosen(models));
  if (only !== undefined) return only;
  const browse = { label: '$(folder-opened) Browse…', description: 'a model outside of this workspace', model: undefined };
  const used = new Set(choices.map(({ files }) => options.chosen(files)).concat(options.current));
  const items = (await Promise.all(weightRows(choices, folderName).map(async ({ file: model, type, part }) => [
    ...(part === undefined ? [] : [{ label: part, kind: vscode.QuickPickItemKind.Separator, model: undefined }]), {
      label: basename(model),
      description: [vscode.workspace.asRelativePath(dirname(model)), type, bytesOf((await stat(model).catch(() => undefined))?.size), used.has(model) ? 'used last' : ''].filter(Boolean).join(' · '),
      detail: hasTokenizer(model) ? undefined : 'no tokenizer.json beside it: takes token ids',
      model,
    },
  ]))).flat();
  const picked = await vscode.window.showQuickPick([...items, { label: '', kind: vscode.QuickPickItemKind.Separator, model: undefined }, browse], {
    title: 'Trace Attention: model', matchOnDescription: true, ignoreFocusOut: true,
    placeHolder: models.length > 0 ? 'Which model should be run?' : 'There is no .onnx file in this workspace: choose one elsewhere.',
  });
  if (picked !== browse) return picked?.model;
  const chosen = await vscode.window.showOpenDialog({ title: 'Model to trace', filters: { 'ONNX model': ['onnx'] }, canSelectMany: false });
  return chosen?.[0]?.fsPath;
}

/** Within the workspace; of its roots, and of what lies elsewhere, the last part. */
function folderName(folder: string): string { const name = vscode.workspace.asRelativePath(folder); return isAbsolute(name) ? basename(name) : name; }

/** `goesOn`: the model may generate, `tokens` of them. */
export interface Asked { readonly pair: Promise<boolean>; readonly goesOn: Promise<boolean>; readonly tokens: number }
interface Row extends vscode.QuickPickItem { readonly earlier?: string; readonly more?: { readonly generate?: number; readonly chat?: true } }

/** A text, two where the model takes two (the box says so as soon as that is known), or token ids where there is no tokenizer. `history` holds earlier prompts as they were typed. Undefined: the user closed the box. */
export function askPrompt(model: string, history: readonly string[], { pair: takesPair, goesOn, tokens }: Asked): Promise<Prompt | undefined> {
  const tokenizer = hasTokenizer(model), chat = tokenizer && hasChatTemplate(model);
  let pair = false, on = false;
  const fitting = history.filter(typed => 'prompt' in readPrompt(typed, tokenizer));
  const pick = vscode.window.createQuickPick<Row>();
  pick.title = `Trace Attention: prompt for ${basename(model)}`;
  pick.placeholder = tokenizer ? 'The text that the model should read' : 'Token ids, as 1, 2, 3';
  pick.ignoreFocusOut = true;
  pick.value = fitting[0] ?? (tokenizer ? firstText : '');
  // Sorted by what was typed, an earlier prompt would stand first for a moment, and Enter would take it. VS Code does this for all extensions, but does not type it yet.
  Object.assign(pick, { sortByLabel: false });
  const update = (): void => {
    const read = readPrompt(pick.value, tokenizer, pair);
    const first = 'problem' in read ? { label: `$(info) ${read.problem}`, alwaysShow: true }
      : { label: `$(play) ${oneLine(pick.value)}`, description: 'trace this', alwaysShow: true };
    const more: Row[] = !on ? [] : [
      { label: `$(debug-continue) Trace it, and what the model writes next`, description: `up to ${tokens} tokens`, alwaysShow: true, more: { generate: tokens } },
      ...(chat ? [{ label: '$(comment-discussion) As a chat message, with the answer', description: `in the model's chat template, up to ${tokens} tokens`, alwaysShow: true, more: { generate: tokens, chat: true as const } }] : []),
    ];
    // Rows keep their places while somebody types: VS Code names a row by its place, also when the list that was clicked in is the one before.
    pick.items = [first, ...more, ...fitting.map(typed => ({ label: `$(history) ${oneLine(typed)}`, earlier: typed, alwaysShow: true }))];
    pick.activeItems = [pick.items[0]];
  };
  update();
  void takesPair.then(takes => {
    if (!takes || !tokenizer) return;
    pair = true;
    // In the title: a placeholder is hidden while something is typed.
    pick.title = `${pick.title} (two texts as A${pairSeparator}B)`;
    update();
  });
  void goesOn.then(may => { if (may) { on = true; update(); } });
  return new Promise(resolve => {
    pick.onDidChangeValue(update);
    pick.onDidAccept(() => {
      // The list follows the typing a moment later: its first row always means what stands in the box now.
      const [row] = pick.selectedItems, read = readPrompt(row?.earlier ?? pick.value, tokenizer, pair);
      if ('problem' in read) return;
      resolve(row?.more && (read.prompt.kind === 'text' || read.prompt.kind === 'ids') ? withMore(read.prompt, row.more) : read.prompt);
      pick.hide();
    });
    pick.onDidHide(() => { resolve(undefined); pick.dispose(); });
    pick.show();
  });
}

/** Token ids are no message. */
function withMore(prompt: Prompt & { readonly kind: 'text' | 'ids' }, { generate, chat }: NonNullable<Row['more']>): Prompt {
  return { ...prompt, ...(generate ? { generate } : {}), ...(chat && prompt.kind === 'text' ? { chat } : {}) };
}

function oneLine(text: string): string { return shorten(text.replace(/\s+/g, ' ').trim(), 90); }

function bytesOf(bytes: number | undefined): string { return bytes === undefined ? '' : bytesText(bytes); }
