/** What a site is called and where its source is: module paths from exporter metadata or node names, layers and stacks from module paths. */
import type { SiteKind, SiteSource } from '../../contract/site.ts';
import type { Node } from '../onnx/model.ts';

/** Metadata that the exporter writes on every node. */
export const exporterKey = (name: string): string => `pkg.torch.onnx.${name}`;

/**
 * Where a node was written: exporter stack trace, class hierarchy, node path, or initializer names, whichever says most.
 * `neighbours` belong to the same attention; `weights` are the initializers that its projections read.
 */
export function sourceOf(node: Node, neighbours: readonly Node[], weights: readonly string[]): SiteSource {
  for (const candidate of [node, ...neighbours]) {
    const scopes = pythonList(candidate.metadata.get(exporterKey('name_scopes')) ?? ''), classes = pythonList(candidate.metadata.get(exporterKey('class_hierarchy')) ?? '');
    if (scopes.length < 2) continue;
    const module = scopes[scopes.length - 2], frame = innermostForward(candidate.metadata.get(exporterKey('stack_trace')) ?? '');
    const written = classes.length === scopes.length ? classes[classes.length - 2].split('.') : [], className = written.pop() ?? null;
    const more = { ...(frame?.text && { text: frame.text }), ...(written.length > 0 && { classModule: written.join('.') }) };
    if (frame) return { module, class: className, file: frame.file, line: frame.line, ...more, level: 'stack-trace' };
    return { module, class: className, file: null, line: null, ...more, level: 'class-hierarchy' };
  }
  const nothing = { class: null, file: null, line: null };
  const path = modulePath(node.name);
  if (path) return { module: path, ...nothing, level: 'node-path' };
  const weight = weights.find(name => /\.\d+\..*\.(weight|bias)$/.test(name));
  if (weight) return { module: weight.split('.').slice(0, -2).join('.'), ...nothing, level: 'initializer' };
  return { module: null, ...nothing, level: 'none' };
}

/** `/model/layers.0/self_attn/Softmax_1` → `model.layers.0.self_attn`; undefined where the name has no path. */
export function modulePath(name: string): string | undefined {
  const parts = name.split('/').filter(Boolean);
  return parts.length > 1 ? parts.slice(0, -1).join('.') : undefined;
}

/** The strings of a Python list as `repr` prints it. */
export function pythonList(text: string): string[] {
  return [...text.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map(match => match[1] ?? match[2]);
}

/** The last frame that is in a `forward`: exporters write the outermost first, and inside it only helpers follow. */
function innermostForward(trace: string): { readonly file: string; readonly line: number; readonly text: string } | undefined {
  const frames = [...trace.matchAll(/File "([^"\n]+)", line (\d+), in (\w+)(?:\n(?![ \t]*File ")[ \t]*([^\n]{1,400}))?/g)].map(([, file, line, where, text]) => ({ file, line: Number(line), where, text: text?.trim() ?? '' }));
  return frames.findLast(each => each.where === 'forward') ?? frames[frames.length - 1];
}

/** What naming needs to know of a site. `again`: it reads the weights of a site before it, as every layer of a model with one set of weights does. */
export interface Unnamed { readonly module: string | null; readonly kind: SiteKind; readonly again?: boolean }
export interface Named { readonly name: string; readonly stack: string; readonly layer: number }

/** Names sites, given in graph order. */
export function nameSites(sites: readonly Unnamed[]): readonly Named[] {
  const stacks = stacksOf(sites), layers = new Array<number>(sites.length), names: Named[] = [];
  for (const stack of new Set(stacks)) {
    const own = sites.map((_, i) => i).filter(i => stacks[i] === stack), counted = layersOf(own.map(i => sites[i]));
    own.forEach((i, nth) => { layers[i] = counted[nth]; });
  }
  const taken = new Map<string, number>();
  sites.forEach((site, i) => {
    const base = `${stacks[i] === 'main' ? '' : `${stacks[i]}.`}blocks.${layers[i]}.${site.kind === 'cross' ? 'cross_attn' : 'attn'}`;
    const nth = (taken.get(base) ?? 0) + 1;
    taken.set(base, nth);
    names.push({ name: nth === 1 ? base : `${base}.${nth}`, stack: stacks[i], layer: layers[i] });
  });
  return names;
}

const towers: readonly (readonly [stack: string, path: RegExp])[] = [
  ['vision', /(^|[._])(vision|visual|image|vit|pixel)/i], ['audio', /(^|[._])(audio|speech|sound)/i], ['language', /(^|[._])(language|llm|lm)(_|\.|model|$)/i],
  ['text', /(^|[._])text/i], ['decoder', /(^|[._])decoder(\.|$)/i], ['encoder', /(^|[._])encoder(\.|$)/i],
];

const towerOf = ({ module }: Unnamed): string => towers.find(([, path]) => path.test(module ?? ''))?.[0] ?? 'main';

/** Stack of each site. A single tower is the main stack; beside a language model the others have names. */
function stacksOf(sites: readonly Unnamed[]): string[] {
  const tower = sites.map(towerOf);
  const present = new Set(tower), crossing = sites.some(site => site.kind === 'cross');
  // Two halves of one stack, as of a model that pools its sequence and spreads it out again, when nothing crosses over.
  if (present.has('encoder') && present.has('decoder') && !crossing) return tower.map(name => (name === 'encoder' || name === 'decoder' ? 'main' : name));
  if (present.has('encoder') && present.has('decoder')) return tower.map(name => (name === 'main' ? 'decoder' : name));
  if (crossing) return tower.map(name => (name === 'main' || name === 'language' ? 'decoder' : name));
  if (present.size === 1) return tower.map(() => 'main');
  const main = ['language', 'main', 'decoder'].find(name => present.has(name));
  return tower.map(name => (name === main ? 'main' : name === 'language' ? 'text' : name));
}

/** Layers of one stack: the order in the graph where paths have no numbers, where a set of weights is used more than once, or where two halves follow each other; the first number of the module path, or, where stages have blocks of their own, a count of blocks through all of them. */
function layersOf(sites: readonly Unnamed[]): number[] {
  const numbers = sites.map(({ module }) => (module ?? '').split('.').filter(part => /^\d+$/.test(part)).map(Number));
  if (numbers.some(path => !path.length) || sites.some(site => site.again) || new Set(sites.map(towerOf)).size > 1) {
    const counts = { self: 0, cross: 0 };
    return sites.map(site => counts[site.kind]++);
  }
  const depth = Math.min(...numbers.map(path => path.length)), stages = new Set(numbers.map(path => path[0]));
  const collide = (level: number): boolean => {
    const seen = new Set(sites.map((site, i) => `${site.kind} ${numbers[i].slice(0, level).join('.')}`));
    return seen.size < sites.length;
  };
  if (!collide(1) || depth < 2 || stages.size === sites.length) return numbers.map(path => path[0]);
  const blocks = new Map<string, number>();
  return numbers.map(path => {
    const block = path.slice(0, 2).join('.');
    if (!blocks.has(block)) blocks.set(block, blocks.size);
    return blocks.get(block)!;
  });
}
