/** The sentence that says where two traces start to differ. */
import type { HeadDiff, SiteDiff, TraceDiff } from '../../contract/diff.ts';
import type { TraceInput } from '../../contract/trace.ts';

/** `input`: of A, to name tokens. */
export function diffSentence({ sites, first, worst, identical, sameInput }: Pick<TraceDiff, 'sites' | 'first' | 'worst' | 'identical' | 'sameInput'>, input: TraceInput): string {
  const heads = sites.reduce((sum, site) => sum + site.heads.length, 0);
  if (identical) return `The two traces are the same: every difference at all ${heads} heads is exactly 0.`;
  const start = first ? sites.findIndex(site => site.name === first.site) : -1;
  if (!first || start < 0) {
    if (!worst.length) return `No head differs: every difference at all ${heads} heads is exactly 0.`;
    const most = sites.flatMap(site => site.heads.map(head => ({ site, head }))).reduce((a, b) => (b.head.maxAbs > a.head.maxAbs ? b : a));
    return `No head differs by more than rounding: the largest change of a probability is ${short(most.head.maxAbs)} at ${most.site.label}H${most.head.head}, where rounding explains ${short(most.site.floor.probability)}.`;
  }
  const site = sites[start], head = headOf(site, first), others = site.heads.filter(one => one.above).length - 1, before = sites.slice(0, start).flatMap(one => one.heads);
  const agree = !before.length ? '' : ` ${before.length === 1 ? 'The head before it agrees' : `All ${before.length} heads before it agree`}${before.every(isZero) ? ' exactly' : ', up to rounding'}.`;
  const beside = site.heads.length === 1 ? '' : others ? `, most of all at ${first.label} (${others + 1} of its ${site.heads.length} heads differ)` : `, at ${first.label} alone`;
  const largest = worst[0], there = largest && (largest.site !== first.site || largest.head !== first.head || largest.batch !== first.batch) ? sites.find(one => one.name === largest.site) : undefined;
  const grows = there && there !== site ? ` The largest difference is at ${largest.label}: Jensen-Shannon ${short(headOf(there, largest).js)} nats in the mean.` : '';
  return `${sameInput ? 'It starts' : 'Where the prompts allow a comparison, it starts'} at ${site.label}${beside}: ${what(site, head, input)}.${agree}${grows}`;
}

function what(site: SiteDiff, head: HeadDiff, input: TraceInput): string {
  const { floor } = site, output = head.outputError !== null && floor.output !== null && head.outputError > floor.output ? head.outputError : undefined;
  if (head.maxAbs <= site.floor.probability) return `its probabilities agree, but its output Σ p·v changes by ${percent(output ?? 0)}, where rounding explains ${percent(floor.output ?? 0)}, so v differs`;
  const token = (i: number): string => { const name = input.tokens[head.batch]?.[i]; return name === undefined ? '' : ` ${JSON.stringify(name)}`; };
  return `a probability changes by up to ${short(head.maxAbs)} (query ${head.query}${token(head.query)}, key ${head.key}${site.keys[0] === site.queries[0] ? token(head.key) : ''}), where rounding explains ${short(site.floor.probability)}${output === undefined ? '' : `; its output changes by ${percent(output)}`}`;
}

function headOf(site: SiteDiff, at: { readonly batch: number; readonly head: number }): HeadDiff { return site.heads.find(one => one.batch === at.batch && one.head === at.head)!; }

function isZero(head: HeadDiff): boolean { return head.maxAbs === 0 && head.js === 0 && (head.outputError ?? 0) === 0; }

function short(value: number): string { return value === 0 ? '0' : value < 1e-3 ? value.toExponential(1).replace('.0e', 'e') : String(Number(value.toPrecision(2))); }

function percent(share: number): string { const value = share * 100; return `${value >= 10 ? value.toFixed(0) : value >= 0.01 ? String(Number(value.toPrecision(2))) : short(value)}%`; }
