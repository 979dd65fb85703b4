/** Sink tokens by massive activations against the authors' own classes: φ, the sinks, and the sink dimensions that we find ourselves. */
import { describe, expect, it } from 'vitest';
import { sinkDimensions, sinkThreshold, sinkValues } from '../../extension/engine/maths/sink-dimensions.ts';
import { goldenCases } from './cases.ts';

const cases = goldenCases('visual-attention-sink');
it('has cases, unless others are selected', () => expect(cases.length > 0 || process.env['ATTNSCOPE_ONLY'] !== undefined).toBe(true));

describe.each(cases.map(golden => [golden.name, golden] as const))('%s', (_, { tensors, metadata }) => {
  const hidden = tensors.get('hidden')!, [tokens, width] = hidden.shape, dims = JSON.parse(metadata['dim_sink']) as number[], authors = Array.from(tensors.get('sink_indices')?.data ?? []);
  it('φ and the sinks above the authors\' threshold', () => {
    const phi = sinkValues(hidden.data, width, dims);
    // The authors compute in float32.
    tensors.get('phi')!.data.forEach((value, j) => expect(Math.abs(phi[j] - value)).toBeLessThanOrEqual(1e-5));
    expect(Array.from(phi.keys()).filter(j => phi[j] > Number(metadata['tau']))).toEqual(authors);
    for (const value of phi) expect(value).toBeLessThanOrEqual(Math.sqrt(width) * (1 + 1e-6));
  });
  it('finds sink dimensions from the first token, and with them no other sinks', () => {
    const start = Number(metadata['image_start']), length = Number(metadata['image_len']), kinds = Uint8Array.from({ length: tokens }, (__, j) => (j === 0 ? 1 : j >= start && j < start + length ? 0 : 2));
    const found = sinkDimensions(() => [{ hidden: hidden.data, kinds }], width), massive = dims.filter(d => Math.abs(hidden.data[d]) > 0.5 * Math.hypot(...hidden.data.subarray(0, width)));
    expect(found).toEqual(authors.includes(0) ? massive : []);
    const phi = sinkValues(hidden.data, width, found), sinks = Array.from(phi.keys()).filter(j => phi[j] > sinkThreshold(width));
    // Each synthetic sink is massive in one of the two dimensions: those that share the first token's are found, and nothing else.
    for (const j of sinks) expect(authors).toContain(j);
    if (authors.includes(0)) expect(sinks).toContain(0);
  });
  it('is blind to the scale of the stream', () => {
    const twice = sinkValues(hidden.data.map(value => 2 * value), width, dims), once = sinkValues(hidden.data, width, dims);
    twice.forEach((value, j) => expect(value).toBeCloseTo(once[j], 4));
  });
});
