/** com.microsoft GroupQueryAttention and SparseAttention: packed and separate, rotary embedding, past, lengths, window, softcap, bias, sinks, layouts of blocks. */
import { dataType, type NewNode } from '../../../extension/engine/onnx/model.ts';
import { fromHalf, toHalf } from '../../../extension/engine/maths/half.ts';
import { broadcastBias, fill4, floats, ints, operatorModel, seeded, type Fed, type Fixture } from '../fixture.ts';

interface Wanted {
  readonly title: string;
  readonly queries?: number;
  /** Positions of the past, and of the buffer that it lies in; undefined: no past inputs. */
  readonly past?: number; readonly room?: number;
  /** Of each sample, past and all. */
  readonly lengths?: readonly number[];
  readonly packed?: boolean; readonly rotary?: 'half' | 'interleaved';
  /** Columns of the cosines. */
  readonly turned?: number; readonly dim?: number; readonly positions?: boolean; readonly present?: boolean;
  readonly scoreBias?: readonly [number, number]; readonly sink?: boolean; readonly smooth?: boolean; readonly window?: number; readonly softcap?: number; readonly scale?: number; readonly causal?: boolean; readonly half?: boolean;
  readonly own?: 1 | 2;
  /** Sizes of the inputs are not declared. */
  readonly open?: boolean;
  /** SparseAttention: per layout the blocks of keys of each row of blocks of 16 positions. */
  readonly layouts?: readonly (readonly (readonly number[])[])[];
}

const H = 4, Nk = 2, most = 64;

