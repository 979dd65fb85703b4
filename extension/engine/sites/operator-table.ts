/** OPERATORS.md, written from what the patterns say of themselves: every attention operator, how it is read, run and compared, or why not. */
import type { OperatorRow } from './operator-row.ts';
import { patterns } from './patterns/registry.ts';

/** Every row, by operator. */
export function operatorRows(): readonly OperatorRow[] {
  return patterns.flatMap(pattern => pattern.operators).toSorted((a, b) => (a.operator < b.operator ? -1 : 1));
}

/** The committed table. */
export function operatorTable(): string {
  const read = operatorRows().filter(row => row.compared !== null), others = operatorRows().filter(row => row.compared === null);
  const refusals = read.flatMap(row => row.refused.map(({ form, sentence }) => [code(row.operator), form, sentence]));
  return [
    '# Attention operators', '',
    'Written by `npm run generate` from `sites/patterns`; `test/unit/sites/operators.test.ts` checks every sentence of refusal against a model that gets it, and that what is called compared has a fixture that runs.', '',
    '## Read', '', ...table(['operator', 'recognised', 'run', 'compared with'], read.map(row => [code(row.operator), row.recognised, row.run, row.compared!])), '',
    '## Forms of these that are refused', '', ...table(['operator', 'form', 'sentence'], refusals), '',
    '## Refused', '', ...table(['operator', 'recognised', 'run', 'sentence'], others.map(row => [code(row.operator), row.recognised, row.run, row.refused.map(({ sentence }) => sentence).join(' ')])), '',
  ].join('\n');
}

const code = (text: string): string => `\`${text}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '--')), ...rows.map(line)];
}
