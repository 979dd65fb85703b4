#!/usr/bin/env node
/** `attnscope`: the engine without an editor. Results on stdout, errors on stderr, progress on stderr only where it is a terminal. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { Cancelled, PeerGone, UserError } from '../../contract/errors.ts';
import { UsageError, readArguments, type Command, type Terminal } from './commands/command.ts';
import { doJob } from './do-job.ts';

/** Each command is loaded when it is asked for: none pays for the others. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  sites: async () => (await import('./commands/sites.ts')).sites,
  trace: async () => (await import('./commands/trace.ts')).trace,
  show: async () => (await import('./commands/show.ts')).show,
  diff: async () => (await import('./commands/diff.ts')).diff,
  pattern: async () => (await import('./commands/pattern.ts')).pattern,
  map: async () => (await import('./commands/map.ts')).map,
};

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') { process.stdout.write(await usage()); return name === undefined ? 2 : 0; }
  const controller = new AbortController();
  // Whoever reads has seen enough, as `| head` does.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => { if (error.code === 'EPIPE') process.exit(0); throw error; });
  process.on('SIGINT', () => { controller.abort(); setTimeout(() => process.exit(130), 900).unref(); });
  process.on('SIGTERM', () => { controller.abort(); setTimeout(() => process.exit(143), 900).unref(); });
  try {
    const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!load) throw new UsageError(`There is no command "${name}"; there are ${Object.keys(commands).join(', ')}.`);
    const command = await load();
    try { await command.run(readArguments(rest, command.options), terminal(controller.signal)); }
    catch (error) {
      if (error instanceof UsageError) throw new UsageError(`${error.message}\nUsage: attnscope ${command.usage}`);
      throw error;
    }
    return controller.signal.aborted ? 130 : 0;
  } catch (error) { return report(error, controller.signal); } finally { clearStatus(); }
}

/** One sentence on stderr, and the exit code that it means. */
function report(error: unknown, signal: AbortSignal): number {
  clearStatus();
  if (signal.aborted || error instanceof Cancelled) return 130;
  if (error instanceof UsageError) { process.stderr.write(`${error.message}\n`); return 2; }
  if (error instanceof UserError) { process.stderr.write(`${error.sentence}\n`); return 1; }
  if (error instanceof PeerGone) { process.stderr.write(`${error.message} The model may be damaged or too large for this machine; nothing was written.\n`); return 1; }
  const log = join(tmpdir(), `attnscope-bug-${process.pid}.log`), stack = error instanceof Error ? error.stack ?? error.message : String(error);
  try { writeFileSync(log, `${new Date().toISOString()} node ${process.versions.node} ${process.platform}-${process.arch}\n${process.argv.slice(2).join(' ')}\n${stack}\n`); } catch { /* the sentence below still tells */ }
  process.stderr.write(`A bug of AttnScope: ${error instanceof Error ? error.message.split('\n')[0] : String(error)} (details in ${log})\n`);
  return 3;
}

async function usage(): Promise<string> {
  const lines = await Promise.all(Object.values(commands).map(async load => `  attnscope ${(await load()).usage}`));
  return `Debugs attention in ONNX transformers.\n\n${lines.join('\n')}\n\nMODEL is an .onnx file or a folder with one. Exit codes: 0 done, 1 refused, 2 wrong usage, 3 a bug of ours, 130 cancelled.\n`;
}

let shown: string | undefined;
let started = 0;
let ticking: NodeJS.Timeout | undefined;

function terminal(signal: AbortSignal): Terminal {
  return {
    signal,
    out: text => { process.stdout.write(`${text}\n`); },
    status: text => {
      if (!process.stderr.isTTY) return;
      if (text === undefined) { clearStatus(); return; }
      if (shown === undefined) started = Date.now();
      shown = text;
      draw();
      ticking ??= setInterval(draw, 200).unref();
    },
  };
}

function draw(): void { process.stderr.write(`\r\x1b[K${shown} ${((Date.now() - started) / 1000).toFixed(1)} s`); }

function clearStatus(): void {
  clearInterval(ticking);
  ticking = undefined;
  if (shown !== undefined) process.stderr.write('\r\x1b[K');
  shown = undefined;
}

if (isMainThread) void main(process.argv.slice(2)).then(code => { process.exitCode = code; });
else void doJob();
