/** What a hover in Python is about: the class line, the assignment of an attention module, or the call of one. */
import type { SourceLevel } from '../contract/site.ts';
import type { Place, SiteLink } from './link.ts';
import { before, contains, type SourceDocument, type TextPosition, type TextRange } from './python-module.ts';

export interface Hover {
  readonly what: 'class' | 'assign' | 'call';
  readonly range: TextRange;
  /** Names of the sites, in the model's order. */
  readonly sites: readonly string[];
  /** Classes that ran, qualified names. */
  readonly classes: readonly string[];
  /** The weakest evidence among the sites. */
  readonly level: SourceLevel;
  /** Sentences without repetition, at most three; those that differ in numbers only are one, with how many more there are. */
  readonly how: readonly string[];
}

const order: readonly SourceLevel[] = ['stack-trace', 'class-hierarchy', 'node-path', 'initializer', 'none'];

/** Undefined where the position is about no linked site. Where ranges lie in each other, the innermost counts. */
export function hoverAt(document: SourceDocument, links: readonly SiteLink[], position: TextPosition): Hover | undefined {
  const hits: { readonly what: Hover['what']; readonly range: TextRange; readonly link: SiteLink }[] = [];
  const add = (what: Hover['what'], link: SiteLink, places: readonly Place[]): void => {
    for (const { path, range } of places) if (path === document.path && contains(range, position)) hits.push({ what, range, link });
  };
  for (const link of links) {
    if (link.path !== undefined && link.classRange) add('class', link, [{ path: link.path, range: link.classRange }]);
    for (const step of link.steps) { add('assign', link, step.assigns); add('call', link, step.calls); }
  }
  if (hits.length === 0) return undefined;
  const inner = hits.reduce((a, b) => (isInside(b.range, a.range) ? b : a));
  const chosen = [...new Set(hits.filter(h => h.what === inner.what && isInside(h.range, inner.range)).map(h => h.link))];
  return {
    what: inner.what, range: inner.range, sites: chosen.map(l => l.site), classes: [...new Set(chosen.map(l => l.className).filter(c => c !== undefined))],
    level: order[Math.max(...chosen.map(l => order.indexOf(l.level)))], how: sentences(chosen),
  };
}

function sentences(links: readonly SiteLink[]): readonly string[] {
  const alike = new Map<string, string[]>();
  for (const { how } of links) {
    const key = how.replace(/\d+/g, '0'), same = alike.get(key);
    if (same) same.push(how); else alike.set(key, [how]);
  }
  return [...alike.values()].slice(0, 3).map(same => new Set(same).size < 2 ? same[0] : `${same[0]} So it is for ${same.length - 1} more ${same.length === 2 ? 'site' : 'sites'}.`);
}

function isInside(a: TextRange, b: TextRange): boolean {
  return !before(a.start, b.start) && !before(b.end, a.end);
}
