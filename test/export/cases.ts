/** Which sources are exported for real, with what on the command line, and what is expected of them. */

export interface Case {
  readonly name: string;
  /** Files copied into a folder of their own: of the test fixtures, `media/demo`, or of the installed transformers (`hf:gpt2`). */
  readonly source: string;
  readonly attention?: string;
  readonly args: readonly string[];
  /** Graph inputs to trace with; token ids or a prompt where there are such. */
  readonly trace: { readonly prompt: string } | { readonly ids: string } | { readonly inputs: Readonly<Record<string, readonly number[]>> } | undefined;
  /** Attention sites in the trace. */
  readonly sites?: number;
  /** The script must end with this sentence instead. */
  readonly refused?: string;
}

const ids = '5,9,2,7,30,1,4';
const tiny = ['vocab_size=97', 'num_hidden_layers=2', 'num_attention_heads=4', 'hidden_size=32', 'intermediate_size=64'].flatMap(set => ['--set', set]);

export const cases: readonly Case[] = [
  { name: 'demo, its own weights', source: 'demo', args: ['--weights', 'weights/model.safetensors'], trace: { prompt: 'Anna gave the key to Boris. Who has the key?' }, sites: 6 },
  { name: 'demo, TorchScript', source: 'demo', args: ['--weights', 'weights/model.safetensors', '--exporter', 'torchscript', '--opset', '17'], trace: { prompt: 'Anna gave the key to Boris. Who has the key?' }, sites: 6 },
  { name: 'demo, opset 23', source: 'demo', args: ['--weights', 'weights/model.safetensors', '--opset', '23', '--exporter', 'dynamo'], trace: { prompt: 'Anna gave the key to Boris. Who has the key?' }, sites: 6 },
  { name: 'demo without weights', source: 'demo', args: [], trace: undefined, refused: 'Give --weights: a state dict of this class: .pt, .pth, .bin, or .safetensors. Or --random, to export untrained weights.' },
  { name: 'demo, a mistyped setting', source: 'demo', args: ['--random', '--set', 'num_layers=2'], trace: undefined, refused: 'Nothing takes num_layers (--set).' },
  { name: 'demo, other sizes than its weights', source: 'demo', args: ['--weights', 'weights/model.safetensors', '--set', 'hidden_size=64'], trace: undefined, refused: 'The weights do not fit Storyteller: ' },
  { name: 'minGPT', source: 'mingpt.py', args: ['--random', ...['n_layer=2', 'n_head=2', 'n_embd=16', 'vocab_size=40', 'block_size=64'].flatMap(set => ['--set', set])], trace: { ids }, sites: 2 },
  { name: 'a package', source: 'pkg', args: ['--random', '--set', 'vocab_size=40', '--forward', 'start_pos=0'], trace: { ids }, sites: 2 },
  { name: 'a package, without the number that forward needs', source: 'pkg', args: ['--random', '--set', 'vocab_size=40'], trace: undefined, refused: 'forward needs start_pos, which is no tensor: the graph holds it as a constant. Give --forward start_pos=VALUE.' },
  { name: 'a package, without a field of its config', source: 'pkg', args: ['--random', '--forward', 'start_pos=0'], trace: undefined, refused: 'ModelArgs needs vocab_size, and model.py gives no default. Give --set vocab_size=VALUE' },
  { name: 'a half-typed source', source: 'broken.py', args: ['--random', '--set', 'n_layer=2'], trace: undefined, refused: 'broken.py, line 12, is not Python: ' },
  { name: 'an unknown config', source: 'unknown_config.py', args: ['--random', '--set', 'vocab=40', '--set', 'width=16'], trace: { ids }, sites: 1 },
  { name: 'an unknown config without values', source: 'unknown_config.py', args: ['--random', '--set', 'vocab=40'], trace: undefined, refused: 'Model reads cfg.width, and nobody gave it. Give --set width=VALUE' },
  { name: 'floats in, keyword-only arguments', source: 'keyword_only.py', args: ['--random', '--set', 'dim=16', '--set', 'depth=2'], trace: { inputs: { frames: [1, 9, 12] } }, sites: 2 },
  { name: 'an image', source: 'vision.py', args: ['--random'], trace: { inputs: { x: [1, 3, 32, 32] } }, sites: 2 },
  { name: 'several inputs, one of them unknown', source: 'several_inputs.py', args: ['--random', '--forward', 'scale=0.5'], trace: undefined, refused: 'What keep holds cannot be read from several_inputs.py. Give --input keep=batch,sequence,64:float' },
  { name: 'several inputs', source: 'several_inputs.py', args: ['--random', '--forward', 'scale=0.5', '--input', 'keep=batch,sequence:bool'], trace: { inputs: { src: [1, 6], tgt: [1, 6], keep: [1, 6] } }, sites: 1 },
  { name: 'one\'s own Hugging Face model', source: 'own_hf.py', args: ['--random', '--set', 'num_hidden_layers=3'], trace: { ids }, sites: 3 },
  { name: 'gpt2', source: 'hf:gpt2', args: ['--random', ...['vocab_size=97', 'n_layer=2', 'n_head=4', 'n_embd=32'].flatMap(set => ['--set', set])], trace: { ids }, sites: 2 },
  { name: 'llama', source: 'hf:llama', args: ['--random', ...tiny, '--set', 'num_key_value_heads=2'], trace: { ids }, sites: 2 },
  { name: 'llama without sizes', source: 'hf:llama', args: ['--random'], trace: undefined, refused: '--random needs the sizes of the model' },
  { name: 'bert', source: 'hf:bert', attention: 'BertSelfAttention', args: ['--random', ...tiny], trace: { ids }, sites: 2 },
  { name: 'vit', source: 'hf:vit', args: ['--random', ...tiny.slice(2), '--set', 'image_size=32', '--set', 'patch_size=8'], trace: { inputs: { pixel_values: [1, 3, 32, 32] } }, sites: 2 },
  { name: 't5', source: 'hf:t5', args: ['--random', ...['vocab_size=97', 'num_layers=2', 'num_heads=4', 'd_model=32', 'd_kv=8', 'd_ff=64', 'decoder_start_token_id=0'].flatMap(set => ['--set', set])], trace: { ids }, sites: 6 },
];
