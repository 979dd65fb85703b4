/** Asks before a run that takes much: what it takes, and what could be kept instead. */
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { estimate, type RunFacts } from '../contract/estimate.ts';
import { layersText } from '../contract/layers.ts';
import { costText, fewer, layersOf, readLayers, runChoices, storedFor, whyLarge } from './run-choices.ts';
import { setting } from './read-setting.ts';
import type { Kept } from './session.ts';

/** From this size on a person is asked. */
export function largeTraceBytes(): number { return setting('attnscope.largeTrace') * 1e9; }

/** What to keep: nothing in particular where the run is not large. Undefined: the user does not want it. */
export async function askWhenLarge(model: string, facts: RunFacts, asked: 'auto' | 'fp16' | 'fp32'): Promise<Kept | undefined> {
  const why = whyLarge(estimate(facts, { stored: storedFor(asked, facts) }), facts, largeTraceBytes());
  if (why === undefined) return {};
  for (let layers: readonly number[] | undefined; ;) {
    const choices = runChoices(facts, asked, layers).map(choice => ({ ...choice, label: `${choice.kept ? choice.kept.dtype ? '$(arrow-down)' : '$(play)' : '$(list-filter)'} ${choice.label}` }));
    const picked = await vscode.window.showQuickPick(choices, { title: `${basename(model)} on ${facts.batch > 1 ? `${facts.batch} × ` : ''}${facts.tokens.toLocaleString('en')} tokens ${why}`, placeHolder: 'How should it be traced? Escape cancels.', ignoreFocusOut: true });
    if (!picked) return undefined;
    if (picked.kept) return picked.kept;
    // Escape goes back to the choice.
    layers = await askLayers(facts, asked, layers) ?? layers;
  }
}

async function askLayers(facts: RunFacts, asked: 'auto' | 'fp16' | 'fp32', before: readonly number[] | undefined): Promise<readonly number[] | undefined> {
  const there = layersOf(facts);
  const typed = await vscode.window.showInputBox({
    title: 'Layers to keep', value: layersText(before ?? fewer(there, there)), ignoreFocusOut: true, prompt: `Of ${layersText(there)}, as 0-3,10.`,
    validateInput: text => {
      const read = readLayers(text, facts);
      if ('problem' in read) return read.problem;
      return { message: costText(estimate(facts, { stored: storedFor(asked, facts, read.layers), layers: read.layers })), severity: vscode.InputBoxValidationSeverity.Info };
    },
  });
  const read = typed === undefined ? undefined : readLayers(typed, facts);
  return read && 'layers' in read ? read.layers : undefined;
}
