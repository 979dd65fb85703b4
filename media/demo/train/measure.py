"""Measure a trained Storyteller on held-out text: perplexity, sinks, previous-token and induction heads, copying."""

import argparse
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import numpy as np
import torch
import torch.nn.functional as F

import data
from rows import SHARES

sys.path.append(str(Path(__file__).resolve().parents[1]))
from model import Config, Storyteller

BOS = 0
WINDOW = 1024                   # tokens scored at once, <bos> among them
SINK_EPS = 0.3
TEXTS = 20                      # texts a source for sinks and previous tokens
ADD_K = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
MIX_TOKENS = 5_000_000          # size of the mix that the shared bigram table is counted on
RANDOM_LENGTH, RANDOM_TEXTS = 50, 64
SPAN, GAP = 24, 80              # a span of text comes back so many tokens later


def load_model(weights: Path) -> Storyteller:
    model = Storyteller(Config())
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval()


def windows(tokens: data.Tokens, length: int) -> list[np.ndarray]:
    """Stretches of so many tokens, each from the start of a paragraph, none overlapping."""
    found, at = [], 0
    for start in tokens.starts:
        if start >= at and start + length <= len(tokens.ids):
            found.append(tokens.ids[start:start + length].astype(np.int64))
            at = start + length
    return found


def with_bos(texts: list[np.ndarray]) -> torch.Tensor:
    ids = torch.from_numpy(np.stack(texts))
    return F.pad(ids, (1, 0), value=BOS)


def token_losses(model: Storyteller, ids: torch.Tensor) -> torch.Tensor:
    """Loss of every token but the first, [texts, length - 1]."""
    losses = [F.cross_entropy(model(part)[:, :-1].float().transpose(1, 2), part[:, 1:], reduction="none")
              for part in ids.split(8)]
    return torch.cat(losses)


def bigram_counts(train: np.ndarray, size: int) -> np.ndarray:
    counts = np.zeros((size, size))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    return counts


def bigram_perplexity(counts: np.ndarray, texts: list[np.ndarray]) -> float:
    """The best add-k bigram model: k is chosen on the held-out text itself, in the bigram's favour."""
    left = np.concatenate([text[:-1] for text in texts])
    right = np.concatenate([text[1:] for text in texts])
    seen, total = counts[left, right], counts.sum(1)[left]
    return min(float(np.exp(-np.log((seen + k) / (total + k * len(counts))).mean())) for k in ADD_K)


def perplexities(model: Storyteller, folder: Path, device: str) -> dict:
    """Of the model and of bigrams on the same tokens: those after the first of each window.

    `bigram` is one table for all sources, counted on the mix that the model was trained on;
    `own_bigram` is the harder rival, a table for this source alone.
    """
    own = {source: bigram_counts(data.load(folder, source, "train").ids, model.config.vocab_size)
           for source in data.SOURCES}
    mixed = sum(own[source] * (share * MIX_TOKENS / own[source].sum()) for source, share in SHARES.items())
    found = {}
    for source in data.SOURCES:
        texts = windows(data.load(folder, source, "held"), WINDOW - 1)[:60]
        losses = token_losses(model, with_bos(texts).to(device))[:, 1:]
        found[source] = {"model": float(losses.mean().exp()), "bigram": bigram_perplexity(mixed, texts),
                         "own_bigram": bigram_perplexity(own[source], texts), "tokens": losses.numel()}
    return found


@contextmanager
def recorded() -> Iterator[list[torch.Tensor]]:
    """Within this block every attention also leaves its probabilities, layer by layer."""
    maps, original = [], F.scaled_dot_product_attention

    def explicit(q, k, v, attn_mask=None, is_causal=False):
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        later = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).triu(1)
        maps.append(scores.masked_fill(later, -torch.inf).softmax(-1))
        return maps[-1] @ v

    F.scaled_dot_product_attention = explicit
    try:
        yield maps
    finally:
        F.scaled_dot_product_attention = original


def attention(model: Storyteller, ids: torch.Tensor) -> torch.Tensor:
    """[layers, texts, heads, queries, keys]"""
    with recorded() as maps:
        model(ids)
    return torch.stack(maps)


def head_name(values: torch.Tensor) -> str:
    layer, head = divmod(int(values.argmax()), values.shape[1])
    return f"L{layer}H{head}"


