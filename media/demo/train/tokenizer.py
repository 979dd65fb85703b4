"""Train the byte-level BPE tokenizer on the books and a few megabytes of stories."""

import argparse
import json
import lzma
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from stories import stories

STORY_CHARACTERS = 6_000_000
STORY_SEED = 1
BOS = "<bos>"


def train(texts: list[str], vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    ))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B:1", special_tokens=[(BOS, tokenizer.token_to_id(BOS))])
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=Path, default=Path(".demo-corpus/books.json.xz"))
    parser.add_argument("--out", type=Path, default=Path("media/demo/storyteller"))
    options = parser.parse_args()
    books = json.loads(lzma.decompress(options.books.read_bytes()))
    texts = [text for source in books.values() for text in source] + stories(STORY_SEED, STORY_CHARACTERS)
    options.out.mkdir(parents=True, exist_ok=True)
    train(texts, vocabulary=2048).save(str(options.out / "tokenizer.json"), pretty=False)
    (options.out / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "left",
    }, indent=2) + "\n")


if __name__ == "__main__":
    main()
