/** Changes the sample rate of a sound by windowed sinc interpolation. */

/** Zero crossings on each side, and how much of the band is passed: as torchaudio and resampy choose for speech. */
const crossings = 16, rolloff = 0.95;

/**
 * `samples` at `from` Hz, as samples at `to` Hz; ⌈n·to/from⌉ of them. Each is the sum of its neighbours weighted by a sinc that passes what
 * both rates can hold, in a Hann window (Smith, Digital Audio Resampling). Weights repeat after to / gcd samples and are made once.
 */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return samples;
  const divisor = gcd(from, to), up = to / divisor, down = from / divisor, cutoff = Math.min(1, to / from) * rolloff, reach = Math.ceil(crossings / cutoff);
  const out = new Float32Array(Math.ceil(samples.length * to / from)), phases = new Map<number, Float64Array>();
  for (let n = 0; n < out.length; n++) {
    const place = n * down, middle = Math.floor(place / up), phase = place % up;
    let weights = phases.get(phase);
    if (!weights) {
      weights = weightsOf(phase / up, reach, cutoff);
      if (phases.size < mostPhases) phases.set(phase, weights);
    }
    let sum = 0;
    for (let i = 0, j = middle - reach + 1; i < weights.length; i++, j++) if (j >= 0 && j < samples.length) sum += weights[i] * samples[j];
    out[n] = sum;
  }
  return out;
}

const mostPhases = 4_096;

/** Of the samples from `reach` − 1 before to `reach` behind a point `fraction` behind a sample. */
function weightsOf(fraction: number, reach: number, cutoff: number): Float64Array {
  return Float64Array.from({ length: 2 * reach }, (_, i) => {
    const distance = i - reach + 1 - fraction, x = distance * cutoff;
    if (Math.abs(x) >= crossings) return 0;
    return cutoff * (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)) * Math.cos(Math.PI * x / (2 * crossings)) ** 2;
  });
}

function gcd(a: number, b: number): number { return b ? gcd(b, a % b) : a; }
