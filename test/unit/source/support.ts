/** Shared by the source tests: the parser, the Python fixtures as documents, and sites as an exporter would describe them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Site, SiteSource } from '../../../extension/contract/site.ts';
import { createRequire } from 'node:module';
import { createPythonParser } from '../../../extension/source/python-parser.ts';
import type { PythonClass, SourceDocument, TextRange } from '../../../extension/source/python-module.ts';

export const wasmFiles = (() => {
  const require = createRequire(import.meta.url);
  return { runtimeWasm: require.resolve('web-tree-sitter/web-tree-sitter.wasm'), grammarWasm: require.resolve('tree-sitter-python/tree-sitter-python.wasm') };
})();
export const { parse: parsePython } = await createPythonParser(wasmFiles);

export function fixtureText(name: string): string { return readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8'); }
export const demoFile = join(import.meta.dirname, '../../../media/demo/model.py');

/** `at`: the path under which the host would know the file. */
export async function document(text: string, at: string): Promise<SourceDocument> { return { path: at, text, module: parsePython(text) }; }
export async function fixture(name: string): Promise<SourceDocument> { return document(fixtureText(name), `/home/me/project/${name}`); }

export function classOf(documents: SourceDocument | readonly SourceDocument[], name: string): PythonClass {
  const found = [documents].flat().flatMap(d => (d as SourceDocument).module.classes).find(c => c.qualifiedName === name);
  if (!found) throw new Error(`no class ${name}`);
  return found;
}

/** The text that a range covers. */
export function textAt(text: string, { start, end }: TextRange): string {
  const lines = text.split('\n').slice(start.line, end.line + 1);
  lines[lines.length - 1] = lines[lines.length - 1].slice(0, end.column);
  lines[0] = lines[0].slice(start.column);
  return lines.join('\n');
}
/** Position of the first occurrence of `needle`, plus `offset` columns. */
export function positionOf(text: string, needle: string, offset = 0): { line: number; column: number } {
  const index = text.indexOf(needle);
  if (index < 0) throw new Error(`no ${needle}`);
  const before = text.slice(0, index).split('\n');
  return { line: before.length - 1, column: before[before.length - 1].length + offset };
}
/** 1-based line of the first occurrence, as exporters write it. */
export function lineOf(text: string, needle: string): number { return positionOf(text, needle).line + 1; }

export function site(layer: number, source: Partial<SiteSource>, node = 'node_Softmax_3'): Site {
  return {
    name: `blocks.${layer}.attn`, stack: 'main', layer, kind: 'self', form: 'dense', heads: 4, kvHeads: 4, headDim: 8, valueDim: 8,
    mask: { causal: true, window: null, padding: false, additive: false }, scale: 0.35, softcap: null, sinkLogit: false, operator: 'Softmax', node, capture: 'graph',
    taps: { q: null, k: null, v: null, probs: null, out: null },
    source: { module: null, class: null, file: null, line: null, level: 'none', ...source },
  };
}
/** A site of the TorchScript exporter: `/layers.0/attn/Softmax`. */
export function nodeSite(layer: number, node: string): Site {
  return site(layer, { module: node.split('/').filter(Boolean).slice(0, -1).join('.'), level: 'node-path' }, node);
}
