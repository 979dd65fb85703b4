/** Ties attention sites of a model to the classes of Python that ran, and says by what evidence; where that is not certain, no class gets the numbers. */
import type { Site, SourceLevel } from '../contract/site.ts';
import { findLine, matchFile } from './anchor.ts';
import { attentionClass } from './attention-classes.ts';
import { code } from './code.ts';
import { landingsOf, type SitePaths } from './landings.ts';
import { createIndex, pathParts, type ClassRef, type ModuleIndex } from './module-index.ts';
import { callsOf, follow, type Landing, type Step } from './module-tree.ts';
import type { ModelOrigin } from './origin.ts';
import { contains, type SourceDocument, type TextRange } from './python-module.ts';

export interface Place { readonly path: string; readonly range: TextRange }

/** An attribute on the way from the model to the attention module. */
export interface LinkStep {
  /** Class and attribute: `Block`, `attn`. */
  readonly holder: string;
  readonly attribute: string;
  readonly assigns: readonly Place[];
  readonly calls: readonly Place[];
}

export interface SiteLink {
  /** Name of the site: `blocks.0.attn`. */
  readonly site: string;
  readonly level: SourceLevel;
  /** A sentence for the hover: the evidence, or why there is none. Names in it stand in backticks, and nothing else in it is markup. */
  readonly how: string;
  /** The instantiated class that ran: its file, qualified name, first line; undefined at level `none`. */
  readonly path?: string;
  readonly className?: string;
  readonly classRange?: TextRange;
  /** The base whose `forward` it inherits. */
  readonly forward?: Place & { readonly className: string };
  /** Outermost first; the last is the attention's own attribute. Empty where no assignment could be found. */
  readonly steps: readonly LinkStep[];
  /** First assignment and first call of the last step; they may stand in another file than the class. */
  readonly assign?: Place;
  readonly call?: Place;
  /** 0-based line to reveal in `path`: the exporter's line while the text has not moved, the class otherwise. */
  readonly line?: number;
}

/** Library modules that may be the innermost class of an exporter's hierarchy, around which the class of the user stands. */
const libraryLeaf = /^(Softmax|Dropout|Identity|Linear|MultiheadAttention|Transformer\w*|ModuleList|ModuleDict|Sequential)$/;

/**
 * `report`: as `attnscope sites` gives it, or the part of a manifest; `origin`: what is known of the model besides its graph;
 * `documents`: the parsed files of the workspace and of its environment. One link per site, in their order.
 */
export function linkSites(report: { readonly sites: readonly Site[]; readonly modelFile: string; readonly origin?: ModelOrigin }, documents: readonly SourceDocument[], index: ModuleIndex = createIndex(documents)): readonly SiteLink[] {
  const paths = landingsOf(index, report.sites, report.origin);
  return report.sites.map((site, i) => linkOf(index, documents, site, paths[i], report.modelFile));
}

interface Verdict { readonly ref?: ClassRef; readonly how: string; readonly line?: number }

function linkOf(index: ModuleIndex, documents: readonly SourceDocument[], site: Site, paths: SitePaths, modelFile: string): SiteLink {
  const tried: string[] = [];
  const levels = [
    ['stack-trace', () => byStackTrace(index, documents, site, paths)],
    ['class-hierarchy', () => byClass(index, documents, site, paths)],
    [site.source.level === 'initializer' ? 'initializer' : 'node-path', () => byPath(index, site, paths)],
  ] as const;
  for (const [level, decide] of levels) {
    const verdict = decide();
    if (verdict?.ref) return linked(index, site, level, verdict.ref, verdict, paths.landings);
    if (verdict) tried.push(verdict.how);
  }
  return { site: site.name, level: 'none', how: tried[0] ?? `${code(modelFile)} says nothing about where this site was written.`, steps: [] };
}

