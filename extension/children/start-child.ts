/** Starts one child process, waits for its greeting, and turns its death into a reason. */
import { fork, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { UserError } from '../contract/errors.ts';
import type { Hello } from '../contract/api.ts';
import type { Port } from '../contract/rpc.ts';
import { misfit, parseGreeting, wireSample, wireVariable } from './handshake.ts';

export interface ChildOptions {
  readonly role: Hello['role'];
  /** Absolute path of the bundle to run. */
  readonly script: string;
  /** Node.js to run it on; this process's own when not given. */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Lines that the child prints to stderr, and to stdout after its greeting. */
  readonly onLog?: (line: string) => void;
  /** How long the child may take to greet. */
  readonly greetingMs?: number;
}

export interface Child {
  readonly port: Port;
  readonly hello: Hello;
  readonly pid: number;
  /** Ends it at once; `closed` resolves with `reason`. */
  kill(reason: string): void;
  /** Resolves with a sentence that says why it is gone. */
  readonly closed: Promise<string>;
}

/**
 * Forks `script`. Errors: `UserError` when it cannot be started, is of another version, writes messages that this V8 cannot read, or
 * stays silent. Messages go through the fork's channel only after the greeting showed that both ends can read them.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { role, script, onLog = () => undefined } = options, node = options.node || process.execPath;
  const remedy = 'Check the setting attnscope.engine.node, or reinstall AttnScope.';
  let process_: ChildProcess;
  try {
    // No inherited flags: some editors pass flags to their own runtime that end a plain Node at once.
    process_ = fork(script, [], {
      execPath: node, execArgv: [], serialization: 'advanced', stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: '', ...options.env, [wireVariable]: wireSample() },
    });
  } catch (error) { throw new UserError(`The ${role} could not be started on ${node}: ${(error as Error).message}.`, remedy); }
  let reasonToKill: string | undefined, failure: string | undefined;
  const closed = new Promise<string>(resolve => {
    process_.on('error', error => { failure ??= error.message; if (process_.pid === undefined) resolve(`The ${role} could not be started: ${error.message}.`); });
    process_.on('exit', (code, signal) => resolve(reasonToKill ?? stopped(role, code, signal)));
  });
  const tail: string[] = [];
  eachLine(process_.stderr, line => { tail.push(line); if (tail.length > 5) tail.shift(); onLog(line); });
  const greeted = firstLine(process_.stdout, onLog);
  const waiting = options.greetingMs ?? 10_000;
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>(resolve => { timer = setTimeout(() => resolve(undefined), waiting); });
  const first = await Promise.race([greeted.then(line => ({ line })), closed.then(reason => ({ reason })), silence]);
  clearTimeout(timer);
  const fail = (why: string): never => {
    process_.kill('SIGKILL');
    throw new UserError(`The ${role} could not be started on ${node}: ${why}.`, remedy);
  };
  if (!first) return fail(`it said nothing for ${Math.round(waiting / 1000)} seconds`);
  if ('reason' in first) return fail([lower(first.reason), ...tail.slice(-1)].join('; '));
  const greeting = parseGreeting(first.line);
  if (!greeting) return fail(`its first line was "${first.line.slice(0, 80)}"`);
  const why = misfit(greeting, role);
  if (why) return fail(why);
  const port: Port = {
    // After its death there is nobody to write to: calls end through `closed`.
    post: message => { if (process_.connected) process_.send(message as object, error => { if (error) failure ??= error.message; }); },
    listen: on => { process_.on('message', on); },
    closed,
  };
  const { wire: _, reads: __, ...hello } = greeting;
  return { port, hello, pid: process_.pid!, closed, kill: reason => { reasonToKill ??= reason; process_.kill('SIGKILL'); } };
}

function stopped(role: string, code: number | null, signal: string | null): string {
  if (signal === 'SIGKILL') return `The ${role} stopped: it was killed (SIGKILL), perhaps because the machine ran out of memory.`;
  if (signal === 'SIGBUS') return `The ${role} stopped: a file that it was reading was cut short (SIGBUS).`;
  if (signal) return `The ${role} stopped: it ended with ${signal}.`;
  const asSignal = code !== null && code > 128 ? Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0] : undefined;
  return `The ${role} stopped with exit code ${code}${asSignal ? ` (${asSignal})` : ''}.`;
}

function lower(sentence: string): string { return sentence.replace(/^The \w+ /, 'it ').replace(/\.$/, ''); }

/** The first line of a stream; what follows goes to `rest`. */
function firstLine(stream: NodeJS.ReadableStream | null, rest: (line: string) => void): Promise<string> {
  return new Promise(resolve => {
    let seen = false;
    eachLine(stream, line => { if (seen) rest(line); else { seen = true; resolve(line); } });
  });
}

/** Lines of a stream; one longer than 64 kB is cut. */
function eachLine(stream: NodeJS.ReadableStream | null, on: (line: string) => void): void {
  let pending = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (text: string) => {
    const lines = (pending + text).split('\n');
    pending = lines.pop()!.slice(0, 65_536);
    for (const line of lines) on(line);
  });
  stream?.on('end', () => { if (pending) on(pending); });
}
