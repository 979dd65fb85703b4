/** The log-mel spectrogram that Whisper was trained on, step by step as Hugging Face's `WhisperFeatureExtractor` makes it. */
import { FourierTransform } from '../maths/fft.ts';

export interface MelSettings {
  /** Mel bands. */
  readonly features: number;
  /** Samples of a frame. */
  readonly fftLength: number;
  /** Samples from one frame to the next. */
  readonly hop: number;
  /** Hz. */
  readonly rate: number;
  /** The sound is cut, or padded at its end with `padding`, to this many samples. */
  readonly samples: number;
  readonly padding: number;
}

/** Smallest energy whose logarithm is taken, and how far below the loudest cell (in powers of ten) the picture ends. */
const floor = 1e-10, depth = 8;

/**
 * [features, frames] row-major, frames = samples / hop: reflected at both ends, Hann window (periodic), power spectrum, mel bands (Slaney's
 * scale and area norm up to 8 kHz), log10, clamped at the maximum less 8, (x + 4) / 4. `sound`: mono at `rate`, −1 to 1.
 */
export function logMel(sound: Float32Array, settings: MelSettings): { readonly data: Float32Array; readonly frames: number } {
  const { features, fftLength, hop, rate, samples, padding } = settings, half = Math.floor(fftLength / 2), bins = half + 1, frames = Math.floor((samples + 2 * half - fftLength) / hop);
  const at = (n: number): number => { const i = reflect(n - half, samples); return i < sound.length ? sound[i] : padding; };
  const window = Float64Array.from({ length: fftLength }, (_, n) => 0.5 - 0.5 * Math.cos(2 * Math.PI * n / fftLength));
  const bank = melBank(features, bins, rate), fourier = new FourierTransform(fftLength), data = new Float32Array(features * frames), power = new Float64Array(bins);
  let loudest = -Infinity;
  // The extractor drops its last frame before it looks for the loudest cell.
  for (let frame = 0; frame < frames; frame++) {
    const re = Float64Array.from({ length: fftLength }, (_, n) => at(frame * hop + n) * window[n]), spectrum = fourier.transform({ re, im: new Float64Array(fftLength) });
    for (let bin = 0; bin < bins; bin++) power[bin] = spectrum.re[bin] ** 2 + spectrum.im[bin] ** 2;
    for (let band = 0; band < features; band++) {
      const { from, weights } = bank[band];
      let energy = 0;
      for (let i = 0; i < weights.length; i++) energy += weights[i] * power[from + i];
      const value = Math.log10(Math.max(floor, energy));
      data[band * frames + frame] = value;
      if (value > loudest) loudest = value;
    }
  }
  for (let i = 0; i < data.length; i++) data[i] = (Math.max(data[i], loudest - depth) + 4) / 4;
  return { data, frames };
}

/** Without repeating the edge: −1 is 1, `length` is `length` − 2. */
function reflect(n: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1), m = ((n % period) + period) % period;
  return m < length ? m : period - m;
}

const highest = 8000;

/** Triangles over the frequencies of the bins, each with the area that Slaney's Auditory Toolbox (1998) gives it; only where they are above zero. */
export function melBank(features: number, bins: number, rate: number): readonly { readonly from: number; readonly weights: Float64Array }[] {
  const low = toMel(0), high = toMel(highest), edges = Array.from({ length: features + 2 }, (_, i) => toHertz(low + (high - low) * i / (features + 1)));
  const frequencies = Array.from({ length: bins }, (_, i) => Math.floor(rate / 2) * i / (bins - 1));
  return Array.from({ length: features }, (_, band) => {
    const [left, middle, right] = edges.slice(band, band + 3), area = 2 / (right - left);
    const weights = frequencies.map(f => Math.max(0, Math.min((f - left) / (middle - left), (right - f) / (right - middle))) * area);
    const from = Math.max(weights.findIndex(weight => weight > 0), 0), to = weights.findLastIndex(weight => weight > 0) + 1;
    return { from, weights: Float64Array.from(weights.slice(from, Math.max(from, to))) };
  });
}

/** Slaney's scale: linear up to 1 kHz (15 mel), then 27 steps a factor of 6.4. */
const knee = 1000, kneeMel = 15, step = Math.log(6.4) / 27;
function toMel(hertz: number): number { return hertz < knee ? 3 * hertz / 200 : kneeMel + Math.log(hertz / knee) / step; }
function toHertz(mel: number): number { return mel < kneeMel ? 200 * mel / 3 : knee * Math.exp(step * (mel - kneeMel)); }
