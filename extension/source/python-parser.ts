/** Parses Python text and hands on what the rest of this room needs of it, as plain data. */
import { UserError } from '../contract/errors.ts';
import { extractModule } from './extract.ts';
import type { PythonModule } from './python-module.ts';
import { parseSyntax } from './python-syntax.ts';

/** Longer files are refused: no hand-written model is that long, and parsing holds the editor's extension host. */
export const maxSourceBytes = 4 * 2 ** 20;

/** What `text` says about its modules. Syntax errors are passed over: what can be read is read. @throws UserError when the text is longer than 4 MB. */
export function parsePython(text: string): PythonModule {
  if (text.length > maxSourceBytes) throw new UserError(`The Python file has ${(text.length / 2 ** 20).toFixed(1)} million characters; AttnScope reads up to ${maxSourceBytes / 2 ** 20} million.`, 'Move the model into a file of its own.');
  return extractModule(text, parseSyntax(text));
}
