/** An encoder of Hugging Face transformers: every token sees all others that are not padding. */
import { pretrainedParts } from '../python-pretrained.ts';
import { isDecoder, known, readsText, type Recipe } from '../recipe.ts';

export const hfEncoder: Recipe = {
  id: 'hf-encoder',
  claims: facts => readsText(facts) && !isDecoder(facts),
  parts: (facts, place) => pretrainedParts(facts, place, known(facts, 'input_ids', 'attention_mask', 'token_type_ids')),
};
