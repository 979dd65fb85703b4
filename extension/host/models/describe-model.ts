/** What the Models view says of a model, in the words of its rows; pure. */
import { basename, dirname, relative } from 'node:path';
import { layersText } from '../../contract/layers.ts';
import type { RefusedSite, Site, SitesReport } from '../../contract/site.ts';
import type { TraceSummary } from '../../contract/api.ts';
import { bytesText } from '../bytes-text.ts';
import type { FoundModel, ModelGroup } from './discover.ts';
import { roleOf, typeOfVariant } from '../../contract/model-role.ts';

/** What is known of a model beyond its name and size. */
export interface Known {
  /** Its sites; a sentence when it cannot be read; undefined: not looked at yet. */
  readonly sites?: SitesReport | string;
  /** Its newest trace. */
  readonly last?: TraceSummary;
  /** Why that trace does not fit the model any more. */
  readonly stale?: string;
}

export interface ModelText {
  readonly label: string;
  readonly description: string;
  /** Markdown without HTML. */
  readonly tooltip: string;
  /** For screen readers: the row in words. */
  readonly spoken: string;
  readonly state: 'ok' | 'failed' | 'stale' | 'untraced' | 'unreadable' | 'no-attention';
}

/** One model: `6 sites · parity 2.5e-6 · 7.1 MB · fp32`, and where it lies below `folder`: its group's, or the workspace's for lone files. */
export function modelText(model: FoundModel, folder: string, known: Known): ModelText {
  const report = typeof known.sites === 'object' ? known.sites : undefined, problem = typeof known.sites === 'string' ? known.sites : undefined;
  const bytes = report ? report.model.bytes + (report.model.dataFiles ?? []).reduce((sum, file) => sum + file.bytes, 0) : model.bytes, dtype = report?.model.dtype ?? typeOfVariant(roleOf(model.path));
  const parity = known.last && parityText(known.last), state = stateOf(known, report, problem);
  const parts = [
    problem === undefined ? report && (report.sites.length ? counted(report.sites.length, 'site') : 'no attention') : 'cannot be read',
    known.stale !== undefined ? 'stale' : parity, bytesText(bytes), dtype, relative(folder, dirname(model.path)) || undefined,
  ].filter(part => part !== undefined);
  const label = basename(model.path);
  return { label, description: parts.join(' · '), tooltip: tooltip(model, known, { report, problem, bytes, dtype }), spoken: [label, ...parts].join(', '), state };
}

/** A folder: its name, and what it holds. */
export function groupText(group: ModelGroup, workspace: string | undefined): { readonly label: string; readonly description: string; readonly tooltip: string } {
  const where = workspace === undefined ? group.folder : relative(workspace, group.folder);
  return {
    label: basename(group.folder),
    description: [...(group.models.length ? [] : ['no ONNX yet']), group.card?.architecture].filter(Boolean).join(' · '),
    tooltip: [`**${escaped(where || basename(group.folder))}**`, ...(group.card ? [`Architecture: ${escaped(group.card.architecture)}${group.card.type ? ` (${escaped(group.card.type)})` : ''}`] : []),
      group.models.length ? `${counted(group.models.length, 'ONNX file')}` : 'Weights without an ONNX export: export the model to trace it.'].join('  \n'),
  };
}

/** `blocks.3.attn`: `8/4 heads × 32 · causal`; query heads, and key/value heads where they are fewer. */
export function siteText(site: Site): { readonly label: string; readonly description: string; readonly tooltip: string } {
  const heads = site.heads === null ? '? heads' : site.kvHeads !== null && site.kvHeads !== site.heads ? `${site.heads}/${site.kvHeads} heads` : counted(site.heads, 'head');
  const { mask, source } = site, rules = [mask.causal && 'causal', mask.window !== null && 'window', mask.padding && 'padding', mask.additive && 'bias', site.softcap && 'softcap'].filter(Boolean);
  return {
    label: site.name,
    description: [`${heads} × ${site.headDim ?? '?'}`, rules.join(', ') || 'no mask'].join(' · '),
    tooltip: [`**${escaped(site.name)}**`, ...(site.kvHeads !== null && site.kvHeads !== site.heads ? [`${site.heads ?? '?'} query heads on ${site.kvHeads} key/value heads, of ${site.headDim ?? '?'} numbers`] : []), `Operator: ${escaped(site.operator)} at ${escaped(site.node || '(a node without a name)')}`, `Form: ${site.form}, ${site.kind}; captured from ${site.capture === 'graph' ? 'the graph' : site.capture === 'recomputed' ? 'q and k' : 'the softmax only'}`,
      ...(source.class ?? source.module ? [`Source: ${escaped(source.class ?? '')} ${escaped(source.module ?? '')}`] : [])].join('  \n'),
  };
}

