/** The skeletons of Hugging Face's modelling files, as far as an export script reads them: class names, bases, what builds what, forward's parameters. */

const attention = (name: string): string => `
class ${name}(nn.Module):
    def forward(self, hidden_states, attention_mask=None):
        return nn.functional.scaled_dot_product_attention(hidden_states, hidden_states, hidden_states)
`;
const layer = (prefix: string): string => `
class ${prefix}Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = ${prefix}Attention(config)

    def forward(self, hidden_states, attention_mask=None):
        return self.attention(hidden_states, attention_mask)
`;
/** A class around another, with forward's parameters as text. */
const around = (name: string, prefix: string, attribute: string, inner: string, parameters: string): string => `
class ${name}(${prefix}PreTrainedModel):
    def __init__(self, config: ${prefix}Config):
        super().__init__(config)
        self.${attribute} = ${inner}

    def forward(self, ${parameters}, **kwargs):
        return self.${attribute}(${parameters.split('=')[0]})
`;
const head = (prefix: string): string => `import torch
from torch import nn
from ...modeling_utils import PreTrainedModel
from .configuration import ${prefix}Config


class ${prefix}PreTrainedModel(PreTrainedModel):
    config_class = ${prefix}Config
`;
const file = (family: string): string => `/opt/env/lib/python3.12/site-packages/transformers/models/${family}/modeling_${family}.py`;
const family = (id: string, prefix: string, model: string, ...rest: readonly string[]): { readonly text: string; readonly path: string } => ({
  path: file(id),
  text: [head(prefix), attention(`${prefix}Attention`), layer(prefix), around(`${prefix}Model`, prefix, 'layers', `nn.ModuleList([${prefix}Layer(config) for _ in range(config.num_hidden_layers)])`, model), ...rest].join('\n'),
});
const decoder = 'input_ids=None, past_key_values=None, attention_mask=None, position_ids=None, labels=None, use_cache=None';
const encoder = 'input_ids=None, attention_mask=None, token_type_ids=None, position_ids=None, labels=None';

export const huggingFace = {
  gpt2: family('gpt2', 'GPT2', decoder, around('GPT2LMHeadModel', 'GPT2', 'transformer', 'GPT2Model(config)', decoder.replace('position_ids', 'token_type_ids=None, position_ids')), around('GPT2ForSequenceClassification', 'GPT2', 'transformer', 'GPT2Model(config)', decoder)),
  llama: family('llama', 'Llama', decoder, around('LlamaForCausalLM', 'Llama', 'model', 'LlamaModel(config)', decoder)),
  bert: family('bert', 'Bert', encoder, around('BertLMHeadModel', 'Bert', 'bert', 'BertModel(config)', `${encoder}, past_key_values=None`), around('BertForMaskedLM', 'Bert', 'bert', 'BertModel(config)', encoder), around('BertForSequenceClassification', 'Bert', 'bert', 'BertModel(config)', encoder)),
  vit: family('vit', 'ViT', 'pixel_values=None, bool_masked_pos=None', around('ViTForImageClassification', 'ViT', 'vit', 'ViTModel(config)', 'pixel_values=None, labels=None')),
  t5: family('t5', 'T5', decoder, around('T5ForConditionalGeneration', 'T5', 'decoder', 'T5Model(config)', 'input_ids=None, attention_mask=None, decoder_input_ids=None, encoder_outputs=None, past_key_values=None, labels=None')),
  clip: family('clip', 'CLIP', 'input_ids=None, pixel_values=None, attention_mask=None'),
} as const;
