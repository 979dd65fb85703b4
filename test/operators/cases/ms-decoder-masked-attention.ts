/** com.microsoft DecoderMaskedMultiHeadAttention: one query, a past in a shared buffer, or the keys of an encoder. */
import { broadcastBias, fill4, floats, ints, operatorModel, seeded, type Fed, type Fixture } from '../fixture.ts';
import { maskForms, type Form } from '../key-masks.ts';

interface Wanted { readonly title: string; readonly past?: number; readonly cross?: number; readonly bias?: boolean; readonly mask?: Form; readonly scoreBias?: readonly [number, number]; readonly fill?: number; readonly scale?: number; readonly beams?: readonly (readonly number[])[] }

const B = 2, H = 2, D = 4, room = 9;

function masked({ title, past = 0, cross, bias = false, mask, scoreBias, fill = -10_000, scale, beams }: Wanted): Fixture {
  const random = seeded(title.length * 1_299_709 + past), T = cross ?? past + 1, given = cross === undefined ? [B, 1, H * D] : [B, H, cross, D];
  const query = floats('query', [B, 1, H * D], random, 2), key = floats('key', given, random, 2), value = floats('value', given, random, 2), biases = bias ? floats('bias', [3 * H * D], random) : undefined;
  const held = past ? [floats('past_key', [B, H, room, D], random, 2), floats('past_value', [B, H, room, D], random, 2)] as const : undefined;
  const scores: (Fed & { readonly data: Float32Array }) | undefined = scoreBias && floats('attention_bias', [...scoreBias, 1, T], random, 2), added = scores && broadcastBias(scores), hides = fill <= -1e4;
  const keyed = (of: Fed, kept: Fed | undefined, offset: number) => fill4([B, T, H, D], (b, j, h, d) => (cross !== undefined ? of.data[((b * H + h) * T + j) * D + d]
    : j < past ? kept!.data[(((beams ? beams[b][j] : b) * H + h) * room + j) * D + d] : of.data[b * H * D + h * D + d] + (biases?.data[offset + h * D + d] ?? 0)));
  return {
    name: `com.microsoft.DecoderMaskedMultiHeadAttention: ${title}`,
    ...operatorModel({
      op: 'DecoderMaskedMultiHeadAttention', domain: 'com.microsoft', outputs: ['output', ...(held ? ['present_key', 'present_value'] : ['', '']), 'qk'],
      inputs: [query, key, value, mask?.fed, scores, held?.[0], held?.[1], held && ints('past_sequence_length', [1], [past]), beams && ints('beam_width', [1], [B]), beams && ints('cache_indirection', [1, B, room], beams.flatMap(row => [...row, ...new Array<number>(room - row.length).fill(0)])), biases && { ...biases, weight: true }],
      attributes: { num_heads: H, output_qk: 1, ...(held ? { past_present_share_buffer: 1 } : {}), ...(fill === -10_000 ? {} : { mask_filter_value: { float: fill } }), ...(scale ? { scale: { float: scale } } : {}) },
    }),
    output: 'output', scores: { output: 'qk', of: 'score' },
    twin: {
      batch: B, heads: H, kvHeads: H, queries: 1, keys: T, dim: D, valueDim: D, scale: scale ?? 1 / Math.sqrt(D),
      q: fill4([B, 1, H, D], (b, _, h, d) => query.data[b * H * D + h * D + d] + (biases?.data[h * D + d] ?? 0)), k: keyed(key, held?.[0], H * D), v: keyed(value, held?.[1], 2 * H * D),
      sees: (b, _, i, j) => !hides || !mask || mask.keeps(b, i, j), bias: (b, h, i, j) => (added?.(b, h, i, j) ?? 0) + (mask && !hides && !mask.keeps(b, i, j) ? fill : 0),
    },
    site: { operator: 'com.microsoft.DecoderMaskedMultiHeadAttention', node: 'attention', mask: { causal: false, window: null, padding: mask?.padding ?? false, additive: scores !== undefined || (mask !== undefined && !hides) } },
  };
}

const later = maskForms(1, 7), other = maskForms(1, 8);

export const fixtures: readonly Fixture[] = [
  masked({ title: 'past', past: 6 }),
  masked({ title: 'past, scale', past: 6, scale: 0.3 }),
  masked({ title: 'past, biases inside', past: 6, bias: true }),
  masked({ title: 'past, cells of keys', past: 6, mask: later.cells }),
  masked({ title: 'past, fill value −3, cells of keys', past: 6, mask: later.cells, fill: -3 }),
  ...([[1, 1], [1, H], [B, 1]] as const).map(scoreBias => masked({ title: `past, bias of ${scoreBias.join(' × ')}`, past: 6, scoreBias })),
  masked({ title: 'past of other beams', past: 6, beams: [[0, 0, 1, 1, 0, 0], [0, 1, 1, 0, 1, 1]] }),
  masked({ title: 'past of other beams, biases inside, cells of keys', past: 6, bias: true, mask: later.cells, beams: [[0, 0, 1, 1, 0, 0], [0, 1, 1, 0, 1, 1]] }),
  masked({ title: 'cross', cross: 8 }),
  masked({ title: 'cross, biases inside', cross: 8, bias: true }),
  masked({ title: 'cross, cells of keys', cross: 8, mask: other.cells }),
];
