/** `attnscope pattern`: the probabilities (or scores) of the chosen cells as float32. */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { runJob } from '../job.ts';
import { UsageError, type Command } from './command.ts';

export const pattern: Command = {
  usage: 'pattern FILE.attntrace --out F.safetensors [--site NAME]… [--head N] [--rows a:b] [--cols a:b] [--scores]',
  options: { out: { type: 'string' }, site: { type: 'string', multiple: true }, head: { type: 'string' }, rows: { type: 'string' }, cols: { type: 'string' }, scores: { type: 'boolean' } },
  run: async (args, terminal) => {
    const given = args.text('out'), file = resolve(args.one('trace'));
    if (!given) throw new UsageError('--out F.safetensors is missing.');
    const out = resolve(given), head = args.count('head'), rows = args.range('rows'), cols = args.range('cols');
    terminal.status('Probabilities …');
    try {
      await runJob({ kind: 'pattern', request: { file, out, sites: args.list('site'), scores: args.flag('scores'), ...(head === undefined ? {} : { head }), ...(rows ? { rows } : {}), ...(cols ? { cols } : {}) } }, { signal: terminal.signal });
    } finally { if (terminal.signal.aborted) rmSync(`${out}.part`, { force: true }); }
    terminal.status(undefined);
    terminal.out(out);
  },
};
