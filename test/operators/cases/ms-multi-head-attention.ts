/** com.microsoft MultiHeadAttention: biases inside, masks, score bias, past in both kinds of buffer, cross attention, cached keys, repeated heads, own scores. */
import { broadcastBias, fill4, floats, inHalf, ints, operatorModel, seeded, sixtyFourths, type Fed, type Fixture } from '../fixture.ts';
import { maskForms, type Form } from '../key-masks.ts';

interface Wanted {
  readonly title: string;
  readonly causal?: boolean; readonly bias?: boolean; readonly mask?: Form; readonly scoreBias?: readonly [number, number]; readonly fill?: number; readonly scale?: number; readonly valueDim?: number;
  readonly past?: number; readonly queries?: number;
  /** A past of no positions, as at the start of a generation. */
  readonly start?: boolean;
  /** Which beam made each position of each sample's past: then it lies in a buffer of `room` that the present shares. */
  readonly beams?: readonly (readonly number[])[];
  /** Keys of another sequence: [batch, key, head · dim], or as an encoder's cache has them, [batch, head, key, dim]. */
  readonly cross?: number; readonly cached?: boolean; readonly half?: boolean;
}

const B = 2, H = 2, D = 4, long = 12;

function multiHead({ title, causal = false, bias = false, mask, scoreBias, fill = -10_000, scale, valueDim = D, past = 0, start = false, queries: S = 6, beams, cross, cached = false, half = false }: Wanted): Fixture {
  const random = seeded(title.length * 104_729 + past), L = cross ?? S, T = past + L, room = beams ? long : past, last = cached ? ([B, H, L] as const) : ([B, L] as const);
  const made = (...of: Parameters<typeof floats>): ReturnType<typeof floats> => (half ? sixtyFourths(floats(...of)) : floats(...of));
  const query = made('query', [B, S, H * D], random, 2), key = made('key', cached ? [...last, D] : [...last, H * D], random, 2), value = made('value', cached ? [...last, valueDim] : [...last, H * valueDim], random, 2);
  const biases = bias ? made('bias', [H * (2 * D + valueDim)], random) : undefined, held = past || start ? { key: made('past_key', [B, H, room, D], random, 2), value: made('past_value', [B, H, room, valueDim], random, 2) } : undefined;
  const scores: (Fed & { readonly data: Float32Array }) | undefined = scoreBias && made('attention_bias', [...scoreBias, S, T], random, 2), added = scores && broadcastBias(scores);
  // What an encoder's cache holds has its bias already.
  const given = (of: Fed, size: number, offset: number, b: number, j: number, h: number, d: number): number => (cached ? of.data[((b * H + h) * L + j) * size + d] : of.data[(b * L + j) * H * size + h * size + d] + (biases?.data[offset + h * size + d] ?? 0));
  const keyed = (of: Fed, kept: Fed | undefined, size: number, offset: number) => fill4([B, T, H, size], (b, j, h, d) => (j < past ? kept!.data[(((beams ? beams[b][j] : b) * H + h) * room + j) * size + d] : given(of, size, offset, b, j - past, h, d)));
  const hides = fill <= -1e4;
  return {
    name: `com.microsoft.MultiHeadAttention: ${title}`,
    ...(half ? inHalf : <M>(same: M): M => same)(operatorModel({
      op: 'MultiHeadAttention', domain: 'com.microsoft', inputs: [query, key, value, biases && (half ? biases : { ...biases, weight: true }), mask?.fed, scores, held?.key, held?.value, beams && ints('past_sequence_length', [1], [past]), beams && ints('cache_indirection', [1, B, room], beams.flatMap(row => [...row, ...new Array<number>(room - row.length).fill(0)]))],
      outputs: ['output', ...(held ? ['present_key', 'present_value'] : ['', '']), 'qk'],
      attributes: { num_heads: H, ...(causal ? { unidirectional: 1 } : {}), ...(fill === -10_000 ? {} : { mask_filter_value: { float: fill } }), ...(scale ? { scale: { float: scale } } : {}) },
    })),
    // Outputs are rounded to 11 bits; the kernel itself computes in float32.
    ...(half ? { tolerance: 1e-3 } : { scores: { output: 'qk', of: 'score' } as const }), output: 'output',
    twin: {
      batch: B, heads: H, kvHeads: H, queries: S, keys: T, dim: D, valueDim, scale: scale ?? 1 / Math.sqrt(D),
      q: fill4([B, S, H, D], (b, i, h, d) => query.data[(b * S + i) * H * D + h * D + d] + (biases?.data[h * D + d] ?? 0)), k: keyed(key, held?.key, D, H * D), v: keyed(value, held?.value, valueDim, 2 * H * D),
      sees: (b, _, i, j) => (!causal || j <= i + past) && (!hides || !mask || mask.keeps(b, i, j)),
      bias: (b, h, i, j) => (added?.(b, h, i, j) ?? 0) + (mask && !hides && !mask.keeps(b, i, j) ? fill : 0),
    },
    site: { operator: 'com.microsoft.MultiHeadAttention', node: 'attention', mask: { causal, window: null, padding: mask?.padding ?? false, additive: scores !== undefined || (mask !== undefined && !hides) } },
    ...(mask?.traced ? { traced: { mask: { causal, window: null, padding: mask.traced.padding, additive: false } } } : {}),
  };
}

