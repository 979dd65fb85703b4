/** Every context key of ours that a `when` clause may read, and what is true while it is. */

export const contextKeys = {
  'attnscope.active': 'The extension was started in this window.',
  'attnscope.tracing': 'A model is being traced, or one that changed waits to be.',
  'attnscope.traced': 'This workspace remembers a trace.',
} as const;

export type ContextKey = keyof typeof contextKeys;
