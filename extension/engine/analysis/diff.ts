/** Compares two traces: every head of every site that both have, the next tokens, and where the difference starts. */
import type { Progress } from '../../contract/api.ts';
import type { DiffSide, HeadPlace, SiteDiff, TraceDiff } from '../../contract/diff.ts';
import { UserError } from '../../contract/errors.ts';
import { headLabel, siteLabel, type Site } from '../../contract/site.ts';
import type { Manifest, Parity } from '../../contract/trace.ts';
import { pause } from '../compute/turns.ts';
import type { TraceFile } from '../trace/open.ts';
import { viewStoredSite, type SiteView } from '../trace/site-view.ts';
import { alignment } from './diff-input.ts';
import { nextTokenDiff } from './diff-next.ts';
import { roundingNoise, spread, type Noise } from './diff-noise.ts';
import { diffSentence } from './diff-sentence.ts';
import { diffSample, headGroups, wholeBytes } from './diff-site.ts';
import { realRows } from './real-rows.ts';

/** Rows a head that are compared unless all are asked for: more show nothing new, and one head of 32k tokens has half a billion cells. */
const mostRows = 512, fewestRows = 64;
/** Cells of a site that are worth their time: some seconds of one core. */
const siteCells = 2 ** 25;

export interface DiffOptions { readonly allRows?: boolean; /** As `TraceDiff.tolerance`. */ readonly tolerance?: number; /** As in diff-site.ts. */ readonly wholeBytes?: number; readonly progress?: (progress: Progress) => void; readonly signal?: AbortSignal }

/** Errors: UserError where the two have no site in common that can be compared; Cancelled. */
export async function diffTraces(a: TraceFile, b: TraceFile, { allRows = false, tolerance = 0, wholeBytes: whole = wholeBytes, progress, signal }: DiffOptions = {}): Promise<TraceDiff> {
  const between = (): Promise<void> => pause(signal), { matched, skipped } = match(a, b), aligned = alignment(a.manifest.input, b.manifest.input), sites: SiteDiff[] = [];
  if (!matched.length) throw new UserError(`${a.file} and ${b.file} have no attention site in common${skipped.length ? ` (${skipped[0].site}: ${skipped[0].reason.replace(/\.$/, '')})` : ''}.`, 'Compare two traces of one model, or of two versions of it.');
  const seqToSeq = a.manifest.sites.some(site => site.stack === 'decoder');
  let sampled = 0, fewest = Infinity, failed = 0;
  for (const [n, [viewA, viewB]] of matched.entries()) {
    progress?.({ phase: 'statistics', done: n, total: matched.length });
    await between();
    const heads: SiteDiff['heads'][number][] = [], noise: (readonly [Noise, Noise])[] = [], parity = [a.manifest.parity[viewA.name], b.manifest.parity[viewB.name]] as const;
    const groups = headGroups([viewA, viewB], whole);
    if (parity.some(one => one?.ok === false)) failed++;
    for (let sample = 0; sample < Math.min(viewA.batch, viewB.batch); sample++) {
      const realA = realRows(viewA, sample, a.manifest.input, seqToSeq), realB = realRows(viewB, sample, b.manifest.input, seqToSeq), both: number[] = [];
      for (let i = 0; i < Math.min(viewA.queries, viewB.queries); i++) if (realA[i] && realB[i]) both.push(i);
      const rows = allRows ? both : spread(both, Math.max(fewestRows, Math.min(mostRows, Math.floor(siteCells / viewA.heads / Math.max(viewA.keys, viewB.keys)))));
      if (rows.length < both.length) { sampled = Math.max(sampled, both.length); fewest = Math.min(fewest, rows.length); }
      if (!sample) noise.push([await roundingNoise(viewA, 0, rows, groups, between), await roundingNoise(viewB, 0, rows, groups, between)]);
      heads.push(...(await diffSample(viewA, viewB, sample, rows, between, whole)).map(head => ({ ...head, above: false })));
    }
    sites.push(judged(viewA, viewB, heads, noise[0], parity, tolerance));
  }
  progress?.({ phase: 'statistics', done: matched.length, total: matched.length });
  const next = nextTokenDiff(a.manifest, b.manifest), several = Math.max(a.manifest.input.ids.length, b.manifest.input.ids.length) > 1;
  const byName = new Map(matched.map(([view]) => [view.name, view.site])), place = (site: string, head: { readonly batch: number; readonly head: number }): HeadPlace => ({ site, batch: head.batch, head: head.head, label: `${headLabel(byName.get(site)!, head.head)}${several ? ` [${head.batch}]` : ''}` });
  const all = sites.flatMap(site => site.heads.map(head => ({ site, head }))), start = sites.find(site => site.heads.some(head => head.above));
  const worst = all.filter(({ head }) => head.js > 0 || head.maxAbs > 0 || (head.outputError ?? 0) > 0 || head.notFinite[0] !== head.notFinite[1]).sort((x, y) => y.head.js - x.head.js || y.head.maxAbs - x.head.maxAbs).map(({ site, head }) => place(site.name, head));
  const first = start && place(start.name, start.heads.filter(head => head.above).reduce((most, head) => (excess(start, head, tolerance) > excess(start, most, tolerance) ? head : most)));
  const notes = [
    ...aligned.notes, ...(sampled ? [`Of ${sampled} rows ${fewest} are compared, evenly spread, the first and the last among them.`] : []),
    ...(skipped.length ? [`${skipped.length} ${skipped.length === 1 ? 'site is' : 'sites are'} left out: ${skipped.slice(0, 3).map(one => `${one.site} (${one.reason.replace(/\.$/, '')})`).join(', ')}${skipped.length > 3 ? ', …' : ''}.`] : []),
    ...(failed ? [`${failed} ${failed === 1 ? 'site' : 'sites'} failed the parity check when traced; what is below the error found there does not count as a difference.`] : []),
  ];
  const found = {
    formatVersion: 1 as const, a: sideOf(a), b: sideOf(b), models: sameModels(a.manifest, b.manifest), sameInput: aligned.same, tolerance,
    identical: aligned.same && !worst.length && !skipped.length && next.every(one => one.tokens.every(token => token.a === token.b)), notes, first: first ?? null, worst, sites, skipped, next,
  };
  return { ...found, sentence: diffSentence(found, a.manifest.input) };
}

