/** Compare Traces…: two that are selected, the open one and another, or any two. */
import { basename } from 'node:path';
import { UserError } from '../../contract/errors.ts';
import { askTrace } from '../ask-trace.ts';
import { traceFiles } from './argument.ts';
import type { Handler } from './handler.ts';

export const compareTraces: Handler = async (host, argument, more) => {
  const selected = traceFiles(more), given = selected.length > 1 ? selected : traceFiles(argument);
  if (given.length > 2) throw new UserError(`Two traces can be compared at a time; ${given.length} are selected.`, 'Select two.');
  const a = given[0] ?? host.editor.active ?? await askTrace(host.session, { title: 'Compare Traces: A', placeHolder: 'The trace to start from, newest first' });
  if (a === undefined) return;
  const b = given[1] ?? await askTrace(host.session, { title: `Compare Traces: ${basename(a)} with B`, placeHolder: 'The trace to compare it with, newest first', without: a });
  if (b !== undefined) host.compare.open(a, b);
};
