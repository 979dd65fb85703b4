/** What is remembered between sessions of one workspace: latest traces, chosen models, prompts. Owner of all of it. */
import type { Prompt } from '../contract/api.ts';
import { isPrompt, typedAs } from './prompts.ts';

/** The part of VS Code's Memento that is needed; `workspaceState` is one. */
export interface Memory {
  get(key: string): unknown;
  update(key: string, value: unknown): Thenable<void>;
}

/** A class in a Python file. */
export interface SourceRef { readonly uri: string; readonly className: string }

/** The newest trace of a model, and how it was made. */
export interface LatestTrace {
  readonly model: string;
  readonly file: string;
  readonly prompt: Prompt;
  readonly createdMs: number;
  readonly source?: SourceRef;
  /** What was chosen to keep; undefined: everything, as the settings say. */
  readonly kept?: Kept;
}

/** A choice that makes a trace smaller. */
export interface Kept { readonly layers?: readonly number[]; readonly dtype?: 'fp16' | 'fp32' }

export interface Session {
  /** Newest first, one a model. */
  latest(): readonly LatestTrace[];
  /** How `file` was made, if it is the latest of its model. */
  ofFile(file: string): LatestTrace | undefined;
  record(trace: LatestTrace): void;
  forget(file: string): void;
  /** The trace lies under another name now. */
  rename(from: string, to: string): void;
  /** Traces that are never deleted to make room. */
  pins(): ReadonlySet<string>;
  pin(file: string, on: boolean): void;
  /** Model and prompt chosen for a class, else for its file; without a class, for the workspace. */
  chosen(source: SourceRef | undefined): Choice;
  choose(source: SourceRef | undefined, choice: Choice): void;
  /** The one of these models that was chosen last, for whatever source. */
  chosenAmong(models: readonly string[]): string | undefined;
  /** Prompts that were used, newest first, as typed. */
  prompts(): readonly string[];
  onDidChange(listener: () => void): { dispose(): void };
}
export interface Choice { readonly model?: string; readonly prompt?: Prompt }

const key = 'attnscope.session';
const most = { traces: 20, choices: 200, prompts: 12, promptLength: 20_000, pins: 5_000 } as const;

interface Stored {
  readonly traces: readonly LatestTrace[];
  readonly choices: readonly (readonly [key: string, choice: Choice])[];
  readonly prompts: readonly string[];
  readonly pins: readonly string[];
}

export function openSession(memory: Memory): Session {
  let stored = read(memory.get(key));
  const listeners = new Set<() => void>();
  const change = (next: Partial<Stored>): void => {
    stored = { ...stored, ...next };
    void memory.update(key, stored);
    for (const listener of listeners) listener();
  };
  return {
    latest: () => stored.traces,
    ofFile: file => stored.traces.find(trace => trace.file === file),
    // Traced again without a class: the one that it was first started from still holds.
    record: trace => {
      const source = trace.source ?? stored.traces.find(old => old.model === trace.model)?.source;
      change({ traces: [{ ...trace, ...(source && { source }) }, ...stored.traces.filter(old => old.model !== trace.model)].slice(0, most.traces) });
    },
    forget: file => {
      if (stored.traces.some(trace => trace.file === file) || stored.pins.includes(file)) change({ traces: stored.traces.filter(trace => trace.file !== file), pins: stored.pins.filter(pin => pin !== file) });
    },
    rename: (from, to) => change({ traces: stored.traces.map(trace => (trace.file === from ? { ...trace, file: to } : trace)), pins: stored.pins.map(pin => (pin === from ? to : pin)) }),
    pins: () => new Set(stored.pins),
    pin: (file, on) => change({ pins: [...(on ? [file] : []), ...stored.pins.filter(pin => pin !== file)].slice(0, most.pins) }),
    chosen: source => {
      // What was chosen last in the workspace says nothing about a class of another file: several models live side by side.
      const found = keysOf(source).slice(0, source ? -1 : undefined).map(name => stored.choices.find(([at]) => at === name)?.[1]);
      return { model: found.find(choice => choice?.model)?.model, prompt: found.find(choice => choice?.prompt)?.prompt };
    },
    choose: (source, choice) => {
      const names = keysOf(source);
      const typed = choice.prompt && choice.prompt.kind !== 'tensors' && choice.prompt.kind !== 'image' ? typedAs(choice.prompt) : undefined;
      change({
        choices: [...names.map(name => [name, choice] as const), ...stored.choices.filter(([at]) => !names.includes(at))].slice(0, most.choices),
        ...(typed !== undefined && typed.length <= most.promptLength ? { prompts: [typed, ...stored.prompts.filter(old => old !== typed)].slice(0, most.prompts) } : {}),
      });
    },
    chosenAmong: models => stored.choices.find(([, { model }]) => model !== undefined && models.includes(model))?.[1].model,
    prompts: () => stored.prompts,
    onDidChange: listener => { listeners.add(listener); return { dispose: () => listeners.delete(listener) }; },
  };
}

function keysOf(source: SourceRef | undefined): string[] {
  return source ? [`${source.uri}#${source.className}`, source.uri, ''] : [''];
}

/** Another version may have written what is there: what does not look right is dropped. */
function read(value: unknown): Stored {
  const from = (typeof value === 'object' && value !== null ? value : {}) as Partial<Record<keyof Stored, unknown>>;
  const list = (items: unknown): unknown[] => Array.isArray(items) ? items : [];
  const isTrace = (item: unknown): item is LatestTrace => isRecord(item) && typeof item.model === 'string' && typeof item.file === 'string' && isPrompt(item.prompt) && typeof item.createdMs === 'number' && (item.kept === undefined || isKept(item.kept));
  const isChoice = (item: unknown): item is readonly [string, Choice] => Array.isArray(item) && typeof item[0] === 'string' && isRecord(item[1])
    && (item[1].model === undefined || typeof item[1].model === 'string') && (item[1].prompt === undefined || isPrompt(item[1].prompt));
  return {
    traces: list(from.traces).filter(isTrace).slice(0, most.traces),
    choices: list(from.choices).filter(isChoice).slice(0, most.choices),
    prompts: list(from.prompts).filter(item => typeof item === 'string').slice(0, most.prompts),
    pins: list(from.pins).filter(item => typeof item === 'string').slice(0, most.pins),
  };
}

export function isKept(value: unknown): value is Kept {
  if (!isRecord(value)) return false;
  const { layers, dtype } = value;
  return (layers === undefined || (Array.isArray(layers) && layers.every(layer => Number.isSafeInteger(layer)))) && (dtype === undefined || dtype === 'fp16' || dtype === 'fp32');
}

function isRecord(value: unknown): value is Record<string, unknown> { return typeof value === 'object' && value !== null; }
