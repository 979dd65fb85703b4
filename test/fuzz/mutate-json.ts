/** Breaks JSON so that it still is JSON: values of another kind, sizes that nothing has, keys that are gone. */
import { below, breakBytes, pick, type Dice } from './mutate.ts';

type Place = { readonly in: Record<string, unknown> | unknown[]; readonly key: string | number };

function places(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return found;
  const entries = Array.isArray(value) ? value.slice(0, 200).map((one, i): [number, unknown] => [i, one]) : Object.entries(value).slice(0, 200);
  for (const [key, child] of entries) { found.push({ in: value as Record<string, unknown>, key }); if (found.length < 5_000) places(child, found); }
  return found;
}

function deep(levels: number): unknown { let value: unknown = 1; for (let i = 0; i < levels; i++) value = [value]; return value; }

const strange: readonly ((dice: Dice) => unknown)[] = [
  () => null, () => -1, () => 0, () => 1e308, () => 2 ** 53, () => 0.5, () => true, () => '', () => [], () => ({}), () => 'x'.repeat(100_000), () => '(((((((((((a+)+)+)+)+)+)+$', () => '../../../../etc/passwd',
  () => '\u0000', () => ['a', 1, null], () => deep(2_000), () => ({ __proto__x: 1, constructor: 1, toString: 1 }), dice => new Array(1 + below(dice, 50_000)).fill(0), () => '￿\ud800', () => 'NaN',
];

/** One to three places of `bytes`, or its bytes themselves. */
export function breakJson(bytes: Buffer, dice: Dice): { readonly how: string; readonly bytes: Buffer } {
  if (dice() < 0.25) return breakBytes(bytes, dice);
  const value = JSON.parse(bytes.toString('utf8')) as unknown, how: string[] = [];
  for (let n = 1 + below(dice, 3); n > 0; n--) {
    const all = places(value);
    if (!all.length) break;
    const place = pick(dice, all), holder = place.in as Record<string | number, unknown>;
    how.push(String(place.key));
    if (dice() < 0.2) { if (Array.isArray(holder)) holder.splice(place.key as number, 1); else delete holder[place.key]; }
    else if (dice() < 0.3) holder[place.key] = holder[pick(dice, Object.keys(holder))];
    else holder[place.key] = pick(dice, strange)(dice);
  }
  return { how: `at ${how.join(', ')}`, bytes: Buffer.from(JSON.stringify(value)) };
}
