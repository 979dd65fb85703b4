/** The sentence that says where two traces start to differ, and what comes of it. */
import type { HeadDiff, HeadPlace, SiteDiff, TraceDiff } from '../../contract/diff.ts';
import type { TraceInput } from '../../contract/trace.ts';

type Found = Pick<TraceDiff, 'sites' | 'first' | 'worst' | 'identical' | 'sameInput' | 'tolerance' | 'next'>;

/** `input`: of A, to name tokens. */
export function diffSentence(found: Found, input: TraceInput): string {
  const { sites, first, worst, identical, sameInput, tolerance } = found, heads = sites.reduce((sum, site) => sum + distinct(site.heads), 0), start = first ? sites.findIndex(site => site.name === first.site) : -1;
  if (identical) return `The two traces are the same: every difference at all ${heads} heads is exactly 0.`;
  if (!first || start < 0) {
    if (!worst.length) return `No head differs: every difference at all ${heads} heads is exactly 0.${nextToken(found, 0)}`;
    const most = sites.flatMap(site => site.heads.map(head => ({ site, head }))).reduce((a, b) => (b.head.maxAbs > a.head.maxAbs ? b : a));
    return `No head differs by more than ${tolerance ? short(tolerance) : 'rounding'}: the largest change of a probability is ${short(most.head.maxAbs)} at ${most.site.label}H${most.head.head}, where rounding explains ${short(most.site.floor.probability)}.${nextToken(found, 0)}`;
  }
  const site = sites[start], many = distinct(site.heads), above = distinct(site.heads.filter(one => one.above)), beside = many === 1 ? '' : above > 1 ? `, most of all at ${first.label} (${above} of its ${many} heads differ)` : `, at ${first.label} alone`;
  return `${sameInput ? 'It starts' : 'Where the prompts allow a comparison, it starts'} at ${site.label}${beside}: ${what(site, headOf(site, first), input, tolerance)}.${before(sites.slice(0, start), tolerance)}${largest(sites, worst[0], first)}${nextToken(found, first.batch)}`;
}

function what({ floor, queries, keys }: SiteDiff, head: HeadDiff, input: TraceInput, tolerance: number): string {
  const output = head.outputError !== null && floor.output !== null && head.outputError > Math.max(floor.output, tolerance) ? head.outputError : undefined;
  const allowed = (rounding: number, write: (value: number) => string): string => (tolerance > rounding ? `where ${write(tolerance)} is allowed` : `where rounding explains ${write(rounding)}`);
  const [inA, inB] = head.notFinite;
  if (inA !== inB) return `scores are not finite in ${[[inA, 'A'], [inB, 'B']].flatMap(([rows, side]) => (rows ? [`${rows} ${rows === 1 ? 'row' : 'rows'} of ${side}`] : [])).join(' and ')}`;
  if (head.maxAbs <= Math.max(floor.probability, tolerance)) {
    const agree = head.maxAbs <= floor.probability, by = `its output Σ p·v changes by ${percent(output ?? 0)}, ${allowed(floor.output ?? 0, percent)}`;
    return agree ? `its probabilities agree, but ${by}, so v differs` : by;
  }
  const token = (i: number): string => { const name = input.tokens[head.batch]?.[i]; return name === undefined ? '' : ` ${JSON.stringify(name)}`; };
  return `a probability changes by up to ${short(head.maxAbs)} (query ${head.query}${token(head.query)}, key ${head.key}${keys[0] === queries[0] ? token(head.key) : ''}), ${allowed(floor.probability, short)}${output === undefined ? '' : `; its output changes by ${percent(output)}`}`;
}

function before(sites: readonly SiteDiff[], tolerance: number): string {
  const heads = sites.flatMap(site => site.heads), many = sites.reduce((sum, site) => sum + distinct(site.heads), 0);
  if (!many) return '';
  return ` ${many === 1 ? 'The head before it agrees' : `All ${many} heads before it agree`}${heads.every(isZero) ? ' exactly' : tolerance ? `, up to ${short(tolerance)}` : ', up to rounding'}.`;
}

/** Where the difference is largest, when that is at another site. */
function largest(sites: readonly SiteDiff[], worst: HeadPlace | undefined, first: HeadPlace): string {
  const site = worst && worst.site !== first.site ? sites.find(one => one.name === worst.site) : undefined;
  return site ? ` The largest difference is at ${worst!.label}: Jensen-Shannon ${short(headOf(site, worst!).js)} nats in the mean.` : '';
}

function nextToken({ next }: Found, batch: number): string {
  const tokens = next.find(one => one.batch === batch)?.tokens, top = (side: 'a' | 'b') => tokens?.filter(one => one[side] !== null).reduce<(typeof tokens)[number] | undefined>((most, one) => (most && most[side]! >= one[side]! ? most : one), undefined), a = top('a'), b = top('b');
  if (!a || !b) return '';
  return a.id === b.id ? ` The most likely next token stays ${JSON.stringify(a.token)} (${percent(a.a!)} → ${percent(b.b!)}).` : ` The most likely next token was ${JSON.stringify(a.token)} (${percent(a.a!)}) and becomes ${JSON.stringify(b.token)} (${percent(b.b!)}).`;
}

/** Heads of one site, whatever the samples. */
function distinct(heads: readonly HeadDiff[]): number { return new Set(heads.map(head => head.head)).size; }

function headOf(site: SiteDiff, at: { readonly batch: number; readonly head: number }): HeadDiff { return site.heads.find(one => one.batch === at.batch && one.head === at.head)!; }

function isZero(head: HeadDiff): boolean { return head.maxAbs === 0 && head.js === 0 && (head.outputError ?? 0) === 0 && head.notFinite[0] === head.notFinite[1]; }

function short(value: number): string { return value === 0 ? '0' : value < 1e-3 ? value.toExponential(1).replace('.0e', 'e') : String(Number(value.toPrecision(2))); }

function percent(share: number): string { const value = share * 100; return `${value >= 10 ? value.toFixed(0) : value >= 0.01 ? String(Number(value.toPrecision(2))) : short(value)}%`; }
