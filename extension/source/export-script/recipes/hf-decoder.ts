/** A decoder of Hugging Face transformers: token ids in, logits or hidden states out, each token sees those before it. */
import { pretrainedParts } from '../python-pretrained.ts';
import { isDecoder, known, readsText, type Recipe } from '../recipe.ts';

export const hfDecoder: Recipe = {
  id: 'hf-decoder',
  claims: facts => readsText(facts) && isDecoder(facts),
  parts: (facts, place) => pretrainedParts(facts, place, known(facts, 'input_ids', 'attention_mask')),
};
