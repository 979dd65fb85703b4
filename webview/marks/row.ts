/** One row of a map in numbers: entropy, the keys it looks at most, and the share of the sink. */

export interface RowKey { readonly key: number; readonly probability: number }
export interface RowMarks {
  /** Keys with a probability, most first. */
  readonly top: readonly RowKey[];
  /** Nats, over visible keys. */
  readonly entropyNats: number;
  /** exp(entropy): how many keys the row looks at, as if evenly. */
  readonly effectiveKeys: number;
  readonly visibleKeys: number;
  /** Probability outside `top`. */
  readonly rest: number;
}

/** The `count` keys whose implied weights are largest in size, with their signs; undefined where the query sees none. */
export function weightMarks(row: Float32Array, count: number): readonly { readonly key: number; readonly weight: number }[] | undefined {
  const seen = Array.from(row.keys()).filter(key => Number.isFinite(row[key]));
  return seen.length ? seen.sort((a, b) => Math.abs(row[b]) - Math.abs(row[a]) || a - b).slice(0, count).map(key => ({ key, weight: row[key] })) : undefined;
}

/** `row` is one query's probabilities over all keys; NaN where the key is not visible. Undefined when it sees none. */
export function rowMarks(row: Float32Array, count: number): RowMarks | undefined {
  let visibleKeys = 0;
  let entropyNats = 0;
  let sum = 0;
  const top: RowKey[] = [];
  for (let key = 0; key < row.length; key++) {
    const probability = row[key];
    if (!Number.isFinite(probability)) continue;
    visibleKeys++;
    sum += probability;
    if (probability <= 0) continue;
    entropyNats -= probability * Math.log(probability);
    // `top` stays short: an insertion from its end is cheaper than sorting 32k keys.
    if (top.length < count || probability > top[top.length - 1].probability) {
      let at = top.length;
      while (at > 0 && top[at - 1].probability < probability) at--;
      top.splice(at, 0, { key, probability });
      if (top.length > count) top.pop();
    }
  }
  if (visibleKeys === 0 || sum === 0) return undefined;
  const rest = Math.max(0, sum - top.reduce((total, one) => total + one.probability, 0));
  return { top, entropyNats: Math.max(0, entropyNats), effectiveKeys: Math.exp(Math.max(0, entropyNats)), visibleKeys, rest };
}
