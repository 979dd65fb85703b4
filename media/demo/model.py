"""Storyteller: a small decoder-only language model, in one file, to look at attention with.

It is built the way current large models are, only small: RMSNorm before every
block, rotary positions, grouped-query attention, a SwiGLU feed-forward layer,
no biases, and one matrix that both reads tokens and predicts them. It learned
from old novels, speeches, and simple stories; `storyteller/` holds what it
learned, exported to ONNX from this very source.

Shapes in the comments: B batch, T new tokens, S all tokens seen so far,
H query heads, G key/value heads, D head size, C hidden size.
"""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

Cache = tuple[Tensor, Tensor]
"""Keys and values of one layer, each [B, G, S, D], as they were before the heads share them."""


@dataclass(frozen=True)
class Config:
    """The numbers in `storyteller/config.json`, under the same names."""

    vocab_size: int = 2048
    hidden_size: int = 128
    intermediate_size: int = 344
    num_hidden_layers: int = 6
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 32
    max_position_embeddings: int = 1024
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-5


class RMSNorm(nn.Module):
    """Scales every token to unit root mean square, then every channel by a learned weight."""

    def __init__(self, size: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Rotary(nn.Module):
    """Cosines and sines of the angles by which a token at each position is turned."""

    def __init__(self, config: Config):
        super().__init__()
        halves = torch.arange(0, config.head_dim, 2, dtype=torch.float32)
        speeds = config.rope_theta ** (-halves / config.head_dim)
        angles = torch.outer(torch.arange(config.max_position_embeddings, dtype=torch.float32), speeds)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T] positions to two tables [B, 1, T, D / 2], the same for all heads."""
        return self.cos[positions].unsqueeze(1), self.sin[positions].unsqueeze(1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns each pair (i, i + D / 2) of channels, so that dot products depend on distance alone."""
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, left * sin + right * cos), dim=-1)


class Attention(nn.Module):
    """Every token asks all tokens up to itself; two query heads share one key/value head."""

    def __init__(self, config: Config):
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.num_kv_heads = config.num_key_value_heads
        self.head_dim = config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, self.num_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, self.num_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, self.num_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.num_heads * self.head_dim, config.hidden_size, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, past: Cache | None
    ) -> tuple[Tensor, Cache]:
        batch, length, _ = x.shape
        q = self.q_proj(x).view(batch, length, self.num_heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, self.num_kv_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, self.num_kv_heads, self.head_dim).transpose(1, 2)

        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if past is not None:
            k, v = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)
        present = (k, v)

        shared_by = self.num_heads // self.num_kv_heads
        k, v = k.repeat_interleave(shared_by, dim=1), v.repeat_interleave(shared_by, dim=1)
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.o_proj(heads.transpose(1, 2).reshape(batch, length, -1)), present


class MLP(nn.Module):
    """SwiGLU: one projection decides how much of the other passes."""

    def __init__(self, config: Config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One layer: tokens look at each other, then each thinks for itself. Both only add to `x`."""

    def __init__(self, config: Config):
        super().__init__()
        self.attn_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attn = Attention(config)
        self.mlp_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, past: Cache | None
    ) -> tuple[Tensor, Cache]:
        attended, present = self.attn(self.attn_norm(x), cos, sin, mask, past)
        x = x + attended
        return x + self.mlp(self.mlp_norm(x)), present


class Storyteller(nn.Module):
    """Token ids in, logits of the next token out, for every position."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.rotary = Rotary(config)
        self.layers = nn.ModuleList([Block(config) for _ in range(config.num_hidden_layers)])
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, past: list[Cache] | None = None
    ) -> Tensor | tuple[Tensor, list[Cache]]:
        """Logits, [B, T, vocabulary]; given a cache, be it empty, also the cache with these tokens in it.

        `attention_mask` is [B, S], cached tokens included, with 0 where a row is padded on the left.
        """
        length = input_ids.shape[1]
        if attention_mask is None:
            positions, mask = torch.arange(length, device=input_ids.device)[None], None
        else:
            seen = attention_mask.shape[1] - length
            positions = (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, seen:]
            mask = visible(attention_mask, length)

        x = self.embed(input_ids)
        cos, sin = self.rotary(positions)
        presents = []
        for index, layer in enumerate(self.layers):
            x, present = layer(x, cos, sin, mask, None if past is None else past[index])
            presents.append(present)

        logits = F.linear(self.norm(x), self.embed.weight)
        return logits if past is None else (logits, presents)


def visible(attention_mask: Tensor, length: int) -> Tensor:
    """Which keys the last `length` tokens may see: those not later than they, and not padding. [B, 1, T, S]"""
    total = attention_mask.shape[1]
    key = torch.arange(total, device=attention_mask.device)
    query = torch.arange(length, device=attention_mask.device) + (total - length)
    return (key <= query[:, None]) & attention_mask[:, None, None, :].bool()
