/** Open Head: shows one head of a trace; links in hovers lead here. */
import type { Handler } from './handler.ts';

export const openHead: Handler = async (host, argument) => {
  const { trace, site, head, batch } = (argument ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof trace !== 'string' || typeof site !== 'string' || typeof head !== 'number' || !trace.endsWith('.attntrace')) return;
  await host.editor.reveal(trace, { site, head, batch: typeof batch === 'number' ? batch : 0 });
};
