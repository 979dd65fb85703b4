/** An encoder-decoder of Hugging Face transformers, as one graph: both texts in, the decoder's logits out. */
import { pretrainedParts } from '../python-pretrained.ts';
import { known, type Recipe } from '../recipe.ts';

export const hfEncoderDecoder: Recipe = {
  id: 'hf-encoder-decoder',
  claims: ({ pretrained, forward }) => pretrained && forward.includes('decoder_input_ids') && forward.includes('input_ids'),
  parts: (facts, place) => pretrainedParts(facts, place, known(facts, 'input_ids', 'attention_mask', 'decoder_input_ids')),
};
