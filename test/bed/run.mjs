/** Where things are, and how the bed's scripts run other programs: with a sentence on failure, and stopping only what they started. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
export const cache = join(root, '.cache');
/** Directory for what a person may look at afterwards: screenshots, logs, reports. */
export const results = join(root, 'test-results');

export function say(line) { process.stdout.write(`${line}\n`); }

/** A failure of the bed that a person can act on; printed without a stack. */
export class BedError extends Error {}

/**
 * Runs a program and resolves with its output, or rejects with a `BedError` that names it and ends with its last lines.
 * `inherit` shows the output as it comes. `timeoutMs` ends the program by its own pid.
 */
export function run(program, args, { cwd = root, env = process.env, inherit = false, timeoutMs = 900_000 } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', inherit ? 'inherit' : 'pipe', inherit ? 'inherit' : 'pipe'], shell: process.platform === 'win32' });
    let text = '';
    const add = chunk => { text = (text + chunk).slice(-200_000); };
    child.stdout?.on('data', add);
    child.stderr?.on('data', add);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.on('error', error => { clearTimeout(timer); fail(new BedError(`${program} could not be started: ${error.message}.`)); });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return done(text);
      fail(new BedError(`${[program, ...args].join(' ').slice(0, 200)} ended with ${signal ?? code}.\n${text.split('\n').slice(-25).join('\n')}`));
    });
  });
}

/** Does `work` unless it was done before with the same `key` and `product` is still there; prints what it does and how long it took. */
export async function once({ stamp, key, product, what }, work) {
  if (existsSync(stamp) && existsSync(product) && readFileSync(stamp, 'utf8') === key) return;
  const start = Date.now();
  say(`bed: ${what} …`);
  mkdirSync(dirname(stamp), { recursive: true });
  await work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, key);
  say(`bed: ${what}: ${((Date.now() - start) / 1000).toFixed(0)} s`);
}

/** Ends a child that we started and waits until it is gone; asks first, insists after five seconds. */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise(done => child.once('exit', done));
  child.kill('SIGTERM');
  const insist = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(insist);
}
