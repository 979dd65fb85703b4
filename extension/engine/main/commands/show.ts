/** `attnscope show`: sites, parity, statistics per head and verdicts of a trace. */
import { resolve } from 'node:path';
import { headLabel } from '../../../contract/site.ts';
import { showReport } from '../../analysis/report.ts';
import { openTrace } from '../../trace/open.ts';
import { table, type Command } from './command.ts';

export const show: Command = {
  usage: 'show FILE.attntrace [--json]',
  options: { json: { type: 'boolean' } },
  run: async (args, terminal) => {
    const trace = openTrace(resolve(args.one('trace')));
    trace.close();
    const { manifest } = trace, report = showReport(manifest);
    if (args.flag('json')) { terminal.out(JSON.stringify(report)); return; }
    const several = manifest.input.ids.length > 1;
    const rows = manifest.sites.flatMap(site => (manifest.heads[site.name] ?? []).map(head => [
      `${headLabel(site, head.head)}${several ? ` [${head.batch}]` : ''}`, head.sink.toFixed(3), String(head.sinkKey), head.patternEntropy.toFixed(2), head.prevTokenScore.toFixed(3), head.selfAttentionScore.toFixed(3), head.inductionScore.toFixed(3), head.qkDistance.toFixed(1), head.maxProb.toFixed(3),
    ]));
    terminal.out(table([['site', 'parity', 'of', 'tolerance'], ...report.sites.map(({ name, parity }) => [name, parity.ok === null ? 'not compared' : `${parity.ok ? 'ok' : 'FAILED'} ${parity.maxAbs?.toExponential(1) ?? 'not finite'}`, parity.of, parity.ok === true ? parity.tolerance.toExponential(1) : `${parity.tolerance.toExponential(1)}  ${parity.why ?? ''}`])]));
    if (rows.length) terminal.out(`\n${table([['head', 'sink', 'at', 'entropy', 'previous', 'self', 'induction', 'distance', 'max'], ...rows])}`);
    if (report.verdicts.length) terminal.out(`\n${report.verdicts.map(verdict => verdict.text).join('\n')}`);
  },
};
