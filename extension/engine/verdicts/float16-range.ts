/** How near the largest |q·k| comes to what float16 can hold. */
import type { Site } from '../../contract/site.ts';
import type { LargestProduct } from '../../contract/trace.ts';
import { few, labelOf, percent, type Judged, type VerdictRule } from './verdict.ts';

/** Largest number of float16; beyond it a product is infinite. */
const range = 65_504;
/** From a quarter of it on, two bits of headroom are left: another prompt may use them. */
const near = 0.25;

export const float16Range: VerdictRule = {
  id: 'float16-range', always: true, title: 'Float16 range', summary: `The largest |q·k| of the trace beside float16's largest number (65,504); a notice from ${near * 100} % of it, a warning beyond it.`,
  judge: trace => {
    const found = trace.manifest.sites.flatMap(site => { const product = trace.manifest.health?.sites[site.name]?.product; return product ? [{ site, product }] : []; });
    if (!found.length) return [];
    const worst = found.reduce((a, b) => (b.product.value > a.product.value ? b : a)), { value, exact } = worst.product, share = value / range;
    const over = found.filter(one => one.product.value > range).sort((a, b) => b.product.value - a.product.value);
    const heads = (over.length ? over : [worst]).map(one => labelOf(trace, one.site, one.product.head, one.product.batch));
    const size = exact ? `The largest |q·k| before scaling is ${number(value)} (${place(trace, worst)})` : `|q·k| before scaling is at most ${number(value)} (${heads[0]}, bounded by the lengths of q and k)`;
    const verdict = share > 1 ? `beyond float16's range (65,504)${exact ? '' : ' if q and k point the same way'}: computed in float16 without scaling first, ${over.length > 1 ? `such scores overflow at ${over.length} sites (${few(heads)})` : 'such a score overflows'}.`
      : `${percent(share)} of float16's range (65,504)${share > near ? ': little headroom is left for other prompts' : ''}.`;
    return [{
      rule: 'float16-range', level: share > 1 ? 'warning' : share > near ? 'notice' : 'info', text: `${size}, ${verdict}`,
      evidence: { threshold: share > near && share <= 1 ? near * range : range, value, heads, exact, range, site: worst.site.name, ...(exact ? { query: worst.product.query, key: worst.product.key } : {}) },
    }];
  },
};

function place(trace: Judged, { site, product }: { readonly site: Site; readonly product: LargestProduct }): string {
  return `${labelOf(trace, site, product.head, product.batch)}${product.query === undefined ? '' : `, query ${product.query}, key ${product.key}`}`;
}

/** Three digits, thousands apart; powers of ten where there are too many. */
function number(value: number): string { return value >= 1e7 ? value.toExponential(1) : Number(value.toPrecision(3)).toLocaleString('en'); }
