/** Weight files of a folder: which belong to one model, in which order they are offered, and when nothing needs to be asked. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { byFolder, surely, weightRows } from '../../../extension/host/model-choice.ts';

const at = (...names: string[]): string[] => names.map(name => join('/w', ...name.split('/')));
const rows = (models: readonly string[]): string[] => weightRows(byFolder(models), folder => folder.split(/[\\/]/).pop()!).map(({ file, type, part }) => [part === undefined ? '' : `[${part}]`, file.split(/[\\/]/).pop(), type].filter(Boolean).join(' '));

it('parts and variants of a folder are one model, and so is what lies in its onnx/', () => {
  const models = at('whisper/onnx/encoder_model.onnx', 'whisper/onnx/decoder_model_merged_q4.onnx', 'whisper/decoder_model_merged.onnx', 'tiny/model.onnx', 'a.onnx', 'b.onnx');
  expect(byFolder(models).map(({ folder, files }) => [folder, files.length])).toEqual([[...at('whisper'), 3], [...at('tiny'), 1], ['/w', 1], ['/w', 1]]);
});

it('stand by part, what a run starts from first, and of each part the weights as they were trained first', () => {
  const folder = ['vision_encoder_fp16', 'decoder_model_merged_q4f16', 'embed_tokens', 'decoder_model_merged', 'vision_encoder', 'decoder_model_merged_quantized', 'decoder_model_merged_fp16'].map(name => `llava/onnx/${name}.onnx`);
  expect(rows(at(...folder, 'b.onnx'))).toEqual([
    '[llava · merged decoder] decoder_model_merged.onnx', 'decoder_model_merged_fp16.onnx fp16', 'decoder_model_merged_quantized.onnx int8', 'decoder_model_merged_q4f16.onnx q4f16',
    '[llava · vision encoder] vision_encoder.onnx', 'vision_encoder_fp16.onnx fp16', '[llava · token embedding] embed_tokens.onnx', '[w] b.onnx']);
  // Models of their own need no headings.
  expect(rows(at('a/model.onnx', 'b/model.onnx', 'c.onnx'))).toEqual(['model.onnx', 'model.onnx', 'c.onnx']);
});

it('asks once: of one model the weights that were chosen before are taken, of several none', () => {
  const [plain, q4, other] = at('m/onnx/model.onnx', 'm/onnx/model_q4.onnx', 'n/model.onnx');
  expect(surely(byFolder([plain]), undefined)).toBe(plain);
  expect(surely(byFolder([plain, q4]), undefined)).toBeUndefined();
  expect(surely(byFolder([plain, q4]), q4)).toBe(q4);
  // A file that is gone is not taken.
  expect(surely(byFolder([plain, q4]), join('/w', 'm', 'onnx', 'model_fp16.onnx'))).toBeUndefined();
  expect(surely(byFolder([plain, q4, other]), q4)).toBeUndefined();
  expect(surely([], undefined)).toBeUndefined();
});
