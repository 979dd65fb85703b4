"""Turn books and stories into token arrays on disk: what is trained on, and what is held out."""

import argparse
import json
import lzma
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from stories import stories

STORY_CHARACTERS = 60_000_000
HELD_STORY_CHARACTERS = 400_000
HELD_OUT = {"stories": 0, "austen": 0.04, "moby": 0.04, "speeches": 0.04, "factbook": 0.10}
SOURCES = tuple(HELD_OUT)
TRAIN_SEED, HELD_SEED = 1_000, 1       # the first of many seeds, and a seed apart from them


@dataclass
class Tokens:
    """Paragraphs of one source in a row, and where each of them starts."""

    ids: np.ndarray
    starts: np.ndarray


def encode(tokenizer: Tokenizer, texts: list[str]) -> Tokens:
    encoded = tokenizer.encode_batch([text + "\n\n" for text in texts], add_special_tokens=False)
    lengths = np.array([len(text.ids) for text in encoded])
    ids = np.concatenate([np.array(text.ids, np.uint16) for text in encoded])
    return Tokens(ids, np.concatenate(([0], np.cumsum(lengths)[:-1])))


def save(tokens: Tokens, path: Path) -> None:
    np.savez(path, ids=tokens.ids, starts=tokens.starts)


def load(folder: Path, source: str, part: str) -> Tokens:
    with np.load(folder / f"{source}.{part}.npz") as arrays:
        return Tokens(arrays["ids"], arrays["starts"])


def told(seed: int, characters: int, workers: int) -> list[str]:
    """Stories from as many seeds as there are workers."""
    with multiprocessing.Pool(workers) as pool:
        parts = pool.starmap(stories, [(seed + worker, characters // workers) for worker in range(workers)])
    return [text for part in parts for text in part]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=Path, default=Path(".demo-corpus/books.json.xz"))
    parser.add_argument("--tokenizer", type=Path, default=Path("media/demo/storyteller/tokenizer.json"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--story-characters", type=int, default=STORY_CHARACTERS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    sources = json.loads(lzma.decompress(options.books.read_bytes()))
    parts = {}
    for source, texts in sources.items():
        cut = round(len(texts) * (1 - HELD_OUT[source]))
        parts[source] = texts[:cut], texts[cut:]
    workers = multiprocessing.cpu_count()
    parts["stories"] = (told(TRAIN_SEED, options.story_characters, workers),
                        stories(HELD_SEED, HELD_STORY_CHARACTERS))
    for source in SOURCES:
        for part, texts in zip(("train", "held"), parts[source]):
            tokens = encode(tokenizer, texts)
            save(tokens, options.out / f"{source}.{part}.npz")
            print(f"{source} {part}: {len(tokens.ids):,} tokens in {len(texts):,} paragraphs", flush=True)


if __name__ == "__main__":
    main()