/** Sites that both have and that can be compared; for the rest, why not. */
function match(a: TraceFile, b: TraceFile): { readonly matched: readonly (readonly [SiteView, SiteView])[]; readonly skipped: { readonly site: string; readonly reason: string }[] } {
  const matched: (readonly [SiteView, SiteView])[] = [], skipped: { readonly site: string; readonly reason: string }[] = [], others = new Map(b.manifest.sites.map(site => [site.name, site]));
  const viewOf = ({ store, manifest }: TraceFile, site: Site): SiteView => viewStoredSite(store, site, manifest.masks[site.name]);
  for (const site of a.manifest.sites) {
    const other = others.get(site.name);
    others.delete(site.name);
    if (!other) { skipped.push({ site: site.name, reason: 'only A has it' }); continue; }
    const viewA = viewOf(a, site), viewB = viewOf(b, other);
    if (viewA.from === 'nothing' || viewB.from === 'nothing') skipped.push({ site: site.name, reason: 'its probabilities are not stored' });
    else if (viewA.heads !== viewB.heads) skipped.push({ site: site.name, reason: `${viewA.heads} heads in A, ${viewB.heads} in B` });
    else matched.push([viewA, viewB]);
  }
  for (const name of others.keys()) skipped.push({ site: name, reason: 'only B has it' });
  return { matched, skipped };
}

/** Floor and verdict of every head. A site that failed its parity check is not believed below the error found there. */
function judged(a: SiteView, b: SiteView, heads: readonly SiteDiff['heads'][number][], [noiseA, noiseB]: readonly [Noise, Noise], parity: readonly (Parity | undefined)[], tolerance: number): SiteDiff {
  const error = (one: Parity | undefined, of: Parity['of']): number => (one?.ok === false && one.of === of ? one.maxAbs ?? 1 : 0);
  const floor = {
    probability: Math.max(noiseA.probability, error(parity[0], 'pattern')) + Math.max(noiseB.probability, error(parity[1], 'pattern')),
    // A failed output says by how much, not relative to what.
    output: parity.some(one => error(one, 'output') > 0) ? null : noiseA.output + noiseB.output,
  };
  const above = (head: SiteDiff['heads'][number]): boolean => head.notFinite[0] !== head.notFinite[1] || head.maxAbs > Math.max(floor.probability, tolerance) || floor.output !== null && (head.outputError ?? 0) > Math.max(floor.output, tolerance);
  return {
    name: a.name, label: siteLabel(a.site), floor, precision: { a: noiseA.precision, b: noiseB.precision },
    queries: [a.queries, b.queries], keys: [a.keys, b.keys], heads: heads.map(head => ({ ...head, above: above(head) })),
  };
}

/** How far over what is allowed a head is. */
function excess({ floor }: SiteDiff, head: SiteDiff['heads'][number], tolerance: number): number {
  return head.notFinite[0] !== head.notFinite[1] ? Infinity : Math.max(head.maxAbs / Math.max(floor.probability, tolerance), floor.output === null ? 0 : (head.outputError ?? 0) / Math.max(floor.output, tolerance));
}

function sideOf({ file, manifest: { created, model, input } }: TraceFile): DiffSide {
  return { file, created, model: { file: model.file, path: model.path, graphHash: model.graphHash, ...(model.sha256 === undefined ? {} : { sha256: model.sha256 }) }, tokens: input.ids.map(ids => ids.length) };
}

function sameModels({ model: a }: Manifest, { model: b }: Manifest): TraceDiff['models'] {
  return a.graphHash !== b.graphHash ? 'different' : a.sha256 !== undefined && a.sha256 === b.sha256 ? 'same' : 'same-graph';
}
