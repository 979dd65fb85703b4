/** Python packages for the bed's larger parts, installed with pip into folders of ours; what goes wrong is said in a sentence. */
import { mkdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { BedError, run } from './run.mjs';

/** Throws where the disk of `folder` has less than `bytes` left. `what` is about to be put there. */
export function checkDisk(folder, bytes, what) {
  mkdirSync(folder, { recursive: true });
  const { bavail, bsize } = statfsSync(folder), free = bavail * bsize;
  if (free < bytes) throw new BedError(`${what} takes ${(bytes / 1e9).toFixed(1)} GB, and ${folder} has ${(free / 1e9).toFixed(1)} GB left. Free some space, or put the checkout on a larger disk.`);
}

/** A virtual environment, emptied first. */
export async function makeVenv(folder) {
  mkdirSync(dirname(folder), { recursive: true });
  try { await run('python3', ['-m', 'venv', '--clear', folder]); } catch (error) {
    throw new BedError(/could not be started/.test(error.message) ? 'Python was not found. Install python3 (3.10 or newer) with its venv module.' : `Python could not make a virtual environment in ${folder}. Install its venv module (Debian: python3-venv).\n${lastLine(error.message)}`);
  }
}

/** `python -m pip install …args`. */
export async function pip(python, args) {
  try { await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...args], { timeoutMs: 1_800_000 }); } catch (error) { throw pipFailure(error.message, args); }
}

/** What pip's own words mean to a person. */
export function pipFailure(text, args) {
  const missing = /No matching distribution found for (\S+)/.exec(text)?.[1], wanted = args.filter(arg => !arg.startsWith('-')).join(', ');
  if (/No space left on device|Errno 28/.test(text)) return new BedError(`The disk became full while pip installed ${wanted}. Free some space and run this again.`);
  if (/Temporary failure in name resolution|Network is unreachable|NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError/.test(text)) return new BedError(`pip could not reach its package index for ${missing ?? wanted}. Check the network and pip's settings (pip config list), and run this again.`);
  if (missing) return new BedError(`pip found no ${missing} for this Python and machine. Its index may lack it, or this Python is too old or too new: 3.10 to 3.13 is known to work.`);
  if (/No module named pip/.test(text)) return new BedError('This Python has no pip. Install it (Debian: python3-pip and python3-venv).');
  if (/ended with SIGKILL/.test(text)) return new BedError(`pip was ended while it installed ${wanted}: it took over 30 minutes, or memory ran out. Run this again; what was downloaded is kept.`);
  return new BedError(`pip could not install ${wanted}: ${lastLine(text)}`);
}

function lastLine(text) { return text.trim().split('\n').filter(line => /\S/.test(line) && !/^\[notice\]/.test(line)).at(-1) ?? ''; }
