/** Every kind of model that a script is written for, by file name; written by `npm run generate`. */
import type { Recipe } from '../recipe.ts';
import { hfDecoder } from './hf-decoder.ts';
import { hfEncoderDecoder } from './hf-encoder-decoder.ts';
import { hfEncoder } from './hf-encoder.ts';
import { hfVision } from './hf-vision.ts';
import { plainModule } from './plain-module.ts';

export const recipes: readonly Recipe[] = [
  hfDecoder,
  hfEncoderDecoder,
  hfEncoder,
  hfVision,
  plainModule,
];
