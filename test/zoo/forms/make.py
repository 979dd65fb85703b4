"""Writes the models of this folder: attention as people write it by hand, exported by PyTorch, with its own probabilities.

Made with PyTorch 2.15, onnxscript 0.7.2, safetensors; run as `python make.py` where these are installed.
Two layers of width 32, four heads of 8 unless said otherwise, random weights (normal, 0.25), two samples of twelve tokens.
reference.safetensors has `in.input_ids` (int32) and `attn.attentions.LAYER` [batch, head, query, key].
"""

import math
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.numpy import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
seen = []


def heads(x, count=4):
    return x.view(x.shape[0], x.shape[1], count, -1).transpose(1, 2)


class Net(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.emb, self.pos = nn.Embedding(97, 32), nn.Embedding(64, 32)
        self.layers = nn.ModuleList([attention() for _ in range(2)])

    def forward(self, input_ids):
        x = self.emb(input_ids) + self.pos(torch.arange(input_ids.shape[1], device=input_ids.device))
        for layer in self.layers:
            x = x + layer(x)
        return x


class Buffer(nn.Module):
    """nanoGPT: one projection for q, k and v, a triangle kept as a buffer, masked_fill."""

    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(32, 96), nn.Linear(32, 32)
        self.register_buffer("bias", torch.tril(torch.ones(64, 64)).view(1, 1, 64, 64))

    def forward(self, x):
        length = x.shape[1]
        q, k, v = (heads(t) for t in self.c_attn(x).split(32, dim=2))
        a = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        a = F.softmax(a.masked_fill(self.bias[:, :, :length, :length] == 0, float("-inf")), dim=-1)
        seen.append(a)
        return self.c_proj((a @ v).transpose(1, 2).reshape(x.shape))


class Einsum(nn.Module):
    """Products as einsum, heads never moved in front."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.p = (nn.Linear(32, 32) for _ in range(4))

    def forward(self, x):
        q, k, v = (f(x).view(x.shape[0], x.shape[1], 4, 8) for f in (self.q, self.k, self.v))
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        a = (torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(8)).masked_fill(hidden, -1e9).softmax(-1)
        seen.append(a)
        return self.p(torch.einsum("bhqk,bkhd->bqhd", a, v).reshape(x.shape))


class Unbind(nn.Module):
    """timm: q, k and v unbound from one projection, q scaled first, no mask."""

    def __init__(self):
        super().__init__()
        self.qkv, self.proj = nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x):
        q, k, v = self.qkv(x).reshape(x.shape[0], x.shape[1], 3, 4, 8).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q * 8**-0.5 @ k.transpose(-2, -1)).softmax(-1)
        seen.append(a)
        return self.proj((a @ v).transpose(1, 2).reshape(x.shape))


class Library(nn.Module):
    """nn.MultiheadAttention: batch and heads in one axis, an added causal mask."""

    def __init__(self):
        super().__init__()
        self.mha = nn.MultiheadAttention(32, 4)

    def forward(self, x):
        x = x.transpose(0, 1)
        mask = torch.triu(torch.full((x.shape[0], x.shape[0]), float("-inf")), 1)
        y, a = self.mha(x, x, x, attn_mask=mask, need_weights=True, average_attn_weights=False)
        seen.append(a)
        return y.transpose(0, 1)


class Single(nn.Module):
    """One head, three axes, values wider than keys."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(32, 16), nn.Linear(32, 16), nn.Linear(32, 32)

    def forward(self, x):
        a = (torch.bmm(self.q(x), self.k(x).transpose(1, 2)) / 4).softmax(-1)
        seen.append(a[:, None])
        return torch.bmm(a, self.v(x))


class Sdpa(nn.Module):
    """scaled_dot_product_attention with is_causal; two of the four heads share a key and a value."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.p = nn.Linear(32, 32), nn.Linear(32, 16), nn.Linear(32, 16), nn.Linear(32, 32)

    def forward(self, x):
        q, k, v = heads(self.q(x)), heads(self.k(x), 2).repeat_interleave(2, 1), heads(self.v(x), 2).repeat_interleave(2, 1)
        visible = torch.ones(x.shape[1], x.shape[1]).tril().bool()
        seen.append((q @ k.transpose(-1, -2) / 8**0.5).masked_fill(~visible, float("-inf")).softmax(-1))
        return self.p(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape))


FORMS = {
    "buffer": (Buffer, ["ts", "dyn18"]), "einsum": (Einsum, ["ts"]), "unbind": (Unbind, ["ts"]), "library": (Library, ["ts"]),
    "single": (Single, ["ts"]), "sdpa": (Sdpa, ["ts", "dyn18", "dyn23"]),
}


def main():
    for name, (attention, kinds) in FORMS.items():
        torch.manual_seed(0)
        net = Net(attention).eval()
        with torch.no_grad():
            for p in net.parameters():
                if p.dim() > 1:
                    p.normal_(0, 0.25)
        folder = os.path.join(HERE, name)
        os.makedirs(folder, exist_ok=True)
        ids = torch.randint(3, 97, (2, 12), generator=torch.Generator().manual_seed(3))
        seen.clear()
        with torch.no_grad():
            net(ids)
        reference = {"in.input_ids": ids.numpy().astype(np.int32)}
        reference.update({f"attn.attentions.{i}": np.ascontiguousarray(a.numpy()) for i, a in enumerate(seen)})
        save_file(reference, os.path.join(folder, "reference.safetensors"))
        for kind in kinds:
            file, names = os.path.join(folder, f"{kind}.onnx"), {"input_names": ["input_ids"], "output_names": ["out"]}
            if kind == "ts":
                torch.onnx.export(net, (ids,), file, opset_version=17, dynamo=False, dynamic_axes={"input_ids": {0: "batch", 1: "sequence"}}, **names)
            else:
                sizes = ({0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("sequence", min=2, max=64)},)
                torch.onnx.export(net, (ids,), file, opset_version=int(kind[-2:]), dynamo=True, external_data=False, dynamic_shapes=sizes, verbose=False, **names)


if __name__ == "__main__":
    sys.exit(main())
