"""Writes, for pairs of texts, the ids, token types, offsets (in UTF-16) and sequence numbers that Python `tokenizers` gives under several templates.

Usage: python tokenizer_pairs.py FIXTURES OUT.json      (FIXTURES: what tokenizer_offsets.py wrote; tokenizers 0.23.3)
"""
import json
import sys
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, processors

PAIRS = [
    ("How old are you?", "What is your age?"), ("Attention is all you need.", "They paid for it."), ("a", ""), ("", "b"), ("", ""), (" lead", " lead"),
    ("café 😀", "naïve 👍🏽 façade"), ("東京は日本の首都です。", "我喜欢 attention"), ("two\nlines", "tab\there"), ("unknown ☃", "☃ again"),
    ("[SEP] inside", "and [CLS] here"), ("<s> literal", "x <mask> y"), ("The quick brown fox", "jumps over the lazy dog " * 3),
]


def template(single: str, pair: str, special: list[tuple[str, int]]):
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)


KINDS = {
    "bert": ("wordpiece-uncased", processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))),
    "bert-template": ("wordpiece-cased", template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])),
    "roberta": ("byte-level-trimmed", processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True, add_prefix_space=True)),
    "roberta-untrimmed": ("byte-level", processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=False, add_prefix_space=False)),
    "t5": ("unigram-metaspace", template("$A </s>", "$A </s> $B </s>", [("</s>", 1)])),
    "llama": ("llama2-like", template("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])),
    "sequence": ("llama3-like", processors.Sequence([processors.ByteLevel(trim_offsets=False), template("<s> $A", "<s> $A </s>:2 $B:2", [("<s>", 0), ("</s>", 1)])])),
}


def utf16(text: str) -> list[int]:
    """Code-unit offset of each character, and of the end."""
    at, out = 0, []
    for char in text:
        out.append(at)
        at += 2 if ord(char) > 0xFFFF else 1
    return out + [at]


kinds = {}
for kind, (base, processor) in KINDS.items():
    source = json.loads((Path(sys.argv[1]) / f"{base}.json").read_text())["tokenizer"]
    tok = Tokenizer.from_str(json.dumps(source))
    tok.post_processor = processor
    cases = []
    for first, second in PAIRS:
        enc, units = tok.encode(first, second), (utf16(first), utf16(second))
        spans = [None if sequence is None else [units[sequence][a], units[sequence][b]] for (a, b), sequence in zip(enc.offsets, enc.sequence_ids)]
        cases.append({"text": first, "pair": second, "ids": enc.ids, "types": enc.type_ids, "spans": spans, "sequences": enc.sequence_ids})
    kinds[kind] = {"base": base, "post_processor": json.loads(tok.to_str())["post_processor"], "cases": cases}
Path(sys.argv[2]).write_text(json.dumps({"tokenizers": tokenizers.__version__, "kinds": kinds}, ensure_ascii=True, separators=(",", ":")) + "\n")
