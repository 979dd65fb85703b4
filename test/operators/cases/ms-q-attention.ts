/** com.microsoft QAttention: 8-bit hidden states and weights, with and without zero points, scales a tensor or a column, masks, past. */
import { dataType } from '../../../extension/engine/onnx/model.ts';
import { fill4, floats, operatorModel, seeded, type Fed, type Fixture } from '../fixture.ts';
import { maskForms, type Form } from '../key-masks.ts';

interface Wanted { readonly title: string; readonly signed?: boolean; readonly zeros?: readonly [number, number]; readonly columns?: boolean; readonly causal?: boolean; readonly past?: number; readonly mask?: Form; readonly fill?: number }

const B = 2, S = 6, H = 2, D = 4, width = 8, columnCount = 3 * H * D;

function quantized({ title, signed = false, zeros, columns = false, causal = false, past = 0, mask, fill = -10_000 }: Wanted): Fixture {
  const random = seeded(title.length * 15_485_863 + past), T = past + S, bytes = (name: string, dims: readonly number[], type: number, low: number): Fed & { readonly data: number[] } => ({ name, dims, type, data: Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => Math.floor(random() * (low ? -2 * low : 256)) + low) });
  // Signed weights of seven bits: where a processor adds two products in 16 bits (AVX2 without VNNI), eight would overflow in any such product of onnxruntime.
  const x = bytes('input', [B, S, width], dataType.uint8, 0), weights = bytes('weights', [width, columnCount], signed ? dataType.int8 : dataType.uint8, signed ? -64 : 0), b = floats('bias', [columnCount], random, 0.5);
  const one = (name: string, value: number): Fed & { readonly data: Float32Array } => ({ name, dims: [1], data: Float32Array.of(value) }), xScale = one('input_scale', 0.01);
  const wScale = columns ? { name: 'weight_scale', dims: [columnCount], data: Float32Array.from({ length: columnCount }, () => 0.01 + random() / 100) } : one('weight_scale', 0.015);
  const xZero = zeros?.[0] ?? 0, wZero = zeros?.[1] ?? 0, held = past ? floats('past', [2, B, H, past, D], random, 1.5) : undefined, weight = <F extends Fed>(fed: F): F => ({ ...fed, weight: true });
  const projected = (sample: number, i: number, column: number): number => { let sum = 0; for (let n = 0; n < width; n++) sum += (x.data[(sample * S + i) * width + n] - xZero) * (weights.data[n * columnCount + column] - wZero); return sum * xScale.data[0] * wScale.data[columns ? column : 0] + b.data[column]; };
  const keyed = (which: 0 | 1) => fill4([B, T, H, D], (sample, j, h, d) => (j < past ? held!.data[(((which * B + sample) * H + h) * past + j) * D + d] : projected(sample, j - past, H * D * (1 + which) + h * D + d)));
  const hides = fill <= -1e4;
  return {
    name: `com.microsoft.QAttention: ${title}`,
    ...operatorModel({
      op: 'QAttention', domain: 'com.microsoft', outputs: held ? ['output', 'present'] : ['output'], attributes: { num_heads: H, ...(causal ? { unidirectional: 1 } : {}), ...(fill === -10_000 ? {} : { mask_filter_value: { float: fill } }) },
      inputs: [x, weight(weights), weight(b), weight(xScale), weight(wScale), mask?.fed, zeros && weight({ name: 'input_zero', dims: [1], type: dataType.uint8, data: [xZero] }), zeros && weight({ name: 'weight_zero', dims: [1], type: weights.type, data: [wZero] }), held],
    }),
    output: 'output',
    twin: {
      batch: B, heads: H, kvHeads: H, queries: S, keys: T, dim: D, valueDim: D, scale: 1 / Math.sqrt(D), q: fill4([B, S, H, D], (sample, i, h, d) => projected(sample, i, h * D + d)), k: keyed(0), v: keyed(1),
      sees: (sample, _, i, j) => (!causal || j <= i + past) && (!hides || !mask || mask.keeps(sample, i, j)), bias: (sample, _, i, j) => (mask && !hides && !mask.keeps(sample, i, j) ? fill : 0),
    },
    site: { name: 'blocks.0.attn', kind: 'self', operator: 'com.microsoft.QAttention', mask: { causal, window: null, padding: mask?.padding ?? false, additive: mask !== undefined && !hides } },
    ...(mask?.traced ? { traced: { mask: { causal, window: null, padding: mask.traced.padding, additive: false } } } : {}),
  };
}

const forms = maskForms(S, S), later = maskForms(S, S + 3);

export const fixtures: readonly Fixture[] = [
  quantized({ title: 'signed weights', signed: true, zeros: [128, 0] }),
  quantized({ title: 'zero points of both', zeros: [128, 120] }),
  quantized({ title: 'signed weights without zero points', signed: true }),
  quantized({ title: 'a scale for every column', signed: true, zeros: [128, 0], columns: true }),
  ...Object.values(forms).map(mask => quantized({ title: mask.name, mask, zeros: [128, 120] })),
  quantized({ title: 'causal, cells of keys', causal: true, mask: forms.cells, zeros: [128, 120] }),
  quantized({ title: 'fill value −3, cells of keys', mask: forms.cells, fill: -3, zeros: [128, 120] }),
  quantized({ title: 'past, causal, lengths', past: 3, causal: true, mask: later.lengths, zeros: [128, 120] }),
  quantized({ title: 'past', past: 3, zeros: [128, 120] }),
];
