/** com.microsoft Attention: every mask that its CPU kernel takes, past, scores' bias, scale, fill value, sizes of q, k and v. */
import { broadcastBias, fill4, floats, inHalf, operatorModel, seeded, sixtyFourths, type Fed, type Fixture } from '../fixture.ts';
import { maskForms, type Form } from '../key-masks.ts';

interface Wanted { readonly title: string; readonly causal?: boolean; readonly past?: number; readonly mask?: Form; readonly bias?: readonly [number, number]; readonly fill?: number; readonly scale?: number; readonly valueDim?: number; readonly opset?: number; readonly fedWeights?: boolean; /** A past of no positions, as at the start of a generation. */ readonly start?: boolean; readonly half?: boolean }

const B = 2, S = 6, H = 2, D = 4, width = 8;

function attention({ title, causal = false, past = 0, mask, bias, fill = -10_000, scale, valueDim = D, opset = 17, fedWeights = false, start = false, half = false }: Wanted): Fixture {
  const random = seeded(title.length * 7919 + past), T = past + S, columns = H * (2 * D + valueDim);
  const made = (...of: Parameters<typeof floats>): ReturnType<typeof floats> => (half ? sixtyFourths(floats(...of)) : floats(...of));
  const x = made('input', [B, S, width], random, 1.5), weights = made('weights', [width, columns], random, 1), b = made('bias', [columns], random, 0.5), held = past || start ? made('past', [2, B, H, past, D], random, 1.5) : undefined;
  const scores: (Fed & { readonly data: Float32Array }) | undefined = bias && made('attention_bias', [...bias, S, T], random, 2), weight = <F extends Fed>(fed: F): F => (fedWeights || half ? fed : { ...fed, weight: true });
  const projected = (sample: number, i: number, column: number): number => { let sum = b.data[column]; for (let n = 0; n < width; n++) sum += x.data[(sample * S + i) * width + n] * weights.data[n * columns + column]; return sum; };
  const cached = (which: 0 | 1, sample: number, j: number, h: number, d: number): number => held!.data[(((which * B + sample) * H + h) * past + j) * D + d];
  const keyed = (which: 0 | 1, size: number) => fill4([B, T, H, size], (sample, j, h, d) => (j < past ? cached(which, sample, j, h, d) : projected(sample, j - past, H * D * (1 + which) + h * size + d)));
  const hides = fill <= -1e4, visible = (sample: number, i: number, j: number): boolean => (!causal || j <= i + past), added = scores && broadcastBias(scores);
  return {
    name: `com.microsoft.Attention: ${title}`,
    ...(half ? inHalf : <M>(same: M): M => same)(operatorModel({
      op: 'Attention', domain: 'com.microsoft', inputs: [x, weight(weights), weight(b), mask?.fed, held, scores], outputs: held ? ['output', 'present'] : ['output'], opset: { '': opset, 'com.microsoft': 1 },
      attributes: { num_heads: H, ...(causal ? { unidirectional: 1 } : {}), ...(fill === -10_000 ? {} : { mask_filter_value: { float: fill } }), ...(scale ? { scale: { float: scale } } : {}), ...(valueDim === D ? {} : { qkv_hidden_sizes: [H * D, H * D, H * valueDim] }) },
    })),
    // Outputs are rounded to 11 bits; the kernel itself computes in float32.
    ...(half ? { tolerance: 1e-3 } : {}),
    output: 'output',
    twin: {
      batch: B, heads: H, kvHeads: H, queries: S, keys: T, dim: D, valueDim, scale: scale ?? 1 / Math.sqrt(D), q: fill4([B, S, H, D], (sample, i, h, d) => projected(sample, i, h * D + d)), k: keyed(0, D), v: keyed(1, valueDim),
      sees: (sample, _, i, j) => visible(sample, i, j) && (!hides || !mask || mask.keeps(sample, i, j)),
      bias: (sample, h, i, j) => (added?.(sample, h, i, j) ?? 0) + (mask && !hides && !mask.keeps(sample, i, j) ? fill : 0),
    },
    site: { name: 'blocks.0.attn', kind: 'self', operator: 'com.microsoft.Attention', node: 'attention', mask: { causal, window: null, padding: mask?.padding ?? false, additive: scores !== undefined || (mask !== undefined && !hides) } },
    ...(mask?.traced ? { traced: { mask: { causal, window: null, padding: mask.traced.padding, additive: false } } } : {}),
  };
}

const forms = maskForms(S, S), later = maskForms(S, S + 3);

export const fixtures: readonly Fixture[] = [
  attention({ title: 'bare' }),
  attention({ title: 'causal', causal: true }),
  attention({ title: 'operator set 11', opset: 11, mask: forms.lengths }),
  attention({ title: 'weights that are fed', fedWeights: true, causal: true }),
  attention({ title: 'scale', scale: 0.3 }),
  attention({ title: 'float16, causal, past, cells of keys', half: true, past: 3, causal: true, mask: maskForms(S, S + 3).cells }),
  attention({ title: 'values of another size', valueDim: 6 }),
  ...Object.values(forms).map(mask => attention({ title: mask.name, mask })),
  ...[forms.lengths, forms.ends, forms.cells, forms.perQuery].map(mask => attention({ title: `causal, ${mask.name}`, causal: true, mask })),
  ...[forms.lengths, forms.cells, forms.perQuery].map(mask => attention({ title: `fill value −3, ${mask.name}`, mask, fill: -3 })),
  ...([[1, 1], [1, H], [B, 1], [B, H]] as const).map(bias => attention({ title: `bias of ${bias.join(' × ')}`, bias })),
  attention({ title: 'bias, causal, cells of keys', bias: [1, H], causal: true, mask: forms.cells }),
  attention({ title: 'empty past, causal, cells of keys', start: true, causal: true, mask: forms.cells }),
  attention({ title: 'past', past: 3 }),
  attention({ title: 'past, causal', past: 3, causal: true }),
  ...[later.lengths, later.ends, later.cells, later.perQuery].map(mask => attention({ title: `past, causal, ${mask.name}`, past: 3, causal: true, mask })),
];