export function refusedText(refused: RefusedSite): { readonly label: string; readonly description: string; readonly tooltip: string } {
  return { label: refused.operator, description: 'not read', tooltip: `${escaped(refused.node || '(a node without a name)')}: ${escaped(refused.reason)}` };
}

/** `parity 2.5e-6`, or how many sites failed. Undefined where nothing could be compared. */
export function parityText({ parity }: Pick<TraceSummary, 'parity'>): string | undefined {
  if (parity.failed > 0) return `parity failed at ${counted(parity.failed, 'site')}`;
  return parity.worst === null ? undefined : `parity ${exponent(parity.worst)}`;
}

/** The folder of the workspace that a path lies in, nearest first. */
export function workspaceOf(path: string, roots: readonly string[]): string | undefined {
  return roots.filter(root => !relative(root, path).startsWith('..')).sort((a, b) => b.length - a.length)[0];
}

export function counted(count: number, one: string): string { return `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`; }

function stateOf({ last, stale }: Known, report: SitesReport | undefined, problem: string | undefined): ModelText['state'] {
  if (problem !== undefined) return 'unreadable';
  if (report && !report.sites.length) return 'no-attention';
  if (!last) return 'untraced';
  return stale !== undefined ? 'stale' : last.parity.failed > 0 ? 'failed' : 'ok';
}

interface Facts { readonly report: SitesReport | undefined; readonly problem: string | undefined; readonly bytes: number; readonly dtype: string | undefined }

function tooltip(model: FoundModel, { last, stale }: Known, { report, problem, bytes, dtype }: Facts): string {
  const classes = [...new Set(report?.sites.map(site => site.source.class).filter(name => name !== null))];
  const refused = report?.refused.length ? [`Not read: ${report.refused.map(one => escaped(one.operator)).slice(0, 4).join(', ')}`] : [];
  return [
    `**${escaped(basename(model.path))}** in ${escaped(dirname(model.path))}`,
    problem !== undefined ? escaped(problem) : report?.looked ? escaped(report.looked) : undefined,
    `Size: ${bytesText(bytes)}${dtype ? `, weights in ${dtype}` : ''}${report?.model.dataFiles?.length ? ` (with ${counted(report.model.dataFiles.length, 'data file')})` : ''}`,
    report?.model.producer ? `Exported by: ${escaped(report.model.producer)}; ${Object.entries(report.model.opsets).map(([domain, version]) => `${escaped(domain || 'ai.onnx')} ${version}`).join(', ')}` : undefined,
    report?.sites.length ? `Attention: ${counted(report.sites.length, 'site')}${classes.length ? ` of ${classes.slice(0, 3).map(escaped).join(', ')}` : ''}, ${rangeOf(report.sites.map(site => site.heads))} heads` : undefined,
    ...refused,
    last ? `Last trace: ${escaped(last.created.slice(0, 16).replace('T', ' '))}, ${counted(last.tokens, 'token')}${last.kept ? `, layers ${layersText(last.kept.layers)}` : ''}${parityText(last) ? `, ${parityText(last)}` : ''}` : undefined,
    stale === undefined ? undefined : `Stale: ${escaped(stale)}`,
  ].filter(line => line !== undefined).join('  \n');
}

function rangeOf(values: readonly (number | null)[]): string {
  const known = values.filter(value => value !== null), least = Math.min(...known), most = Math.max(...known);
  return known.length === 0 ? 'an unknown number of' : least === most ? `${least}` : `${least} to ${most}`;
}

/** `2.5e-6`; 0 stays 0. */
function exponent(value: number): string { return value === 0 ? '0' : value.toExponential(1).replace('.0e', 'e'); }

/** Names of strangers in Markdown: what could be markup is shown as it is. */
export function escaped(text: string): string { return text.replace(/[\\`*_{}[\]()#+\-.!|<>~$&]/g, '\\$&').replace(/\s+/g, ' ').slice(0, 600); }