/** Level 1: file and line of the exporter, as long as the class that stands there now can be the one that ran. */
function byStackTrace(index: ModuleIndex, documents: readonly SourceDocument[], site: Site, { landings }: SitePaths): Verdict | undefined {
  const { file, line, text } = site.source;
  if (file === null || line === null) return undefined;
  const { found, depth, cell } = matchFile(documents, file);
  if (found.length === 0) return undefined;
  const name = plainName(site.source.class);
  const known = name !== undefined && (index.named(name).length > 0 || !libraryLeaf.test(name));
  const inFile = (ref: ClassRef): boolean => index.ancestry(ref).own.some(a => found.includes(a.document));
  const reached = distinctRefs(landings);
  const anchors = found.map(document => ({ document, at: findLine(document, line - 1, text) })).filter(({ at }) => at !== undefined);
  const here = anchors.map(({ document, at }) => innermost(index, document, at!.line)).filter(c => c !== undefined);
  const holds = (ref: ClassRef): boolean => here.some(c => index.ancestry(ref).own.includes(c));

  let candidates = (known ? index.named(name) : reached).filter(ref => inFile(ref) && !isOnlyCopy(site, ref));
  if (!known && candidates.length === 0) candidates = here.filter(c => attentionClass(index, c) && !isInherited(index, c));
  const anchored = candidates.filter(holds);
  // Of a cell the exporter knows neither the notebook nor the place in it: only its text says where it is.
  const ref = only(anchored, reached) ?? (cell ? undefined : only(candidates, reached));
  const where = cell ? 'a notebook cell' : `${code(pathParts(file).at(-1) ?? file)}${depth > 1 ? '' : ' (found by its file name)'}`;
  if (!ref) return candidates.length > 1 ? { how: ambiguous(`the exporter's ${code(file)}, line ${line}`, candidates) } : undefined;
  const place = `The exporter wrote that it ran in ${where}, line ${line}`;
  if (!anchored.includes(ref)) return { ref, how: `${place}; the text has changed since, and ${code(ref.cls.qualifiedName)} was found by its name.` };
  const anchor = anchors.find(({ document, at }) => { const inside = innermost(index, document, at!.line); return inside && index.ancestry(ref).own.includes(inside); })!;
  const moved = !cell && anchor.at!.line !== line - 1;
  return { ref, line: anchor.at!.line, how: moved ? `${place}; the same text stands in line ${anchor.at!.line + 1} now.` : cell ? `${place}; the same text stands in ${code(pathParts(anchor.document.path).at(-1) ?? '')}.` : `${place}.` };
}

/** Level 2: the class name that the exporter wrote. A file that is known and not here, or a model that leads elsewhere, speaks against it. */
function byClass(index: ModuleIndex, documents: readonly SourceDocument[], site: Site, { landings, otherwise }: SitePaths): Verdict | undefined {
  const name = plainName(site.source.class);
  if (name === undefined) return undefined;
  const written = site.source.classModule === undefined || site.source.class!.includes('.') ? site.source.class! : `${site.source.classModule}.${name}`;
  const named = index.named(name);
  if (named.length === 0) return libraryLeaf.test(name) ? undefined : { how: `It ran in class ${code(name)}, which is in none of the open folder's files.` };
  if (named.every(ref => isOnlyCopy(site, ref))) return { how: `It ran in ${code(site.source.file ?? '')} of an installed package; the class ${code(name)} here is a copy of it.` };
  const reached = distinctRefs(landings);
  const reachable = named.filter(ref => reached.includes(ref));
  if (reachable.length === 1) return { ref: reachable[0], how: `The exporter wrote the class ${code(name)}, and the model's own modules lead to it.` };
  const module = written.split('.').slice(0, -1);
  const candidates = (reachable.length > 0 ? reachable : named).filter(ref => module.length === 0 || module[0] === '__main__' || inModule(ref, module));
  if (candidates.length > 1) return { how: ambiguous(`class ${code(name)}`, candidates) };
  if (candidates.length === 0) return { how: `It ran in ${code(written)}; the class of that name here is in another module.` };
  const file = site.source.file === null ? undefined : matchFile(documents, site.source.file);
  if (site.source.file !== null && file?.found.length === 0) {
    return { how: `It ran in ${code(site.source.file)}, which is not in the open folder; the class ${code(name)} here is another one as far as can be told.` };
  }
  if (otherwise) return { how: `The model's modules lead to ${code(otherwise)}, not to the class ${code(name)} that is here.` };
  return { ref: candidates[0], how: `The exporter wrote the class ${code(name)}; there is one of that name.` };
}

