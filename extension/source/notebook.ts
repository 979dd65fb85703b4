/** The Python cells of a notebook as one text, so that a class of one cell is known in the next; and back from its lines to cells. */

/** Lines that IPython reads and Python does not: `%time`, `!pip install`, `?help`. */
const magic = /^(\s*)[%!?]/;

export interface JoinedCells {
  readonly text: string;
  /** 0-based line of the text at which each cell starts. */
  readonly starts: readonly number[];
}

/** Columns and lines stay: of a magic line the first character becomes a comment; a cell that starts with `%%` (other than `%%time` and the like) is no Python at all. */
export function joinCells(cells: readonly string[]): JoinedCells {
  const starts: number[] = [];
  const lines: string[] = [];
  for (const cell of cells) {
    starts.push(lines.length);
    const own = cell.split(/\r?\n/);
    const foreign = /^%%(?!(time|timeit|capture|prun)\b)/.test(own.find(line => line.trim())?.trimStart() ?? '');
    for (const line of own) lines.push(foreign ? '' : line.replace(magic, '$1#'));
  }
  return { text: lines.join('\n'), starts };
}