function grouped(wanted: Wanted): Fixture {
  const { title, past, lengths = [wanted.queries ?? 5, wanted.queries ?? 5], packed = false, rotary, dim: D = 16, turned = D / 2, causal = true, window, layouts, half = false } = wanted;
  const B = lengths.length, S = wanted.queries ?? 5, T = Math.max(...lengths), prompt = S === T, room = wanted.room ?? past ?? 0, random = seeded(title.length * 7919 + title.charCodeAt(title.length - 1)), type = half ? dataType.float16 : dataType.float;
  const round = (values: Float32Array): Float32Array => (half ? fromHalf(toHalf(values)) : values), made = (name: string, dims: readonly number[], spread: number): Fed & { readonly data: Float32Array } => { const one = floats(name, dims, random, spread); return { ...one, data: round(one.data), type }; };
  const q = made('query', [B, S, H * D], 2), k = made('key', [B, S, Nk * D], 2), v = made('value', [B, S, Nk * D], 1), pastK = made('past_key', [B, Nk, room, D], 2), pastV = made('past_value', [B, Nk, room, D], 1);
  const table = (name: string, f: (x: number) => number): Fed & { readonly data: Float32Array } => ({ name, dims: [most, turned], type, data: round(Float32Array.from({ length: most * turned }, (_, n) => f(Math.floor(n / turned) / 100 ** (n % turned / turned)))) });
  const cos = table('cos_cache', Math.cos), sin = table('sin_cache', Math.sin), scores = wanted.scoreBias && made('attention_bias', [...wanted.scoreBias, S, T], 2), sink = wanted.sink ? made('head_sink', [H], 2) : undefined;
  const given = wanted.positions ? ints('position_ids', [B, S], Array.from({ length: B * S }, (_, n) => (n * 7 + 3) % 40), dataType.int64) : undefined;
  const all = { name: 'query', type, dims: [B, S, (H + 2 * Nk) * D], data: Float32Array.from({ length: B * S * (H + 2 * Nk) * D }, (_, n) => { const at = n % ((H + 2 * Nk) * D), row = Math.floor(n / ((H + 2 * Nk) * D)); return at < H * D ? q.data[row * H * D + at] : at < (H + Nk) * D ? k.data[row * Nk * D + at - H * D] : v.data[row * Nk * D + at - (H + Nk) * D]; }) };

  const before = (b: number): number => (prompt ? 0 : lengths[b] - S), place = (b: number, i: number): number => (!given ? before(b) + i : prompt ? given.data[0] + i : given.data[b * S + i]);
  /** Element d of a head that stands at a place, as the kernel rounds it. */
  const turn = (of: (d: number) => number, p: number, d: number): number => {
    if (!rotary || d >= 2 * turned) return of(d);
    const [x, y, n] = rotary === 'half' ? [d % turned, d % turned + turned, d % turned] : [d - d % 2, d - d % 2 + 1, Math.floor(d / 2)], c = cos.data[p * turned + n], s = sin.data[p * turned + n];
    return round(Float32Array.of(d === x ? of(x) * c - of(y) * s : of(y) * c + of(x) * s))[0];
  };
  // What lies behind a sample's end is a buffer's zeros, or a prompt's padding, which is rotated and stored like the rest.
  const keyed = (fresh: Fed, kept: Fed, turns: boolean) => fill4([B, T, Nk, D], (b, j, h, d) => {
    const i = j - before(b), at = (e: number): number => fresh.data[((b * S + i) * Nk + h) * D + e];
    return i < 0 ? kept.data[((b * Nk + h) * room + j) * D + d] : i >= S ? 0 : turns ? turn(at, place(b, i), d) : at(d);
  });
  const attributes: NewNode['attributes'] = {
    num_heads: H, kv_num_heads: Nk, ...(rotary ? { do_rotary: 1 } : {}), ...(rotary === 'interleaved' ? { rotary_interleaved: 1 } : {}), ...(window ? { local_window_size: window } : {}), ...(wanted.softcap ? { softcap: { float: wanted.softcap } } : {}),
    ...(wanted.scale ? { scale: { float: wanted.scale } } : {}), ...(wanted.smooth ? { smooth_softmax: 1 } : {}), ...(causal ? {} : { causal: 0 }), ...(wanted.own ? { qk_output: wanted.own } : {}), ...(layouts ? { sparse_block_size: 16 } : {}),
  };
  const inputs = packed ? [all, undefined, undefined] : [q, k, v], cache = past === undefined ? [undefined, undefined] : [pastK, pastV], turning = rotary ? [cos, sin] : [undefined, undefined];
  const entries = Math.max(...(layouts ?? [[]]).map(rows => rows.flat().length));
  const rest = layouts ? [
    ints('block_row_indices', [layouts.length, layouts[0].length + 1], layouts.flatMap(rows => rows.reduce((sums, row) => [...sums, sums[sums.length - 1] + row.length], [0]))),
    ints('block_col_indices', [layouts.length, entries], layouts.flatMap(rows => [...rows.flat(), ...new Array<number>(entries - rows.flat().length).fill(-1)])),
    ints('total_sequence_length', [1], [T]), ints('key_total_sequence_lengths', [B], lengths), ...turning,
  ] : [ints('seqlens_k', [B], lengths.map(each => each - 1)), ints('total_sequence_length', [1], [T]), ...turning, given, scores, sink];
  const op = layouts ? 'SparseAttention' : 'GroupQueryAttention', added = scores && broadcastBias(scores);
  const { model, inputs: fed } = operatorModel({ op, domain: 'com.microsoft', inputs: [...inputs, ...cache, ...rest], outputs: ['output', ...(wanted.present === false ? [] : ['present_key', 'present_value']), ...(wanted.own ? ['qk'] : [])], attributes });
  return {
    name: `com.microsoft.${op}: ${title}`, inputs: fed, output: 'output',
    model: {
      ...model, outputs: model.outputs.map(one => ({ ...one, type })),
      ...(wanted.open ? { inputs: model.inputs.map(one => ({ ...one, dims: one.name.endsWith('cache') ? one.dims! : one.dims!.map((_, axis) => `${one.name}.${axis}`) })) } : {}),
    },
    ...(wanted.own ? { scores: { output: 'qk', of: wanted.own === 2 ? 'prob' as const : 'score' as const } } : {}), ...(layouts ? { shared: [['past_key', 'present_key'], ['past_value', 'present_value']] } : {}), ...(half ? { tolerance: 1e-3 } : {}),
    twin: {
      batch: B, heads: H, kvHeads: Nk, queries: S, keys: T, dim: D, valueDim: D, scale: wanted.scale ?? 1 / Math.sqrt(D), softcap: wanted.softcap ?? 0,
      q: fill4([B, S, H, D], (b, i, h, d) => turn(e => q.data[((b * S + i) * H + h) * D + e], place(b, i), d)), k: keyed(k, pastK, true), v: keyed(v, pastV, false),
      // Behind the end of a prompt the operator leaves what was in its memory: these rows see nothing.
      sees: (b, h, i, j) => {
        const p = before(b) + i;
        if (j >= lengths[b] || (causal && (p >= lengths[b] || j > p)) || (window !== undefined && j <= p - window)) return false;
        return !layouts || layouts[h % layouts.length][Math.floor(p / 16)].includes(Math.floor(j / 16));
      },
      ...(added ? { bias: added } : {}), ...(sink ? { sink: Array.from(sink.data) } : wanted.smooth ? { sink: [0, 0, 0, 0] } : {}),
    },
    site: { operator: `com.microsoft.${op}`, heads: wanted.open ? H : H, kvHeads: Nk, sinkLogit: Boolean(sink) || Boolean(wanted.smooth), ...(lengths.some(each => each !== T) ? {} : { mask: { causal, window: window ?? null, padding: !layouts, additive: scores !== undefined } }) },
  };
}

const dense = [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]], two = [[[0], [0, 1], [0, 2], [1, 3]], [[0], [1], [0, 1, 2], [3]]];
const sparse = (title: string, more: Partial<Wanted> = {}): Fixture => grouped({ title, queries: 40, past: 0, room: 64, layouts: two, ...more });

