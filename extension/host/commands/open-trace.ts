/** Open Trace…: the one it is called on, the latest ones, those of the workspace, or any file. */
import { askTrace } from '../ask-trace.ts';
import { showTrace } from '../show-trace.ts';
import { traceFiles } from './argument.ts';
import type { Handler } from './handler.ts';

export const openTrace: Handler = async (host, argument) => {
  const [given] = traceFiles(argument), file = given ?? await askTrace(host.session, { title: 'Open Trace', placeHolder: 'Newest first' });
  if (file !== undefined) await showTrace(file);
};
