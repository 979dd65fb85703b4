/** Finds what an exporter wrote down again: the file by the end of its path, the line by its text. */
import { pathParts } from './module-index.ts';
import type { SourceDocument } from './python-module.ts';

/** Files that IPython makes of cells: `/tmp/ipykernel_4711/1234.py`, `<ipython-input-3-0a1b>`. */
const cellFile = /(^|[\\/])ipykernel_\d+[\\/][^\\/]+\.py$|^<ipython-input-/;

export interface FileMatch {
  readonly found: readonly SourceDocument[];
  /** How many components of the path agree; 1 is the file name alone. */
  readonly depth: number;
  /** The file was a notebook cell; `found` are all notebooks. */
  readonly cell: boolean;
}

/** Files with the longest common end of path. Of one installed file in several environments the first counts. */
export function matchFile(documents: readonly SourceDocument[], file: string): FileMatch {
  if (cellFile.test(file)) return { found: documents.filter(d => d.cells), depth: 0, cell: true };
  const wanted = pathParts(file).reverse();
  let depth = 0;
  let found: SourceDocument[] = [];
  for (const document of documents) {
    if (document.cells) continue;
    const parts = pathParts(document.path).reverse();
    let n = 0;
    while (n < wanted.length && n < parts.length && wanted[n] === parts[n]) n++;
    if (n > depth) { depth = n; found = [document]; } else if (n === depth && n > 0) found.push(document);
  }
  const first = new Map(found.toReversed().map(document => [packagePath(document.path) ?? document.path, document]));
  return { found: found.filter(document => first.get(packagePath(document.path) ?? document.path) === document), depth, cell: false };
}

/** `transformers/models/llama/modeling_llama.py`: what two environments have in common. */
function packagePath(path: string): string | undefined { return /(?:^|[\\/])(?:site|dist)-packages[\\/](.+)$/.exec(path)?.[1]; }

/**
 * Where the line that the exporter wrote stands now: there, as long as its text is the same; otherwise at the nearest line with that text.
 * Undefined when the text is gone. Without a text, or without the file's, the line is believed as it is.
 */
export function findLine(document: SourceDocument, line: number, text: string | undefined): { readonly line: number } | undefined {
  if (!text || document.text === undefined) return document.cells ? undefined : { line };
  const lines = document.text.split('\n');
  const places = document.cells ? document.cells.map(start => start + line) : [line];
  const exact = places.find(at => lines[at]?.trim() === text);
  if (exact !== undefined) return { line: exact };
  let nearest: number | undefined;
  for (const [at, each] of lines.entries()) {
    if (each.trim() === text && (nearest === undefined || Math.abs(at - line) < Math.abs(nearest - line))) nearest = at;
  }
  return nearest === undefined ? undefined : { line: nearest };
}