export const fixtures: readonly Fixture[] = [
  grouped({ title: 'separate' }), grouped({ title: 'packed', packed: true }), grouped({ title: 'an empty past', past: 0 }), grouped({ title: 'no present', present: false }), grouped({ title: 'scale', scale: 0.5 }),
  grouped({ title: 'rotary halves', rotary: 'half' }), grouped({ title: 'rotary pairs, packed', rotary: 'interleaved', packed: true }), grouped({ title: 'rotary halves of a part', rotary: 'half', dim: 32, turned: 8 }), grouped({ title: 'rotary, packed, no present', rotary: 'half', packed: true, present: false }),
  grouped({ title: 'position ids', rotary: 'half', positions: true }), grouped({ title: 'position ids, one token', rotary: 'half', positions: true, past: 3, queries: 1, lengths: [4, 4] }),
  grouped({ title: 'one token behind a past', rotary: 'half', past: 6, queries: 1, lengths: [7, 7] }), grouped({ title: 'one token behind pasts of two lengths', rotary: 'half', past: 6, queries: 1, lengths: [7, 4] }), grouped({ title: 'three tokens behind a past', rotary: 'half', past: 4, queries: 3, lengths: [7] }),
  grouped({ title: 'a past in a longer buffer', past: 6, room: 12, queries: 1, lengths: [7, 7] }), grouped({ title: 'a prompt in a longer buffer', past: 0, room: 12 }),
  grouped({ title: 'padding on the right', rotary: 'half', lengths: [5, 3] }), grouped({ title: 'padding on the right, window', past: 0, lengths: [3, 5], window: 2 }),
  grouped({ title: 'window', window: 2 }), grouped({ title: 'window, one token', window: 3, past: 6, queries: 1, lengths: [7, 7] }), grouped({ title: 'window, pasts of two lengths', window: 3, past: 6, queries: 1, lengths: [7, 5] }), grouped({ title: 'window, three tokens', window: 3, past: 4, queries: 3, lengths: [7] }),
  grouped({ title: 'softcap', softcap: 2 }), grouped({ title: 'bias', scoreBias: [1, 1] }), grouped({ title: 'bias of samples and heads', scoreBias: [2, H] }), grouped({ title: 'bias, softcap', scoreBias: [1, H], softcap: 3 }), grouped({ title: 'bias, one token', scoreBias: [2, 1], past: 6, queries: 1, lengths: [7, 7] }),
  grouped({ title: 'head sinks', sink: true }), grouped({ title: 'smooth softmax', smooth: true }), grouped({ title: 'head sinks, smooth softmax', sink: true, smooth: true }), grouped({ title: 'head sinks, window, one token', sink: true, window: 2, past: 3, queries: 1, lengths: [4, 4] }), grouped({ title: 'head sinks, padding on the right', sink: true, lengths: [5, 2] }),
  grouped({ title: 'not causal', causal: false }), grouped({ title: 'not causal, lengths', causal: false, lengths: [5, 3] }),
  grouped({ title: 'own scores', own: 1, softcap: 2 }), grouped({ title: 'own probabilities', own: 2 }), grouped({ title: 'own probabilities, head sinks', own: 2, sink: true }), grouped({ title: 'no sizes, packed, rotary', open: true, packed: true, rotary: 'half' }), grouped({ title: 'no sizes', open: true }),
  grouped({ title: 'float16', half: true }), grouped({ title: 'float16, packed, rotary halves', half: true, packed: true, rotary: 'half' }), grouped({ title: 'float16, rotary pairs, one token behind a past', half: true, rotary: 'interleaved', past: 6, queries: 1, lengths: [7, 7] }), grouped({ title: 'float16, window, pasts of two lengths', half: true, window: 3, past: 6, queries: 1, lengths: [7, 5] }),
  grouped({ title: 'float16, softcap, bias', half: true, softcap: 3, scoreBias: [1, H] }), grouped({ title: 'float16, head sinks', half: true, sink: true }), grouped({ title: 'float16, padding on the right', half: true, rotary: 'half', lengths: [5, 3] }), grouped({ title: 'float16, own probabilities', half: true, own: 2 }),
  sparse('two layouts'), sparse('packed', { packed: true }), sparse('rotary halves', { rotary: 'half' }), sparse('rotary pairs, packed, scale', { rotary: 'interleaved', packed: true, scale: 0.3 }), sparse('one token', { past: 35, queries: 1, lengths: [36, 36], rotary: 'half' }),
  sparse('four tokens behind a past', { past: 30, queries: 4, lengths: [34] }), sparse('one layout', { layouts: [two[0]] }), sparse('everything', { layouts: [dense] }),
];
