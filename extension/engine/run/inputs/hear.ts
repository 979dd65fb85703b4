/** A sound file as the features that a speech model's encoder reads. */
import { UserError } from '../../../contract/errors.ts';
import { logMel, type MelSettings } from '../../audio/log-mel.ts';
import { resample } from '../../audio/resample.ts';
import { readWav } from '../../audio/wav.ts';
import { transformSteps } from '../../maths/fft.ts';
import { jsonBeside } from '../../folder/beside.ts';
import type { Dim, Model } from '../../onnx/model.ts';

export interface Heard {
  /** [1, features, frames]. */
  readonly dims: readonly number[];
  readonly values: Float32Array;
  /** Of the file. */
  readonly seconds: number;
  /** That the frames stand for. */
  readonly span: number;
}

/** Errors: `UserError` of the file, of preprocessor_config.json, and where both do not fit the model. */
export function hear(file: string, model: Model, dims: readonly Dim[] | undefined): Heard {
  const settings = melSettings(model, dims), span = settings.samples / settings.rate, { samples, rate, seconds } = readWav(file, span);
  const { data, frames } = logMel(resample(samples, rate, settings.rate), settings);
  return { dims: [1, settings.features, frames], values: data, seconds, span };
}

const rates = [1_000, 384_000] as const, most = { features: 1_024, fft: 65_536, samples: 2 ** 24 };
/** Steps of all transforms, and cells of the spectrogram: about twenty and seventy times what Whisper takes for 30 s. */
const mostSteps = 4e8, mostCells = 2 ** 24;

/** preprocessor_config.json beside the model; what it leaves out is as the model's input says, then as Whisper has it. */
export function melSettings(model: Model, dims: readonly Dim[] | undefined): MelSettings {
  const config = jsonBeside(model.path, 'preprocessor_config.json') ?? {}, declared = (axis: number): number | undefined => { const dim = dims?.[axis]; return typeof dim === 'number' && dim > 0 ? dim : undefined; };
  const whole = (name: string, usual: number, least: number, largest: number): number => {
    const value = config[name] ?? usual;
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > largest) throw new UserError(`preprocessor_config.json beside ${model.path} holds a wrong value for ${name}: a whole number from ${least} to ${largest} is expected.`, 'Correct it, or take it away.');
    return value as number;
  };
  const rate = whole('sampling_rate', 16_000, ...rates), hop = whole('hop_length', 160, 1, most.fft), frames = declared(2);
  const samples = whole('n_samples', config['chunk_length'] === undefined && frames !== undefined ? frames * hop : whole('chunk_length', 30, 1, most.samples) * rate, hop, most.samples);
  const padding = config['padding_value'] ?? 0;
  const settings = { features: whole('feature_size', declared(1) ?? 80, 1, most.features), fftLength: whole('n_fft', 400, 2, most.fft), hop, rate, samples, padding: typeof padding === 'number' && Number.isFinite(padding) ? padding : 0 };
  const count = Math.floor(samples / hop);
  if (count * transformSteps(settings.fftLength) > mostSteps || count * settings.features > mostCells) throw new UserError(`preprocessor_config.json beside ${model.path} asks for ${count} frames of ${settings.fftLength} samples in ${settings.features} bands, which is more than is computed.`, 'Correct n_fft, hop_length and chunk_length.');
  return settings;
}
