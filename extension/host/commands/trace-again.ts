/** Trace Again: the same model on the same prompt, for the trace named, looked at, or made last. */
import { fileOf } from './argument.ts';
import type { Handler } from './handler.ts';

export const traceAgain: Handler = async (host, argument) => {
  const file = fileOf(argument) ?? host.editor.active ?? host.session.latest()[0]?.file;
  return file === undefined ? host.tracing.trace({}) : host.editor.again(file);
};
