/** Shared by the tests of export scripts: fixtures by name, and a script written for the attention class in them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { attentionClasses } from '../../../../extension/source/attention-classes.ts';
import { exportTargets } from '../../../../extension/source/export-script/targets.ts';
import { exportScript, type ExportScript } from '../../../../extension/source/export-script/write.ts';
import { createIndex, type ClassRef, type ModuleIndex } from '../../../../extension/source/module-index.ts';
import { document } from '../support.ts';

const folder = join(import.meta.dirname, '../fixtures/export');

/** A file of the fixtures, or all of a package there, as if it lay in the user's workspace. */
export async function indexOf(name: string): Promise<ModuleIndex> {
  const files = name.endsWith('.py') ? [name] : (readdirSync(join(folder, name), { recursive: true }) as string[]).filter(file => file.endsWith('.py')).map(file => join(name, file)).sort();
  return createIndex(await Promise.all(files.map(file => document(readFileSync(join(folder, file), 'utf8'), `/home/me/project/${file}`))));
}
export async function indexOfText(text: string, path: string): Promise<ModuleIndex> { return createIndex([await document(text, path)]); }

/** The attention class of that name, or the first one. */
export function attentionOf(index: ModuleIndex, name?: string): ClassRef {
  const ref = name === undefined ? attentionClasses([...new Set(index.all.map(one => one.document))], index)[0]?.ref : index.named(name)[0];
  if (!ref) throw new Error(`no attention class ${name ?? ''}`);
  return ref;
}
export function targetNames(index: ModuleIndex, attention?: string): string[] { return exportTargets(index, attentionOf(index, attention)).map(ref => ref.cls.name); }
export function scriptOf(index: ModuleIndex, target?: string, attention?: string): ExportScript {
  const from = attentionOf(index, attention), targets = exportTargets(index, from);
  return exportScript(index, target === undefined ? targets[0] : index.named(target)[0], from, { climb: 0 });
}
/** The lines from `INPUTS = {` to `FORWARD`, without comments. */
export function readFrom(script: ExportScript): string {
  return script.text.split('\n').slice(script.text.split('\n').indexOf('INPUTS = {')).slice(0, 12).filter(line => /^( {4}"\w|CONSTANTS|FORWARD)/.test(line)).map(line => line.trim()).join('\n');
}
