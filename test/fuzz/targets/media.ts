/** Images and sounds, and the files that say how they become numbers: read, resized, resampled, and made into what a model is fed. */
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { generateSound, generateSpeech } from '../../unit/run/generate-pair.ts';
import { breakChunks } from '../mutate-chunks.ts';
import { breakJson } from '../mutate-json.ts';
import type { Target } from '../target.ts';

const root = resolve(import.meta.dirname, '../../..'), pictures = join(root, 'test/unit/images/fixtures'), vit = join(root, 'test/zoo/models/vit/sdpa-ts.onnx');

export const images: Target = {
  name: 'images', share: 4, mutate: breakChunks, file: 'image', prepare: () => undefined,
  seeds: readdirSync(pictures).filter(name => /\.(png|jpg)$/.test(name)).sort().map(name => ({ bytes: readFileSync(join(pictures, name)) })),
  use: async (engine, folder) => { await engine.weigh({ model: vit, prompt: { kind: 'image', image: join(folder, 'image') }, out: join(folder, 'out.attntrace') }); },
};

export const sounds: Target = {
  name: 'sounds', share: 3, seeds: soundsOfEveryCoding().map(bytes => ({ bytes })), mutate: breakChunks, file: 'sound.wav', prepare: folder => { generateSpeech(folder); },
  use: async (engine, folder) => { await engine.weigh({ model: folder, prompt: { kind: 'audio', file: join(folder, 'sound.wav') }, out: join(folder, 'out.attntrace') }); },
};

const processors = [
  { image_processor_type: 'ViTImageProcessor', do_resize: true, size: { height: 32, width: 32 }, resample: 2, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] },
  { image_processor_type: 'CLIPImageProcessor', size: { shortest_edge: 32 }, do_center_crop: true, crop_size: { height: 32, width: 32 }, resample: 3 },
  { image_processor_type: 'LlavaImageProcessor', do_pad: true, size: { shortest_edge: 32 }, crop_size: 32, image_mean: [0.48, 0.46, 0.41], image_std: [0.27, 0.26, 0.28] },
  { feature_extractor_type: 'ConvNextFeatureExtractor', size: 32, crop_pct: 0.875, do_rescale: true, rescale_offset: false },
];

export const imageProcessors: Target = {
  name: 'image-processors', share: 1, seeds: processors.map(one => ({ bytes: Buffer.from(JSON.stringify(one)) })), mutate: breakJson, file: 'preprocessor_config.json',
  prepare: folder => { copyFileSync(vit, join(folder, 'model.onnx')); copyFileSync(join(pictures, 'scene.png'), join(folder, 'scene.png')); },
  use: async (engine, folder) => { await engine.weigh({ model: join(folder, 'model.onnx'), prompt: { kind: 'image', image: join(folder, 'scene.png') }, out: join(folder, 'out.attntrace') }); },
};

export const soundProcessors: Target = {
  name: 'sound-processors', share: 1, seeds: [{ bytes: Buffer.from(JSON.stringify({ feature_size: 16, chunk_length: 1, sampling_rate: 16_000, hop_length: 160, n_fft: 400, n_samples: 16_000, nb_max_frames: 100, padding_value: 0 })) }], mutate: breakJson, file: 'preprocessor_config.json',
  prepare: folder => { generateSpeech(folder); rmSync(join(folder, 'preprocessor_config.json')); generateSound(join(folder, 'sound.wav')); },
  use: async (engine, folder) => { await engine.weigh({ model: folder, prompt: { kind: 'audio', file: join(folder, 'sound.wav') }, out: join(folder, 'out.attntrace') }); },
};

/** The rising tone of the other tests, and the same chunks with samples of every width, two channels, and another rate. */
function soundsOfEveryCoding(): Buffer[] {
  const folder = mkdtempSync(join(tmpdir(), 'attnscope-sound-')), tone = readFileSync(generateSound(join(folder, 'tone.wav')));
  rmSync(folder, { recursive: true, force: true });
  const coded = (code: number, bits: number, channels: number, rate: number): Buffer => {
    const frames = 2_000, data = Buffer.alloc(frames * channels * bits / 8), head = Buffer.from(tone.subarray(0, 44));
    for (let i = 0; i < frames * channels; i++) {
      const value = Math.sin(i / 9), at = i * bits / 8;
      if (code === 3) { if (bits === 32) data.writeFloatLE(value, at); else data.writeDoubleLE(value, at); } else if (bits === 8) data[at] = 128 + Math.round(100 * value); else data.writeIntLE(Math.round(value * (2 ** (bits - 1) - 1)), at, bits / 8);
    }
    head.writeUInt16LE(code, 20); head.writeUInt16LE(channels, 22); head.writeUInt32LE(rate, 24); head.writeUInt32LE(rate * channels * bits / 8, 28); head.writeUInt16LE(channels * bits / 8, 32); head.writeUInt16LE(bits, 34); head.writeUInt32LE(data.length, 40);
    return Buffer.concat([head, data]);
  };
  return [tone, coded(1, 8, 1, 8_000), coded(1, 16, 2, 44_100), coded(1, 24, 1, 48_000), coded(1, 32, 2, 16_000), coded(3, 32, 1, 22_050), coded(3, 64, 2, 16_000)];
}
