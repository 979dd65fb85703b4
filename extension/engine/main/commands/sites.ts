/** `attnscope sites`: the attention sites of a model, without running anything. */
import type { Site } from '../../../contract/site.ts';
import { reportModel } from '../../sites/report-model.ts';
import { modelPath, table, type Command } from './command.ts';

export const sites: Command = {
  usage: 'sites MODEL [--file NAME.onnx] [--json]',
  options: { file: { type: 'string' }, json: { type: 'boolean' } },
  run: async (args, terminal) => {
    const report = await reportModel(modelPath(args));
    if (report.looked) process.stderr.write(`${report.looked}\n`);
    if (args.flag('json')) { terminal.out(JSON.stringify(report)); return; }
    if (report.sites.length) terminal.out(table([['site', 'heads', 'dim', 'mask', 'operator', 'source'], ...report.sites.map(row)]));
    for (const { node, operator, reason } of report.refused) terminal.out(`not read: ${operator} ${node}: ${reason}`);
    terminal.out(`${report.sites.length} ${report.sites.length === 1 ? 'site' : 'sites'} in ${report.model.file} (${report.model.nodes} nodes, ${report.model.producer || 'unknown exporter'})`);
  },
};

function row(site: Site): readonly string[] {
  const { mask, source } = site;
  const heads = site.heads === null ? '?' : site.kvHeads !== null && site.kvHeads !== site.heads ? `${site.heads}/${site.kvHeads}` : `${site.heads}`;
  const rules = [mask.causal && 'causal', mask.window !== null && 'window', mask.padding && 'padding', mask.additive && 'bias'].filter(Boolean).join(' ');
  return [site.name, heads, `${site.headDim ?? '?'}`, rules || 'none', site.operator, source.class ?? source.module ?? '-'];
}
