/** Ways to break bytes without knowing what they mean. */

export type Dice = () => number;
export type Mutation = (bytes: Buffer, dice: Dice) => Buffer;

/** A whole number below `n`. */
export function below(dice: Dice, n: number): number { return Math.floor(dice() * n); }
export function pick<T>(dice: Dice, from: readonly T[]): T { return from[below(dice, from.length)]; }

/** Varint and little-endian spellings of lengths that no file has. */
const lengths = ['ffffffff0f', 'ffffffffffffffff7f', 'ffffffffffffffffff01', '8080808010', 'ffffff7f', '00000080', 'ffffffffffffffff', '0000000000000040'].map(hex => Buffer.from(hex, 'hex'));

/** A range [from, to) of at most `most` bytes. */
function range(bytes: Buffer, dice: Dice, most: number): [number, number] {
  const from = below(dice, bytes.length);
  return [from, Math.min(bytes.length, from + 1 + below(dice, most))];
}

export const byteMutations: Readonly<Record<string, Mutation>> = {
  flip: (bytes, dice) => {
    const out = Buffer.from(bytes);
    for (let n = 1 + below(dice, 8); n > 0; n--) out[below(dice, out.length)] ^= 1 << below(dice, 8);
    return out;
  },
  cut: (bytes, dice) => Buffer.from(bytes.subarray(0, below(dice, bytes.length))),
  length: (bytes, dice) => {
    const out = Buffer.from(bytes);
    pick(dice, lengths).copy(out, below(dice, out.length));
    return out;
  },
  zero: (bytes, dice) => { const [from, to] = range(bytes, dice, 64); return Buffer.from(bytes).fill(0, from, to); },
  remove: (bytes, dice) => { const [from, to] = range(bytes, dice, 256); return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]); },
  repeat: (bytes, dice) => { const [from, to] = range(bytes, dice, 256); return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]); },
  splice: (bytes, dice) => {
    const [from, to] = range(bytes, dice, 128), at = below(dice, bytes.length), out = Buffer.from(bytes);
    bytes.copy(out, at, from, to);
    return out;
  },
};

/** Headers lie near the front and the end: half of the time only there. */
export function breakBytes(bytes: Buffer, dice: Dice): { readonly how: string; readonly bytes: Buffer } {
  const how = pick(dice, Object.keys(byteMutations));
  if (dice() < 0.5 || bytes.length < 8192) return { how, bytes: byteMutations[how](bytes, dice) };
  const head = bytes.subarray(0, 4096), tail = bytes.subarray(4096);
  return { how: `${how} in the head`, bytes: Buffer.concat([byteMutations[how](Buffer.from(head), dice), tail]) };
}
