"""Make training rows: plain text, text in which earlier spans come back, and segments said twice."""

from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from torch.utils.data import IterableDataset

import data

LENGTH = 1024
BATCH = 32
BOS = 0
IGNORED = -100                  # a target that carries no loss
SHARES = {"stories": 0.55, "austen": 0.15, "moby": 0.05, "speeches": 0.20, "factbook": 0.05}

SPLICED = 0.75                  # share of rows in which spans come back
SPANS, SPAN = 6, (4, 65)        # how many spans a row, and how long
RANDOM_SPAN = 0.3               # share of those spans that are random tokens
RENAMED = 0.1                   # chance of a rare word to be another one in this row
RARE = 1_000                    # tokens from here on are rare: BPE numbers them by frequency
NOISED = 0.05                   # chance of a token of a book to be read as a random one
REPEATED, REPEATED_EARLY = 0.15, 0.5    # share of rows of doubled segments, later and in the first tenth
SEGMENT = (8, 201)


class Rows(IterableDataset):
    """Endless batches of inputs and targets, [BATCH, LENGTH] each."""

    def __init__(self, folder: Path, vocabulary: list[str], seed: int, early):
        self.folder, self.seed, self.early = folder, seed, early
        self.size = len(vocabulary)
        self.rare = np.array([id for id, token in enumerate(vocabulary) if id >= RARE and token.startswith("Ġ")])

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        worker = torch.utils.data.get_worker_info()
        self.dice = np.random.default_rng([self.seed, worker.id if worker else 0])
        self.sources = {source: data.load(self.folder, source, "train") for source in SHARES}
        while True:
            rows = [self.row() for _ in range(BATCH)]
            yield tuple(torch.from_numpy(np.stack(part).astype(np.int64)) for part in zip(*rows))

    def row(self) -> tuple[np.ndarray, np.ndarray]:
        repeated = REPEATED_EARLY if self.early.value else REPEATED
        if self.dice.random() < repeated:
            ids, counts = self.doubled()
            read = ids
        else:
            source = self.source()
            ids, counts = self.text(source, LENGTH), np.ones(LENGTH, bool)
            if self.dice.random() < SPLICED:
                ids, counts = self.spliced(self.renamed(ids), counts)
            # Of stories there are enough; the books come back a hundred times.
            read = ids if source == "stories" else self.noised(ids)
        inputs = np.concatenate(([BOS], read[:LENGTH - 1]))
        return inputs, np.where(counts[:LENGTH], ids[:LENGTH], IGNORED)

    def source(self) -> str:
        return self.dice.choice(list(SHARES), p=list(SHARES.values()))

    def text(self, source: str, length: int) -> np.ndarray:
        """Tokens from the start of a paragraph on."""
        tokens = self.sources[source]
        last = np.searchsorted(tokens.starts, len(tokens.ids) - length)
        start = tokens.starts[self.dice.integers(max(last, 1))]
        return tokens.ids[start:start + length].astype(np.int64)

    def random(self, length: int) -> np.ndarray:
        return self.dice.integers(1, self.size, length)

    def renamed(self, ids: np.ndarray) -> np.ndarray:
        """Some rare words become others, throughout the row: to be known, they must be looked up."""
        names = np.arange(self.size)
        chosen = self.rare[self.dice.random(len(self.rare)) < RENAMED]
        names[chosen] = self.dice.choice(self.rare, len(chosen))
        return names[ids]

    def noised(self, ids: np.ndarray) -> np.ndarray:
        """What is read, not what is to be predicted: keeps a text from being learned by heart."""
        return np.where(self.dice.random(len(ids)) < NOISED, self.random(len(ids)), ids)

    def spliced(self, ids: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Spans of the text, or random ones, are written again further on."""
        for _ in range(SPANS):
            length = self.dice.integers(*SPAN)
            first, second = np.sort(self.dice.integers(0, LENGTH - length, 2))
            span = ids[first:first + length].copy()
            if self.dice.random() < RANDOM_SPAN:
                span = self.random(length)
                ids = np.concatenate((ids[:first], span, ids[first:]))
                # Random tokens cannot be foreseen the first time, so they do not count there.
                counts = np.concatenate((counts[:first], np.zeros(length, bool), counts[first:]))
            at = max(second, first) + length
            ids = np.concatenate((ids[:at], span, ids[at:]))[:LENGTH]
            counts = np.concatenate((counts[:at], np.ones(length, bool), counts[at:]))[:LENGTH]
        return ids, counts

    def doubled(self) -> tuple[np.ndarray, np.ndarray]:
        """Segments, each twice in a row, half of them random tokens."""
        ids, counts = [], []
        while sum(map(len, ids)) < LENGTH:
            length = int(self.dice.integers(*SEGMENT))
            is_text = self.dice.random() < 0.5
            segment = self.text(self.source(), length) if is_text else self.random(length)
            ids += [segment, segment]
            counts += [np.full(length, is_text), np.ones(length, bool)]
        return np.concatenate(ids), np.concatenate(counts)
