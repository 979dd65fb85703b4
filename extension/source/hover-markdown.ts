/** Writes a hover as Markdown: numbers, evidence, and thumbnails that open their head, as many as VS Code's limit lets through. */
import { headLabel, siteLabel, type Site } from '../contract/site.ts';
import type { HeadStats } from '../contract/trace.ts';
import type { Hover } from './hovers.ts';
import { code } from './code.ts';
import { measuredTitle, sinkThreshold, type TraceInfo } from './lenses.ts';

/** VS Code cuts Markdown at 100,000 characters, in the middle of whatever stands there. */
export const maxHoverCharacters = 100_000;
const maxSinks = 5;
const imagePixels = 40;
/** A bigger picture is no thumbnail: its head is named instead. */
const maxPictureCharacters = 12_000;

export interface HoverTrace extends TraceInfo {
  /** Path of the trace, for the links. */
  readonly trace: string;
  readonly sites: readonly Site[];
}

const evidenceWords: Readonly<Record<Hover['level'], string>> = { 'stack-trace': 'stack trace', 'class-hierarchy': 'class', 'node-path': 'module path', initializer: 'weight names', none: 'nothing' };

/** `data:` URI of a head's picture; undefined when there is none (yet). */
export type Thumbnail = (site: string, head: number, batch: number) => string | undefined;

/**
 * Markdown for a trusted MarkdownString whose only enabled command is `attnscope.openHead`.
 * Names from models and files stand in code spans, so that nothing in them is markup. Heads of sample `batch` (0) are shown, sinks first when not all fit.
 */
export function hoverMarkdown(hover: Hover, trace: HoverTrace | undefined, thumbnail: Thumbnail = () => undefined, batch = 0): string {
  const evidence = hover.how.join(' ');
  const classes = hover.classes.slice(0, 4).map(code).join(', ');
  const head = `**AttnScope** ${classes}`;
  if (!trace) return `${head}\n\n${plural(hover.sites.length, 'attention site')}, not traced yet.\n\n${evidence}`;
  const sites = trace.sites.filter(s => hover.sites.includes(s.name));
  const heads = sites.flatMap(site => (trace.heads[site.name] ?? []).filter(h => h.batch === batch).map(stats => ({ site, stats })));
  const strongest = heads.toSorted((a, b) => b.stats.sink - a.stats.sink);
  const link = (site: Site, stats: HeadStats, text: string): string => `[${text}](${openHead(trace.trace, site.name, stats)})`;
  const sinks = strongest.filter(h => h.stats.sink > sinkThreshold).slice(0, maxSinks);
  const top = [
    head,
    `${measuredTitle(sites.map(s => s.name), trace)}${trace.stale === undefined ? '' : ` (stale: ${code(trace.stale)})`} · found by ${evidenceWords[hover.level]}`,
    ...(sinks.length > 0 ? [`Strongest sinks: ${sinks.map(({ site, stats }) => `${link(site, stats, headLabel(site, stats.head))} ${stats.sink.toFixed(2)} on token ${stats.sinkKey}`).join(', ')}`] : []),
  ].join('\n\n');
  const bottom = evidence;

  // The pictures get what is left; the sentence about those left out has its place kept.
  let room = maxHoverCharacters - top.length - bottom.length - 200 - sites.length * 60;
  const shown = new Map<Site, { readonly head: number; readonly text: string }[]>();
  let left = 0;
  for (const { site, stats } of strongest) {
    const picture = thumbnail(site.name, stats.head, stats.batch);
    const label = headLabel(site, stats.head);
    const safe = picture !== undefined && picture.length <= maxPictureCharacters && /^data:image\/(png|svg\+xml)[;,][^\s()<>"|]*$/.test(picture);
    const text = link(site, stats, safe ? `![${label}](${picture}|width=${imagePixels},height=${imagePixels} "${label}: sink ${stats.sink.toFixed(2)} on token ${stats.sinkKey}, entropy ${stats.patternEntropy.toFixed(2)}")` : label);
    if (text.length + 1 > room) { left++; continue; }
    room -= text.length + 1;
    const list = shown.get(site);
    if (list) list.push({ head: stats.head, text }); else shown.set(site, [{ head: stats.head, text }]);
  }
  const rows = sites.filter(s => shown.has(s)).map(s => `${siteLabel(s)} ${shown.get(s)!.toSorted((a, b) => a.head - b.head).map(h => h.text).join(' ')}`);
  const more = left > 0 ? [`${plural(left, 'more head')} ${left === 1 ? 'does' : 'do'} not fit here; the trace shows them all.`] : [];
  return [top, ...rows, ...more, bottom].filter(Boolean).join('\n\n');
}

/** `command:` link that the host answers by showing the head. */
function openHead(trace: string, site: string, stats: HeadStats): string {
  const args = encodeURIComponent(JSON.stringify([{ trace, site, head: stats.head, batch: stats.batch }]));
  // Parentheses end a Markdown link.
  return `command:attnscope.openHead?${args.replace(/[()']/g, c => `%${c.charCodeAt(0).toString(16)}`)}`;
}

function plural(n: number, what: string): string { return `${n} ${what}${n === 1 ? '' : 's'}`; }
