"""Train one Storyteller for a given time on one GPU and save its weights."""

import argparse
import json
import math
import multiprocessing
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch.utils.data import DataLoader

from rows import BATCH, IGNORED, LENGTH, Rows

sys.path.append(str(Path(__file__).resolve().parents[1]))
from model import Config, Storyteller

RATE, RATE_END, WARM_UP = 3e-3, 0.03, 300
EARLY = 0.1                     # the share of the time with many doubled rows
REPORT_EVERY = 500


def initialise(model: Storyteller) -> None:
    """Small normal weights; what is added to the residual stream is scaled by its number of summands."""
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            added = name.endswith(("o_proj.weight", "down_proj.weight"))
            spread = 0.02 / math.sqrt(2 * model.config.num_hidden_layers) if added else 0.02
            torch.nn.init.normal_(weight, std=spread)


def optimizer_of(model: Storyteller, device: str) -> torch.optim.AdamW:
    matrices = [weight for weight in model.parameters() if weight.dim() == 2]
    vectors = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), fused=device == "cuda")


def rate_at(step: int, progress: float) -> float:
    """Warm-up by steps, then a cosine over the time given."""
    cosine = RATE_END + (1 - RATE_END) * 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
    return RATE * min(1, (step + 1) / WARM_UP) * cosine


def batches(tokens: Path, tokenizer: Path, seed: int, workers: int, early) -> DataLoader:
    words = Tokenizer.from_file(str(tokenizer))
    vocabulary = [words.id_to_token(id) for id in range(words.get_vocab_size())]
    rows = Rows(tokens, vocabulary, seed, early)
    return DataLoader(rows, batch_size=None, num_workers=workers, prefetch_factor=8, pin_memory=True)


def loss_of(model: Storyteller, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    logits = model(inputs).float()
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def train(model: Storyteller, loader: DataLoader, seconds: float, early, device: str) -> dict:
    optimizer = optimizer_of(model, device)
    compiled = torch.compile(loss_of) if device == "cuda" else loss_of
    started = None
    for step, (inputs, targets) in enumerate(loader):
        inputs, targets = inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)
        elapsed = time.monotonic() - started if started else 0.0
        early.value = elapsed < EARLY * seconds
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, elapsed / seconds)
        with torch.autocast(device, torch.bfloat16):
            loss = compiled(model, inputs, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        # The clock starts when the first step has been compiled.
        started = started or time.monotonic()
        if step % REPORT_EVERY == 0:
            print(f"step {step} at {elapsed:.0f} s: loss {loss.item():.3f}", flush=True)
        if elapsed >= seconds:
            return {"steps": step + 1, "tokens": (step + 1) * BATCH * LENGTH, "seconds": round(elapsed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, default=Path("media/demo/storyteller/tokenizer.json"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=370)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(options.seed)
    model = Storyteller(Config())
    initialise(model)
    model.to(device)
    early = multiprocessing.Value("b", True, lock=False)
    loader = batches(options.tokens, options.tokenizer, options.seed, options.workers, early)
    run = train(model, loader, options.seconds, early, device)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(model.cpu().state_dict(), options.out / "weights.pt")
    (options.out / "run.json").write_text(json.dumps({"seed": options.seed, **run}))
    print(run, flush=True)


if __name__ == "__main__":
    main()