def sinks(model: Storyteller, folder: Path, length: int, device: str) -> dict:
    """Share of heads whose mean attention to position 0 exceeds eps, averaged over texts."""
    received = []
    for source in data.SOURCES:
        texts = windows(data.load(folder, source, "held"), length - 1)[:TEXTS]
        for ids in with_bos(texts).to(device).split(4):
            received.append(attention(model, ids)[..., 0].mean(-1).transpose(0, 1))
    alpha = torch.cat(received)
    heads = alpha.mean(0)
    return {"share": float((alpha > SINK_EPS).float().mean()),
            "heads": int((heads > SINK_EPS).sum()), "of": heads.numel(), "texts": len(alpha),
            "best": float(heads.max()), "best_head": head_name(heads)}


def previous_token(model: Storyteller, folder: Path, device: str) -> dict:
    """The head that puts most on the token before, in the books."""
    texts = [text for source in data.SOURCES[1:]
             for text in windows(data.load(folder, source, "held"), 255)[:TEXTS]]
    scores = torch.stack([attention(model, ids).diagonal(-1, -2, -1).mean(-1).mean(1)
                          for ids in with_bos(texts).to(device).split(4)]).mean(0)
    return {"score": float(scores.max()), "head": head_name(scores)}


def induction(model: Storyteller, device: str) -> dict:
    """Random tokens twice: the head that looks at what followed last time, and how often the copy is right."""
    dice = np.random.default_rng(7)
    once = dice.integers(1, model.config.vocab_size, (RANDOM_TEXTS, RANDOM_LENGTH))
    ids = with_bos([np.concatenate((row, row)) for row in once]).to(device)
    # Query i of the second copy looks RANDOM_LENGTH - 1 back. The last one's successor does not exist.
    maps = attention(model, ids).diagonal(-(RANDOM_LENGTH - 1), -2, -1)[..., 2:]
    scores = maps.mean(-1).mean(1)
    guesses = model(ids)[:, RANDOM_LENGTH + 1:-1].argmax(-1)
    return {"score": float(scores.max()), "head": head_name(scores),
            "top1": float((guesses == ids[:, RANDOM_LENGTH + 2:]).float().mean())}


def copying(model: Storyteller, folder: Path, device: str) -> dict:
    """A span of a held-out paragraph comes back: how often it is foreseen, and how often it was at first."""
    texts = [text for source in data.SOURCES[1:]
             for text in windows(data.load(folder, source, "held"), 40 + SPAN + GAP)[:TEXTS]]
    rows = [np.concatenate((text, text[40:40 + SPAN])) for text in texts]
    ids = with_bos(rows).to(device)
    right = model(ids)[:, :-1].argmax(-1) == ids[:, 1:]
    return {"again": float(right[:, -SPAN + 1:].float().mean()),
            "first": float(right[:, 41:40 + SPAN].float().mean())}


def verdicts(figures: dict) -> dict:
    """The thresholds a trained demo model must reach."""
    return {
        "perplexity at most half the bigram's, every source":
            all(source["model"] <= source["bigram"] / 2 for source in figures["perplexity"].values()),
        "half of all heads sink on position 0 at T=64": figures["sinks_64"]["share"] >= 0.5,
        "some heads sink on position 0 at T=512": figures["sinks_512"]["heads"] >= 1,
        "an induction head of 0.8 on random tokens": figures["induction"]["score"] >= 0.8,
        "a previous-token head of 0.5 on real text": figures["previous_token"]["score"] >= 0.5,
    }


@torch.no_grad()
def measure(model: Storyteller, folder: Path) -> dict:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    figures = {
        "perplexity": perplexities(model, folder, device),
        "sinks_64": sinks(model, folder, 64, device),
        "sinks_512": sinks(model, folder, 512, device),
        "previous_token": previous_token(model, folder, device),
        "induction": induction(model, device),
        "copying": copying(model, folder, device),
    }
    return {**figures, "reached": verdicts(figures)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="the folder that train.py wrote")
    options = parser.parse_args()
    run = json.loads((options.run / "run.json").read_text())
    figures = {**run, **measure(load_model(options.run / "weights.pt"), options.tokens)}
    (options.run / "figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
