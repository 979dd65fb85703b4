/** package.json says what the tables say, in VS Code's own terms, and generating changes nothing else. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../../../extension/host/manifest/commands.ts';
import { contextKeys } from '../../../extension/host/manifest/context-keys.ts';
import { contributions, toJsonSchema } from '../../../extension/host/manifest/contributions.ts';
import { generate, generated, staleGenerated, withContributions, withTables } from '../../../extension/host/manifest/generate.ts';

interface Contributes {
  commands: { command: string; title: string; category: string }[];
  menus: Record<string, { command: string; when?: string }[]>;
  configuration: { properties: Record<string, { default: unknown; scope: string }> };
  walkthroughs: { id: string; steps: { id: string; title: string; description: string; media: { image: Record<string, string>; altText: string }; completionEvents?: string[] }[] }[];
  viewsWelcome: { view: string; contents: string; when: string }[];
  customEditors: { viewType: string; priority: string; selector: { filenamePattern: string }[] }[];
}
const root = resolve(import.meta.dirname, '../../..');
const commandsIn = (text: string): string[] => [...text.matchAll(/\]\(command:([\w.]+)/g)].map(match => match[1]);
const made = contributions(), contributes = made.contributes as Contributes;
const folders: string[] = [];
afterAll(() => { for (const folder of folders) rmSync(folder, { recursive: true, force: true }); });

describe('contributions', () => {
  it('offer every command of the table, and menus name only those', () => {
    expect(contributes.commands.map(row => row.command)).toEqual(Object.keys(commands));
    expect(contributes.commands.every(row => row.category === 'AttnScope')).toBe(true);
    for (const rows of Object.values(contributes.menus)) for (const row of rows) expect(commands).toHaveProperty([row.command]);
  });
  it('offer Trace Attention on .onnx files and on selected text, and keep internal commands out of the palette', () => {
    expect(contributes.menus['explorer/context']).toContainEqual(expect.objectContaining({ command: 'attnscope.trace', when: "resourceExtname == '.onnx' && resourceScheme == 'file' && isWorkspaceTrusted" }));
    expect(contributes.menus['editor/context'][0]).toMatchObject({ command: 'attnscope.trace', when: expect.stringContaining('editorHasSelection') });
    expect(contributes.menus.commandPalette).toContainEqual({ command: 'attnscope.openHead', when: 'false' });
  });
  it('open traces by default in our editor', () => expect(contributes.customEditors).toEqual([expect.objectContaining({ viewType: 'attnscope.trace', priority: 'default', selector: [{ filenamePattern: '*.attntrace' }] })]));
  it('run nothing of an untrusted workspace: what names a program or a place there is not read', () => {
    const { untrustedWorkspaces } = made.capabilities as { untrustedWorkspaces: { supported: string; restrictedConfigurations: string[] } };
    expect(untrustedWorkspaces.supported).toBe('limited');
    expect(untrustedWorkspaces.restrictedConfigurations).toEqual(expect.arrayContaining(['attnscope.engine.node', 'attnscope.traceFolder', 'attnscope.traceQuota', 'attnscope.retraceOnChange']));
    for (const id of ['attnscope.engine.node', 'attnscope.traceFolder', 'attnscope.traceQuota']) expect(contributes.configuration.properties[id].scope).toBe('machine-overridable');
  });
  it('offer a command in the palette only where it can do something', () => {
    const when = (command: string): string => contributes.menus.commandPalette.find(row => row.command === command)?.when ?? 'always';
    for (const command of ['attnscope.trace', 'attnscope.traceWith', 'attnscope.traceAgain']) expect(when(command)).toContain('isWorkspaceTrusted && !virtualWorkspace');
    expect(when('attnscope.cancel')).toBe('attnscope.tracing');
    expect(when('attnscope.restartEngine')).toBe('attnscope.active');
    for (const command of ['attnscope.showLog', 'attnscope.copyDiagnostics', 'attnscope.openWalkthrough', 'attnscope.openTrace']) expect(when(command)).toBe('always');
  });
  it('use only context keys of the table in when clauses and completion events', () => {
    const texts = JSON.stringify([contributes.menus, contributes.viewsWelcome, contributes.walkthroughs]).match(/"(?:when|completionEvents)":("[^"]*"|\[[^\]]*\])/g)!;
    const ours = texts.flatMap(text => [...text.replace(/'[^']*'/g, '').replace(/onCommand:[\w.]+|\b(view|viewItem) (==|=~) \S+/g, '').matchAll(/\battnscope\.\w+/g)].map(match => match[0]));
    expect(ours.length).toBeGreaterThan(3);
    for (const key of ours) expect(contextKeys).toHaveProperty([key]);
  });
  it('walk through in five steps: every picture is there in both grounds, small, and every link leads to a command', () => {
    const [{ steps, id }] = contributes.walkthroughs;
    expect([contributes.walkthroughs.length, id, steps.length]).toEqual([1, 'start', 5]);
    for (const { id: step, description, media, completionEvents } of steps) {
      expect(Object.keys(media.image)).toEqual(['dark', 'light', 'hc', 'hcLight']);
      expect(media.altText.length).toBeGreaterThan(30);
      for (const file of Object.values(media.image)) {
        const bytes = readFileSync(join(root, file));
        expect(bytes.subarray(1, 4).toString(), file).toBe('PNG');
        expect(bytes.length, `${step}: ${file}`).toBeLessThan(200_000);
      }
      expect(commandsIn(description).length, step).toBeGreaterThan(0);
      for (const event of completionEvents ?? []) if (event.startsWith('onCommand:attnscope.')) expect(commands).toHaveProperty([event.slice('onCommand:'.length)]);
    }
    for (const command of commandsIn(steps.map(step => step.description).join()).filter(name => name.startsWith('attnscope.'))) expect(commands).toHaveProperty([command]);
  });
  it('say in empty views what is missing: one text at a time, whatever the workspace, and links that lead somewhere', () => {
    const states = [false, true].flatMap(folder => [false, true].flatMap(trusted => [false, true].map(virtual => ({ folder, trusted, virtual }))));
    for (const view of ['attnscope.models', 'attnscope.traces']) for (const { folder, trusted, virtual } of states) {
      const holds = (when: string): boolean => when.split(' && ').every(part => ({ 'workspaceFolderCount == 0': !folder, 'workspaceFolderCount != 0': folder, isWorkspaceTrusted: trusted, '!isWorkspaceTrusted': !trusted, virtualWorkspace: virtual, '!virtualWorkspace': !virtual })[part]!);
      expect(contributes.viewsWelcome.filter(row => row.view === view && holds(row.when)), JSON.stringify({ view, folder, trusted, virtual })).toHaveLength(1);
    }
    for (const command of contributes.viewsWelcome.flatMap(row => commandsIn(row.contents)).filter(name => name.startsWith('attnscope.'))) expect(commands).toHaveProperty([command]);
  });
  it('run where the workspace is, ask for no telemetry, and say what a virtual workspace lacks', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { extensionKind: string[]; capabilities: { virtualWorkspaces: unknown } };
    expect(manifest.extensionKind).toEqual(['workspace']);
    expect(manifest.capabilities.virtualWorkspaces).toMatchObject({ supported: 'limited', description: expect.stringContaining('files on the machine') });
    expect(JSON.stringify(contributes)).not.toMatch(/telemetry|usesOnlineServices/i);
  });
  it('describe every kind of tunable as JSON schema', () => {
    const say = { label: 'L', help: 'h.' };
    expect(toJsonSchema({ ...say, kind: 'int', default: 1, min: 0, max: 9 })).toEqual({ type: 'integer', minimum: 0, maximum: 9, default: 1, markdownDescription: 'L. h.' });
    expect(toJsonSchema({ ...say, kind: 'float', default: 1, min: 0, max: 9 })).toMatchObject({ type: 'number' });
    expect(toJsonSchema({ ...say, kind: 'choice', default: 'a', options: ['a', 'b'] })).toMatchObject({ type: 'string', enum: ['a', 'b'] });
    expect(toJsonSchema({ ...say, kind: 'flag', default: true })).toMatchObject({ type: 'boolean', default: true });
  });
});

describe('generating', () => {
  it('changes our keys where they stand and leaves the rest of package.json as it is', () => {
    const before = `${JSON.stringify({ name: 'x', contributes: { old: 1 }, scripts: { test: 't' }, dependencies: { a: '1.0.0' } }, undefined, 2)}\n`;
    const after = withContributions(before), parsed = JSON.parse(after) as Record<string, unknown>;
    expect(Object.keys(parsed)).toEqual(['name', 'contributes', 'activationEvents', 'capabilities', 'scripts', 'dependencies']);
    expect(parsed.contributes).toEqual(JSON.parse(JSON.stringify(contributes)));
    expect(withContributions(after)).toBe(after);
  });
  it('fills the tables between markers, and only those it knows', () => {
    const text = 'before\n<!-- generated: commands -->\nold\n<!-- end -->\nafter <!-- generated: other -->\nkept\n<!-- end -->\n';
    const filled = withTables(text);
    expect(filled).toContain('| **AttnScope: Trace Attention** |');
    expect(filled).not.toContain('\nold\n');
    expect(filled).toContain('kept');
    expect(withTables(filled)).toBe(filled);
  });
  it('writes what is stale, once; and says which member of a family has no constant of its type', () => {
    const root = mkdtempSync(join(tmpdir(), 'attnscope-generate-'));
    folders.push(root);
    writeFileSync(join(root, 'package.json'), '{"name":"x","scripts":{}}');
    for (const folder of ['sites/patterns', 'metrics', 'verdicts']) mkdirSync(join(root, 'extension/engine', folder), { recursive: true });
    mkdirSync(join(root, 'extension/source/export-script/recipes'), { recursive: true });
    const [folder, file] = ['extension/engine/metrics', 'extension/engine/metrics/two-words.ts'];
    writeFileSync(join(root, file), "export const twoWords: Metric = { id: 'two-words' };\n");
    expect(staleGenerated(root)).toEqual(['package.json', `${folder}/registry.ts`]);
    expect(generate(root)).toEqual(['package.json', `${folder}/registry.ts`]);
    expect(readFileSync(join(root, folder, 'registry.ts'), 'utf8')).toContain("import { twoWords } from './two-words.ts';");
    expect(staleGenerated(root)).toEqual([]);
    writeFileSync(join(root, file), 'export const other = 1;\n');
    expect(() => generated(root)).toThrow(`${file} must export exactly one constant of type Metric; found 0.`);
  });
});
