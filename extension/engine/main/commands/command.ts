/** What every command of `attnscope` is made of, and how its arguments are read. */
import { join, resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';

export type OptionTable = NonNullable<ParseArgsConfig['options']>;

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) { super(message); this.name = 'UsageError'; }
}

export interface Terminal {
  readonly out: (text: string) => void;
  /** Shown while something runs, on a terminal only; undefined clears it. */
  readonly status: (text: string | undefined) => void;
  readonly signal: AbortSignal;
}

export interface Command {
  /** `trace MODEL --out FILE.attntrace …` */
  readonly usage: string;
  readonly options: OptionTable;
  run(args: Arguments, terminal: Terminal): Promise<void>;
}

export interface Arguments {
  /** The only positional argument; what it is called is for the sentence. Errors: `UsageError`. */
  one(what: string): string;
  /** The two positional arguments there must be. Errors: `UsageError`. */
  two(what: string): readonly [string, string];
  text(name: string): string | undefined;
  flag(name: string): boolean;
  list(name: string): readonly string[];
  /** A whole number of at least 0. Errors: `UsageError`. */
  count(name: string): number | undefined;
  /** `a:b` as a half-open range; either end may be left out. Errors: `UsageError`. */
  range(name: string): readonly [number, number | undefined] | undefined;
  /** Errors: `UsageError` when it is none of `values`. */
  choice<const T extends string>(name: string, values: readonly T[]): T | undefined;
}

/** Errors: `UsageError`. */
export function readArguments(argv: readonly string[], options: OptionTable): Arguments {
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try { parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true }); }
  catch (error) { throw new UsageError((error as Error).message.split('. ')[0].replace(/\.?$/, '.')); }
  const { values, positionals } = parsed, text = (name: string): string | undefined => values[name] as string | undefined;
  return {
    one: what => {
      if (positionals.length !== 1) throw new UsageError(positionals.length ? `Only one ${what} can be given; found ${positionals.length}.` : `The ${what} is missing.`);
      return positionals[0];
    },
    two: what => {
      if (positionals.length !== 2) throw new UsageError(`Two ${what} are needed; found ${positionals.length}.`);
      return [positionals[0], positionals[1]];
    },
    text, flag: name => values[name] === true, list: name => (values[name] as string[] | undefined) ?? [],
    count: name => {
      const given = text(name);
      if (given === undefined) return undefined;
      if (!/^\d{1,15}$/.test(given)) throw new UsageError(`--${name} must be a whole number; found "${given}".`);
      return Number(given);
    },
    range: name => {
      const given = text(name), match = given === undefined ? undefined : /^(\d{0,15}):(\d{0,15})$/.exec(given);
      if (match === undefined) return undefined;
      if (!match) throw new UsageError(`--${name} must be a range like 0:64; found "${given}".`);
      return [Number(match[1] || 0), match[2] ? Number(match[2]) : undefined];
    },
    choice: (name, choices) => {
      const given = text(name);
      if (given !== undefined && !choices.includes(given as never)) throw new UsageError(`--${name} must be one of ${choices.join(', ')}; found "${given}".`);
      return given as never;
    },
  };
}

/** The model that a command names: an .onnx file, or a folder, in which `--file` may name the weight file. */
export function modelPath(args: Arguments): string {
  const model = resolve(args.one('model')), file = args.text('file');
  return file === undefined ? model : join(model, file);
}

/** Columns padded to equal widths, two blanks apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(cell.length, most[i] ?? 0)), []);
  return rows.map(row => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]))).join('  ')).join('\n');
}
