/** Log-mel spectrograms against Hugging Face's own extractor (whisper-mel.json, written by whisper_mel.py), the transform against its definition, resampling against the sound itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { logMel } from '../../../extension/engine/audio/log-mel.ts';
import { resample } from '../../../extension/engine/audio/resample.ts';
import { FourierTransform } from '../../../extension/engine/maths/fft.ts';

interface Case { readonly name: string; readonly features: number; readonly fftLength: number; readonly hop: number; readonly samples: number; readonly sound: number; readonly shape: readonly number[]; readonly frames: readonly number[]; readonly values: readonly (readonly number[])[] }
const cases = JSON.parse(readFileSync(join(import.meta.dirname, 'whisper-mel.json'), 'utf8')) as readonly Case[];

/** As whisper_mel.py makes it: a chirp, a tone, and noise from integers. */
function soundOf(count: number): Float32Array {
  let state = 1n;
  return Float32Array.from({ length: count }, (_, t) => {
    state = (state * 1103515245n + 12345n) % 2147483648n;
    return 0.4 * Math.sin(2 * Math.PI * (200 + 0.05 * t) * t / 16000) + 0.2 * Math.sin(2 * Math.PI * 1234.5 * t / 16000) + 0.05 * (Number(state) / 2147483648 - 0.5);
  });
}

describe('the log-mel spectrogram', () => {
  it.each(cases.map(one => [one.name, one] as const))('%s is the reference extractor\'s', (_, { features, fftLength, hop, samples, sound, shape, frames, values }) => {
    const made = logMel(soundOf(sound), { features, fftLength, hop, rate: 16000, samples, padding: 0 });
    expect([features, made.frames]).toEqual(shape);
    let worst = 0;
    frames.forEach((frame, i) => values[i].forEach((value, band) => { worst = Math.max(worst, Math.abs(value - made.data[band * made.frames + frame])); }));
    // Six digits are written down, and the extractor rounds its spectrum to complex64.
    expect(worst).toBeLessThan(5e-6);
  });
  it('of silence is flat', () => expect(new Set(logMel(new Float32Array(1600), { features: 16, fftLength: 400, hop: 160, rate: 16000, samples: 16000, padding: 0 }).data)).toEqual(new Set([Math.fround((-10 + 4) / 4)])));
});

describe('the Fourier transform', () => {
  it.each([1, 2, 7, 12, 60, 97, 400])('of %i points is its definition', size => {
    const re = Float64Array.from({ length: size }, (_, n) => Math.sin(n * n + 1)), im = Float64Array.from({ length: size }, (_, n) => Math.cos(3 * n)), found = new FourierTransform(size).transform({ re, im });
    for (let k = 0; k < size; k++) {
      let a = 0, b = 0;
      for (let n = 0; n < size; n++) { const angle = -2 * Math.PI * (k * n % size) / size, c = Math.cos(angle), s = Math.sin(angle); a += re[n] * c - im[n] * s; b += re[n] * s + im[n] * c; }
      expect(Math.hypot(found.re[k] - a, found.im[k] - b)).toBeLessThan(1e-12 * size);
    }
  });
});

describe('resampling', () => {
  const tone = (hertz: number, rate: number, seconds: number): Float32Array => Float32Array.from({ length: rate * seconds }, (_, n) => 0.5 * Math.sin(2 * Math.PI * hertz * n / rate));
  const middle = (sound: Float32Array): Float32Array => sound.subarray(500, sound.length - 500);
  it.each([[44_100, 16_000, 1000], [8_000, 16_000, 440], [48_000, 16_000, 5_000], [22_050, 16_000, 3_000], [11_025, 16_000, 100]])('from %i to %i Hz keeps a tone of %i Hz', (from, to, hertz) => {
    const made = middle(resample(tone(hertz, from, 1), from, to)), wanted = middle(tone(hertz, to, 1));
    // −60 dB: sixteen zero crossings in a Hann window.
    expect(Math.max(...made.map((value, i) => Math.abs(value - wanted[i])))).toBeLessThan(5e-4);
  });
  it('takes away what the lower rate cannot hold', () => expect(Math.max(...middle(resample(tone(12_000, 48_000, 1), 48_000, 16_000)).map(Math.abs))).toBeLessThan(5e-4));
  it('gives as many samples as the time needs', () => expect(resample(new Float32Array(44_100), 44_100, 16_000)).toHaveLength(16_000));
  it('is nothing where the rates are one', () => { const sound = tone(440, 8000, 1); expect(resample(sound, 8000, 8000)).toBe(sound); });
});