/** Levels 3 and 4: the module path, walked through the classes. */
function byPath(index: ModuleIndex, site: Site, { landings, path, because, unproven }: SitePaths): Verdict | undefined {
  const name = plainName(site.source.class);
  // A class that was named and is not here was refused before.
  if (name !== undefined && !libraryLeaf.test(name) && !distinctRefs(landings).some(r => r.cls.name === name)) return undefined;
  const refs = ofKind(site, distinctRefs(landings).filter(ref => !isOnlyCopy(site, ref)));
  if (path === undefined) return undefined;
  const text = code(path.join('.'));
  if (refs.length === 0 && unproven) return { how: `The module path ${code(unproven.path.join('.'))} fits ${code(unproven.ref.cls.qualifiedName)} in ${code(shortPath(unproven.ref))}, as it does many installed models; nothing says that it is this one. A trace started from its lens, or a config.json beside the model, would.` };
  if (refs.length === 0) return { how: `No class in the open folder has the module path ${text}.` };
  if (refs.length > 1) return { how: ambiguous(`the module path ${text}`, refs) };
  const landing = landings.find(l => l.ref === refs[0])!;
  const from = site.source.level === 'initializer' ? `The weights of this site are called ${code(site.source.module ?? path.join('.'))}`
    : site.source.level === 'node-path' ? `The node ${code(site.node)} belongs to module ${text}` : `The exporter's scopes name the module ${text}`;
  const root = stepsOf(landings.filter(l => l.ref === landing.ref))[0]?.holder ?? landing.root;
  return { ref: landing.ref, how: `${from}: walked from class ${code(root.cls.qualifiedName)}${because === undefined ? '' : `, ${because}`}.` };
}

function linked(index: ModuleIndex, site: Site, level: SourceLevel, ref: ClassRef, verdict: Verdict, landings: readonly Landing[]): SiteLink {
  const own = landings.filter(l => l.ref === ref);
  const steps = (own.length > 0 ? stepsOf(own) : holdersInFile(index, ref)).map(step => linkStep(index, step));
  const last = steps.at(-1);
  const forward = index.method(ref, 'forward');
  const inherited = forward && forward.owner !== ref ? forward.owner : undefined;
  const assign = last?.assigns[0];
  const call = last?.calls[0];
  return {
    site: site.name, level, how: inherited ? `${verdict.how} Its \`forward\` is inherited from ${code(inherited.cls.qualifiedName)}.` : verdict.how,
    path: ref.document.path, className: ref.cls.qualifiedName, classRange: ref.cls.headerRange,
    ...(inherited && { forward: { path: inherited.document.path, className: inherited.cls.qualifiedName, range: inherited.cls.headerRange } }),
    steps, ...(assign && { assign }), ...(call && { call }),
    // The line may be the base's, in another place than the class.
    line: verdict.line !== undefined && contains(ref.cls.range, { line: verdict.line, column: 0 }) ? verdict.line : ref.cls.headerRange.start.line,
  };
}

/**
 * Roots that are wrapped by others lead to the same assignments: the longest way has them all. Of several models that all hold the
 * part that ran, none is said to have run: only what their ways have in common stays.
 */
function stepsOf(landings: readonly Landing[]): readonly Step[] {
  const most = Math.max(...landings.map(l => l.steps.length));
  const [first, ...others] = landings.filter(l => l.steps.length === most).map(l => l.steps);
  let common = 0;
  while (common < most && others.every(steps => steps[most - 1 - common].owner === first[most - 1 - common].owner && steps[most - 1 - common].name === first[most - 1 - common].name)) common++;
  return first.slice(most - common);
}

