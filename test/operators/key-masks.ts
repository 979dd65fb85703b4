/** The forms of an int32 mask of onnxruntime's operators, and which keys each leaves: key j of sample b for query i. */
import { ints, type Fed } from './fixture.ts';

export interface Form {
  readonly name: string;
  readonly fed: Fed;
  readonly keeps: (b: number, i: number, j: number) => boolean;
  /** Whether `sites` calls it padding; a mask that is a weight of the model is none before a run. */
  readonly padding: boolean;
  readonly traced?: { readonly padding: boolean };
}

/** Of two samples; the last query and key of each see and are seen. `keys` at least 4. */
export function maskForms(queries: number, keys: number): Readonly<Record<'lengths' | 'ends' | 'packed' | 'cells' | 'empty' | 'perQuery' | 'weight', Form>> {
  const cell = (b: number, j: number): number => ((b * 3 + j * 5) % 4 === 1 || j === keys - 1 - b ? 0 : 1), each = (f: (b: number, j: number) => number): number[] => Array.from({ length: 2 * keys }, (_, n) => f(Math.floor(n / keys), n % keys));
  const lengths = [keys - 2, keys], starts = [1, 2], square = (b: number, i: number, j: number): number => ((b + i * 2 + j * 3) % 5 === 0 && j !== (i + b) % keys ? 0 : 1);
  return {
    lengths: { name: 'lengths', fed: ints('mask', [2], lengths), keeps: (b, _, j) => j < lengths[b], padding: true },
    ends: { name: 'ends and starts', fed: ints('mask', [4], [...lengths, ...starts]), keeps: (b, _, j) => j < lengths[b] && j >= starts[b], padding: true },
    packed: { name: 'lengths with offsets behind', fed: ints('mask', [8], [...lengths, 0, queries, 2 * queries, 0, lengths[0], lengths[0] + lengths[1]]), keeps: (b, _, j) => j < lengths[b], padding: true },
    cells: { name: 'cells of keys', fed: ints('mask', [2, keys], each(cell)), keeps: (b, _, j) => cell(b, j) > 0, padding: true },
    empty: { name: 'a sample without a key', fed: ints('mask', [2, keys], each((b, j) => (b === 0 ? 0 : cell(b, j)))), keeps: (b, _, j) => b === 1 && cell(b, j) > 0, padding: true },
    perQuery: { name: 'cells of queries and keys', fed: ints('mask', [2, queries, keys], Array.from({ length: 2 * queries * keys }, (_, n) => square(Math.floor(n / keys / queries), Math.floor(n / keys) % queries, n % keys))), keeps: (b, i, j) => square(b, i, j) > 0, padding: true },
    weight: { name: 'cells that are a weight', fed: { ...ints('mask', [2, keys], each(cell)), weight: true }, keeps: (b, _, j) => cell(b, j) > 0, padding: false, traced: { padding: true } },
  };
}
