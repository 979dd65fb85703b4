/** A vision model of Hugging Face transformers: an image in, one size. */
import { pretrainedParts } from '../python-pretrained.ts';
import { known, type Recipe } from '../recipe.ts';

export const hfVision: Recipe = {
  id: 'hf-vision',
  claims: ({ pretrained, forward }) => pretrained && forward.includes('pixel_values') && !forward.includes('input_ids') && !forward.includes('decoder_input_ids'),
  parts: (facts, place) => pretrainedParts(facts, place, known(facts, 'pixel_values')),
};
