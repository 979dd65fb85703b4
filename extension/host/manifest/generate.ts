/** Recomputes every generated part of the repository: package.json's contributions, README tables, and the families' registries. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contributions, readmeTables } from './contributions.ts';

/** A folder whose members are found by being there; each exports one constant of the family's type. */
interface Family { readonly folder: string; readonly type: string; readonly from: string; readonly list: string; readonly sentence: string }

const families: readonly Family[] = [
  { folder: 'extension/engine/sites/patterns', type: 'Pattern', from: '../site-plan.ts', list: 'patterns', sentence: 'Every graph pattern of this folder' },
  { folder: 'extension/engine/metrics', type: 'Metric', from: './metric.ts', list: 'metrics', sentence: 'Every metric of this folder' },
  { folder: 'extension/engine/verdicts', type: 'VerdictRule', from: './verdict.ts', list: 'verdicts', sentence: 'Every verdict rule of this folder' },
  { folder: 'extension/source/export-script/recipes', type: 'Recipe', from: '../recipe.ts', list: 'recipes', sentence: 'Every kind of model that a script is written for' },
];
/** Files of a family's folder that are no members. */
const notMembers = new Set(['registry.ts', 'metric.ts', 'verdict.ts', 'pattern.ts']);

/** Path below `root` → the text that should be there. Reads, writes nothing. */
export function generated(root: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  texts.set('package.json', withContributions(readFileSync(join(root, 'package.json'), 'utf8')));
  if (existsSync(join(root, 'README.md'))) texts.set('README.md', withTables(readFileSync(join(root, 'README.md'), 'utf8')));
  for (const family of families) {
    const members = readdirSync(join(root, family.folder)).filter(name => name.endsWith('.ts') && !notMembers.has(name)).sort();
    if (members.length === 0) continue;
    texts.set(`${family.folder}/registry.ts`, registry(family, members.map(file => ({ file, text: readFileSync(join(root, family.folder, file), 'utf8') }))));
  }
  return texts;
}

/** Generated files below `root` that are not what they should be; `npm run generate` makes this empty. */
export function staleGenerated(root: string): string[] {
  return [...generated(root)].filter(([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text).map(([path]) => path);
}

/** Writes what is stale and returns its paths. */
export function generate(root: string): string[] {
  const texts = generated(root);
  const stale = staleGenerated(root);
  for (const path of stale) writeFileSync(join(root, path), texts.get(path)!);
  return stale;
}

/** The package.json text with our keys replaced where they stand, or put before `scripts`; all else keeps its order. */
export function withContributions(text: string): string {
  const ours: Readonly<Record<string, unknown>> = contributions();
  const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
  for (const [key, value] of Object.entries(ours)) {
    const at = entries.findIndex(([name]) => name === key);
    if (at >= 0) { entries[at] = [key, value]; continue; }
    const scripts = entries.findIndex(([name]) => name === 'scripts');
    entries.splice(scripts < 0 ? entries.length : scripts, 0, [key, value]);
  }
  return `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`;
}

/** Fills what stands between `<!-- generated: NAME -->` and `<!-- end -->`. */
export function withTables(text: string): string {
  const tables: Readonly<Record<string, string>> = readmeTables();
  return text.replace(/(<!-- generated: ([a-z]+) -->\n)[\s\S]*?(<!-- end -->)/g, (whole, open: string, name: string, close: string) =>
    Object.hasOwn(tables, name) ? `${open}${tables[name]}\n${close}` : whole);
}

function registry(family: Family, members: readonly { readonly file: string; readonly text: string }[]): string {
  const names = members.map(({ file, text }) => {
    const found = [...text.matchAll(new RegExp(`^export const (\\w+): ${family.type}\\b`, 'gm'))];
    if (found.length !== 1) throw new Error(`${family.folder}/${file} must export exactly one constant of type ${family.type}; found ${found.length}.`);
    return { file, name: found[0][1] };
  });
  return [
    `/** ${family.sentence}, by file name; written by \`npm run generate\`. */`,
    `import type { ${family.type} } from '${family.from}';`,
    ...names.map(({ file, name }) => `import { ${name} } from './${file}';`),
    '',
    `export const ${family.list}: readonly ${family.type}[] = [`,
    ...names.map(({ name }) => `  ${name},`),
    '];',
    '',
  ].join('\n');
}
