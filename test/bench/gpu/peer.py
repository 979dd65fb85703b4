"""PyTorch's scaled_dot_product_attention on the same card: JSON lines of {kernel, T, D, heads, causal, ms}, medians of 20."""
import json, sys
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

heads = int(sys.argv[1])
for T in map(int, sys.argv[2].split(',')):
    for D in map(int, sys.argv[3].split(',')):
        for kernel, backend, dtype in (('fp32 memory-efficient', SDPBackend.EFFICIENT_ATTENTION, torch.float32), ('fp16 FlashAttention-2', SDPBackend.FLASH_ATTENTION, torch.float16), ('fp16 cuDNN', SDPBackend.CUDNN_ATTENTION, torch.float16)):
            sets = [[torch.randn(1, heads, T, D, device='cuda', dtype=dtype) for _ in range(3)] for _ in range(2)]
            for causal in (False, True):
                try:
                    times = []
                    with sdpa_kernel(backend):
                        for n in range(23):
                            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                            start.record()
                            torch.nn.functional.scaled_dot_product_attention(*sets[n % 2], is_causal=causal)
                            end.record()
                            torch.cuda.synchronize()
                            if n > 2:
                                times.append(start.elapsed_time(end))
                    print(json.dumps(dict(kernel=kernel, T=T, D=D, heads=heads, causal=causal, ms=sorted(times)[len(times) // 2])), flush=True)
                except RuntimeError as error:
                    print(json.dumps(dict(kernel=kernel, T=T, D=D, heads=heads, causal=causal, error=str(error)[:200])), flush=True)
print(json.dumps(dict(torch=torch.__version__, card=torch.cuda.get_device_name())))
