/** How far two distributions are apart, in float64, from their logarithms. */

export interface Divergence {
  /** Nats: Σ a·(ln a − ln b), Infinity where a has mass and b has none; and the reverse. */
  readonly klAB: number; readonly klBA: number;
  /** ½·KL(a‖m) + ½·KL(b‖m), m = (a + b)/2 (Lin 1991): 0 … ln 2. */
  readonly js: number;
  /** ½·Σ|a − b| */
  readonly tv: number;
  /** Some outcome is possible in one only. */
  readonly oneSided: boolean;
}

/** Below e^−80 neither a sum of probabilities nor one of their differences can change in float64. */
const nothing = -80;

/**
 * `a`, `b`: logarithms of the probabilities of `count` outcomes, −∞ where one is impossible. Equal inputs give exactly 0.
 * With d = ln b − ln a, ln m = ln a + ln((1 + e^d)/2): no difference of nearly equal logarithms is taken.
 */
export function divergence(a: Float64Array, b: Float64Array, count: number): Divergence {
  let klAB = 0, klBA = 0, js = 0, tv = 0, oneSided = false;
  for (let j = 0; j < count; j++) {
    const la = a[j], lb = b[j];
    if (la === lb) continue;
    if (la === -Infinity || lb === -Infinity) {
      oneSided = true;
      const p = Math.exp(Math.max(la, lb));
      if (lb === -Infinity) klAB = Infinity; else klBA = Infinity;
      js += p * Math.LN2 / 2;
      tv += p / 2;
      continue;
    }
    if (la < nothing && lb < nothing) continue;
    const p = Math.exp(la), q = Math.exp(lb), d = lb - la;
    klAB -= p * d;
    klBA += q * d;
    tv += Math.abs(p - q) / 2;
    // From the larger of the two, so that e^d cannot overflow.
    if (d <= 0) { const m = Math.log1p(Math.expm1(d) / 2); js += (q * (d - m) - p * m) / 2; } else { const m = Math.log1p(Math.expm1(-d) / 2); js += (p * (-d - m) - q * m) / 2; }
  }
  // Of distributions all are at least 0; a sum of roundings may fall short of it.
  return { klAB: Math.max(0, klAB), klBA: Math.max(0, klBA), js: Math.max(0, js), tv, oneSided };
}

/**
 * out[0 … count) = ln of the softmax of `scores` (−∞: hidden). Returns ln Σ e^score: −∞ when all are hidden, NaN when a score is not a number or +∞;
 * `out` means nothing then.
 */
export function logSoftmax(scores: ArrayLike<number>, count: number, out: Float64Array): number {
  let most = -Infinity, sum = 0;
  for (let j = 0; j < count; j++) { const score = scores[j]; if (score !== score) return NaN; if (score > most) most = score; }
  if (most === Infinity) return NaN;
  if (most === -Infinity) return -Infinity;
  for (let j = 0; j < count; j++) if (scores[j] !== -Infinity) sum += Math.exp(scores[j] - most);
  const lse = most + Math.log(sum);
  for (let j = 0; j < count; j++) out[j] = scores[j] - lse;
  return lse;
}

/** Places of the `k` largest of values[0 … count), of equal ones the first; −∞ is none. */
export function largest(values: ArrayLike<number>, count: number, k: number): number[] {
  const places: number[] = [];
  for (let j = 0; j < count; j++) {
    const value = values[j];
    if (value === -Infinity || places.length === k && !(value > values[places[k - 1]])) continue;
    let at = places.length;
    while (at > 0 && values[places[at - 1]] < value) at--;
    places.splice(at, 0, j);
    if (places.length > k) places.pop();
  }
  return places;
}
