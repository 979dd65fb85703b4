/** `attnscope map`: a picture or table of one head. */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../../../contract/errors.ts';
import { parseHead } from '../../../contract/site.ts';
import { openTrace } from '../../trace/open.ts';
import { runJob } from '../job.ts';
import { UsageError, type Command } from './command.ts';

export const map: Command = {
  usage: 'map FILE.attntrace --head L3H1 [--batch N] --out F.png|F.csv',
  options: { out: { type: 'string' }, head: { type: 'string' }, batch: { type: 'string' } },
  run: async (args, terminal) => {
    const file = resolve(args.one('trace')), given = args.text('out'), label = args.text('head'), batch = args.count('batch') ?? 0;
    if (!given) throw new UsageError('--out F.png or --out F.csv is missing.');
    if (label === undefined) throw new UsageError('--head is missing; it looks like L3H1.');
    const head = parseHead(label);
    if (!head) throw new UsageError(`--head must look like L3H1, 3.1 or vision.L3H1; found "${label}".`);
    const trace = openTrace(file);
    trace.close();
    const site = trace.manifest.sites.find(one => one.stack === head.stack && one.kind === head.kind && one.layer === head.layer && Number(/attn\.(\d+)$/.exec(one.name)?.[1] ?? 0) === head.nth);
    if (!site) throw new UserError(`There is no head ${label} in ${file}.`, `Its sites: ${trace.manifest.sites.slice(0, 12).map(one => one.name).join(', ')}${trace.manifest.sites.length > 12 ? ', …' : ''}.`);
    const out = resolve(given);
    try { await runJob({ kind: 'map', file, head: { site: site.name, batch, head: head.head }, out }, { signal: terminal.signal }); } finally { if (terminal.signal.aborted) rmSync(`${out}.part`, { force: true }); }
    terminal.out(out);
  },
};