/** When no path leads to the class: the one attribute of its own file that is built from it, if there is just one. */
function holdersInFile(index: ModuleIndex, ref: ClassRef): readonly Step[] {
  const found: Step[] = [];
  for (const holder of index.inDocument(ref.document).slice(0, 200)) {
    for (const name of new Set(holder.cls.attributes.map(a => a.name))) {
      const landing = [[name], [name, '0']].flatMap(path => follow(index, holder, path)).find(l => l.ref === ref && l.steps.length === 1);
      if (landing) found.push(landing.steps[0]);
    }
  }
  return found.length === 1 ? found : [];
}

function linkStep(index: ModuleIndex, step: Step): LinkStep {
  return {
    holder: step.holder.cls.qualifiedName, attribute: step.name,
    assigns: step.attributes.map(a => ({ path: step.owner.document.path, range: a.range })),
    calls: callsOf(index, step).map(({ document, range }) => ({ path: document.path, range })),
  };
}

function innermost(index: ModuleIndex, document: SourceDocument, line: number): ClassRef | undefined {
  return index.inDocument(document).findLast(({ cls }) => contains({ start: { line: cls.range.start.line, column: 0 }, end: cls.range.end }, { line, column: 0 }));
}

/** Another class of the files takes its `forward` from this one, so that either may have run. */
function isInherited(index: ModuleIndex, ref: ClassRef): boolean {
  return index.all.some(other => other !== ref && index.method(other, 'forward')?.owner === ref);
}

function only(candidates: readonly ClassRef[], reached: readonly ClassRef[]): ClassRef | undefined {
  if (candidates.length <= 1) return candidates[0];
  const reachable = candidates.filter(c => reached.includes(c));
  return reachable.length === 1 ? reachable[0] : undefined;
}

function inModule(ref: ClassRef, module: readonly string[]): boolean {
  const parts = pathParts(ref.document.path.replace(/(\/__init__)?\.pyi?$/, ''));
  return parts.at(-1) === module.at(-1) || ref.cls.qualifiedName.startsWith(`${module.at(-1)}.`);
}

/** What ran is in an installed package, and this is somebody's own file with a class of that name. A checkout of the package has the same module path. */
function isOnlyCopy(site: Site, ref: ClassRef): boolean {
  const { file, classModule } = site.source;
  if (file === null || classModule === undefined || ref.document.installed || /^__(mp_)?main__$/.test(classModule) || !/[\\/](site|dist)-packages[\\/]/.test(file)) return false;
  const module = classModule.split('.');
  return pathParts(ref.document.path.replace(/(\/__init__)?\.pyi?$/, '')).slice(-module.length).join('.') !== module.join('.');
}

/** `CrossAttention if is_cross else SelfAttention`: which of the two it is was seen in the graph. */
function ofKind(site: Site, refs: readonly ClassRef[]): readonly ClassRef[] {
  const fitting = refs.filter(r => /cross/i.test(r.cls.name) === (site.kind === 'cross'));
  return fitting.length > 0 ? fitting : refs;
}

function distinctRefs(landings: readonly Landing[]): readonly ClassRef[] { return [...new Set(landings.map(l => l.ref))]; }

function ambiguous(what: string, refs: readonly ClassRef[]): string {
  const several = refs.slice(0, 4).map(r => `${code(r.cls.qualifiedName)} in ${code(shortPath(r))}`).join(', ');
  return `Several classes fit ${what}: ${several}${refs.length > 4 ? ', …' : ''}. None of them is given the numbers.`;
}

function shortPath(ref: ClassRef): string { return pathParts(ref.document.path).slice(-2).join('/'); }

function plainName(written: string | null): string | undefined { return written?.split('.').at(-1) || undefined; }
