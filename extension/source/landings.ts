/** Finds, for all sites together, which model class their module paths start at and which classes they end in. */
import type { Site } from '../contract/site.ts';
import { attentionClass } from './attention-classes.ts';
import type { ClassRef, ModuleIndex } from './module-index.ts';
import { follow, type Landing } from './module-tree.ts';
import { standing, type ModelOrigin } from './origin.ts';

export interface SitePaths {
  /** Ends of the path, from the model classes that explain the most sites. */
  readonly landings: readonly Landing[];
  /** The path that was walked, or would have been; undefined when the model says none. */
  readonly path: readonly string[] | undefined;
  /** Name of a class that the path leads to although the exporter named another. */
  readonly otherwise?: string;
  /** What else speaks for the landings, a phrase after "walked from class X,". */
  readonly because?: string;
  /** A class of an installed package that this path fits, and nothing else speaks for. */
  readonly unproven?: { readonly ref: ClassRef; readonly path: readonly string[] };
}

const maxSegments = 24;
const maxDropped = 3;
const maxRoots = 256;

export function landingsOf(index: ModuleIndex, sites: readonly Site[], origin?: ModelOrigin): readonly SitePaths[] {
  const holders = new Map<string, readonly ClassRef[]>();
  /** Classes that have an attribute of this name, inherited ones too. */
  const rootsWith = (name: string): readonly ClassRef[] => {
    const known = holders.get(name);
    if (known) return known;
    const found = index.all.filter(ref => index.attribute(ref, name)).slice(0, maxRoots);
    holders.set(name, found);
    return found;
  };
  const walked = sites.map(site => {
    const paths = pathsOf(site);
    const name = site.source.class?.split('.').at(-1);
    const isHere = name !== undefined && index.named(name).length > 0;
    let unproven: SitePaths['unproven'];
    for (const path of paths) {
      const all = rootsWith(path[0]).flatMap(root => follow(index, root, path));
      // A class that the exporter named needs nobody else to speak for it.
      const landings = isHere ? all : bestStanding(all, origin);
      if (landings.length > 0) return { path, landings: preferAttention(index, landings), name, isHere };
      if (!unproven && all.length > 0) unproven = { ref: preferAttention(index, all)[0].ref, path };
    }
    return { path: paths[0], landings: [] as readonly Landing[], name, isHere, unproven };
  });
  // One model made all sites: a class that explains more of them is a better start than one that only looks alike.
  const explained = new Map<ClassRef, number>();
  for (const { landings } of walked) for (const root of new Set(landings.map(l => l.root))) explained.set(root, (explained.get(root) ?? 0) + 1);
  return walked.map(({ path, landings, name, isHere, unproven }) => {
    const most = Math.max(0, ...landings.map(l => explained.get(l.root)!));
    const best = landings.filter(l => explained.get(l.root) === most);
    const agreeing = isHere ? landings.filter(l => l.ref.cls.name === name) : best;
    const bestAgreeing = agreeing.filter(l => explained.get(l.root) === Math.max(...agreeing.map(a => explained.get(a.root)!)));
    // Several models share their inner part (BertForMaskedLM, BertForPreTraining): config.json may say which it was.
    const named = bestAgreeing.filter(l => origin?.architectures?.includes(l.root.cls.name));
    const kept = bestAgreeing.every(l => named.some(n => n.ref === l.ref)) ? named : bestAgreeing;
    const because = kept.map(l => standing(l.root, l.ref, origin).because).find(text => text !== undefined);
    return {
      path, landings: kept, ...(because !== undefined && { because }), ...(unproven && { unproven }),
      ...(isHere && agreeing.length === 0 && best.length > 0 && { otherwise: best[0].ref.cls.qualifiedName }),
    };
  });
}

/** Those for which most speaks; installed classes that nothing speaks for are left out. */
function bestStanding(landings: readonly Landing[], origin: ModelOrigin | undefined): readonly Landing[] {
  const ranks = landings.map(l => standing(l.root, l.ref, origin).rank);
  const best = Math.max(0, ...ranks);
  return best === 0 ? [] : landings.filter((_, i) => ranks[i] === best);
}

/** Ends in classes without any attention are kept only where there is nothing better. */
function preferAttention(index: ModuleIndex, landings: readonly Landing[]): readonly Landing[] {
  const attention = landings.filter(l => l.external !== undefined || attentionClass(index, l.ref));
  return attention.length > 0 ? attention : landings;
}

/** Ways to read a site's module path, best first: as written; with the exporter's repetitions (`net/net.0`) removed; without the names of wrappers. */
function pathsOf(site: Site): readonly (readonly string[])[] {
  const fromNode = site.node.startsWith('/') ? site.node.split('/').filter(Boolean).slice(0, -1).join('.') : '';
  const written = [site.source.module ?? '', fromNode].map(text => text.split('.').filter(Boolean)).filter(s => s.length > 0 && s.length <= maxSegments);
  const spellings = written.flatMap(segments => [segments, collapsed(segments)]);
  const paths: string[][] = [];
  for (let dropped = 0; dropped <= maxDropped; dropped++) {
    for (const segments of spellings) {
      const rest = segments.slice(dropped);
      // The number of the layer must stay: without it any class with an attribute of that name would do.
      if (rest.length === 0 || segments.slice(0, dropped).some(isNumber) || isNumber(rest[0])) continue;
      if (dropped > 0 && rest.length < 2) continue;
      if (!paths.some(p => p.join('.') === rest.join('.'))) paths.push(rest);
    }
  }
  return paths;
}

/** `layers`, `layers`, `0` → `layers`, `0`: TorchScript repeats the name of a called container. */
function collapsed(segments: readonly string[]): string[] {
  return segments.filter((segment, i) => !(segment === segments[i + 1] && isNumber(segments[i + 2] ?? '')));
}

function isNumber(text: string): boolean { return /^\d+$/.test(text); }
