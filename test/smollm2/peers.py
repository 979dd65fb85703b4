"""What others do to see attention, each in a process of its own: Hugging Face's eager attention with statistics in numpy, or TransformerLens's run_with_cache.

peers.py eager|lens FOLDER: reads a line [token ids] for each round, writes a line {"ms", "peakBytes", "check"}.
"""
import json, os, resource, sys, time
os.environ.update(HF_HUB_OFFLINE='1', TRANSFORMERS_OFFLINE='1', TOKENIZERS_PARALLELISM='false')
import numpy as np, torch


def eager(folder):
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').eval()

    def run(ids):
        out = model(input_ids=ids, output_attentions=True, use_cache=False)
        return [statistics(layer[0].numpy()) for layer in out.attentions][-1]
    return run


def statistics(p):
    """Of [head, query, key], what a trace has of every head: entropy and largest probability of rows, column sums, first, own and previous token."""
    tiny = np.finfo(np.float32).tiny
    return {'entropy': -(p * np.log(np.maximum(p, tiny))).sum(-1), 'max': p.max(-1), 'key': p.argmax(-1), 'received': p.sum(1), 'first': p[:, :, 0].mean(1),
            'self': np.diagonal(p, 0, 1, 2).mean(1), 'previous': np.diagonal(p, -1, 1, 2).mean(1)}


def lens(folder):
    from transformer_lens import TransformerBridge
    model = TransformerBridge.boot_transformers(folder, device='cpu', dtype=torch.float32)

    def run(ids):
        _, cache = model.run_with_cache(ids)
        return {'first': cache[f'blocks.{model.cfg.n_layers - 1}.attn.hook_pattern'][0, :, :, 0].mean(1).numpy()}
    return run


run = {'eager': eager, 'lens': lens}[sys.argv[1]](sys.argv[2])
print('ready', flush=True)
for line in sys.stdin:
    ids = torch.tensor([json.loads(line)])
    start = time.perf_counter()
    with torch.no_grad(): found = run(ids)
    ms = (time.perf_counter() - start) * 1e3
    print(json.dumps({'ms': ms, 'peakBytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, 'check': [float(one) for one in found['first']]}), flush=True)