const forms = maskForms(6, 6), later = maskForms(6, 9), other = maskForms(6, 8), one = maskForms(1, 7), beams = [[0, 0, 1, 1, 0, 0], [0, 1, 1, 0, 1, 1]], { ends: _, ...taken } = forms;

export const fixtures: readonly Fixture[] = [
  multiHead({ title: 'bare' }),
  multiHead({ title: 'causal', causal: true }),
  multiHead({ title: 'biases inside', bias: true }),
  multiHead({ title: 'biases inside, causal, values of another size', bias: true, causal: true, valueDim: 6 }),
  multiHead({ title: 'scale', scale: 0.3 }),
  multiHead({ title: 'float16, biases inside, causal, bias of 1 × 2', half: true, bias: true, causal: true, scoreBias: [1, H] }),
  ...Object.values(taken).map(mask => multiHead({ title: mask.name, mask })),
  ...[forms.lengths, forms.cells, forms.perQuery].map(mask => multiHead({ title: `causal, ${mask.name}`, causal: true, mask })),
  multiHead({ title: 'fill value −3, cells of keys', mask: forms.cells, fill: -3 }),
  ...([[1, 1], [1, H], [B, 1], [B, H]] as const).map(scoreBias => multiHead({ title: `bias of ${scoreBias.join(' × ')}`, scoreBias })),
  multiHead({ title: 'empty past, causal', start: true, causal: true }),
  multiHead({ title: 'past', past: 3 }),
  multiHead({ title: 'past, causal, biases inside', past: 3, causal: true, bias: true }),
  ...[later.lengths, later.cells, later.perQuery].map(mask => multiHead({ title: `past, causal, ${mask.name}`, past: 3, causal: true, mask })),
  multiHead({ title: 'past, bias', past: 3, scoreBias: [1, H] }),
  multiHead({ title: 'past of other beams', past: 6, queries: 1, beams }),
  multiHead({ title: 'past of other beams, biases inside, cells of keys', past: 6, queries: 1, bias: true, mask: one.cells, beams }),
  multiHead({ title: 'cross', cross: 8 }),
  multiHead({ title: 'cross, cells of keys, values of another size', cross: 8, mask: other.cells, valueDim: 6 }),
  multiHead({ title: 'cross, cached keys', cross: 8, cached: true }),
  multiHead({ title: 'cross, cached keys, biases inside, lengths', cross: 8, cached: true, bias: true, mask: other.lengths }),
];
