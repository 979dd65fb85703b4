"""Trains five small tokenizers with Python `tokenizers` and writes, for hard texts, the ids and offsets (in UTF-16) that it gives.

Usage: python tokenizer_offsets.py OUT_FOLDER      (tokenizers 0.22.1)
"""
import json
import sys
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path(sys.argv[1])
LINES = [
    "The quick brown fox jumps over the lazy dog. The dog does not mind; the fox does.",
    "Attention is all you need, they said, and then they paid for attention.",
    "Boris went to the market to buy bread, salt and plums. Anna went home.",
    "Café crème brûlée naïve façade élève über Ångström señor jalapeño.",
    "Wie geht es Ihnen heute? Größe, Straße, Fuß, Übermut.",
    "東京は日本の首都です。 我喜欢注意力机制。 한국어 문장도 있습니다.",
    "def forward(self, x):\n    return softmax(q @ k.T / sqrt(d)) @ v\n",
    "Numbers 0 1 2 3 10 100 1,000 3.14159 and dates 2026-01-31.",
    "Emoji 😀 👍 ❤️ are text too.",
    "Привет, мир! Ещё раз: внимание.",
] * 20
TEXTS = [
    "Hello world", " leading space", "  two leading spaces", "trailing space ", "", " ", "a", "The quick brown fox.",
    "café", "cafe\u0301", "CAFÉ Ångström naïve", "Å vs A\u030a vs \u212b", "İstanbul ISTANBUL",
    "I 😀 you", "😀", "👍🏽 ok", "family 👨‍👩‍👧 here", "❤️ heart", "🇩🇪 flag", "x😀y😀z",
    "東京は日本の首都です。", "我喜欢 attention 机制", "한국어", "ㅎ\u1112\u1161\u11ab jamo", "混合 text 東京",
    "line one\nline two\n\n  indented\tTab", "\r\nwindows\r\n", "a\u00a0b non-breaking", "full\u3000width Ａ１", "ﬁne ligature ½ ①",
    "don't can't we're I'll", "3.14159 and 1,250,000", "def forward(self, x):\n    return x @ w", "word" * 30,
    "\u200bzero\u200dwidth\ufeff", "ß ẞ ſ", "mixed ümläuts und Straße", "Привет, мир!", "unknown ☃ snowman ☂☃☂", "a☃b", "tab\tand\x07bell",
    "<s> literal special </s> inside", "hello<mask>world", "<mask> a <mask>", "x <mask>", "[MASK] and [CLS]", "e\u0301\u0323 stacked", "\u0323lone mark", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 math", "ｶﾞ half-width",
    "end with emoji 🎉", "…ellipsis… — dash", "a  b   c    d", "Zürich\nGenève\n", "ΑΣ ΟΔΟΣ",
]


def utf16(text: str) -> list[int]:
    """Code-unit offset of each character, and of the end."""
    at, out = 0, []
    for char in text:
        out.append(at)
        at += 2 if ord(char) > 0xFFFF else 1
    return out + [at]


def byte_level(trim: bool, prefix: bool) -> Tokenizer:
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    if prefix:
        tok.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=trim, add_prefix_space=prefix)
    else:
        tok.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tok


def llama3_like() -> Tokenizer:
    tok = Tokenizer(models.BPE(ignore_merges=True))
    tok.normalizer = normalizers.NFC()
    split = Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(split, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])])
    return tok


def word_piece(lower: bool) -> Tokenizer:
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=None)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    tok.train_from_iterator(LINES, trainers.WordPieceTrainer(vocab_size=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    tok.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tok


def unigram() -> Tokenizer:
    tok = Tokenizer(models.Unigram())
    tok.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tok.decoder = decoders.Metaspace()
    tok.train_from_iterator(LINES, trainers.UnigramTrainer(vocab_size=400, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    tok.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tok


def llama2_like() -> Tokenizer:
    """SentencePiece's BPE as converted by transformers: prepend and replace blanks, byte fallback."""
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    ascii_lines = [line for line in LINES if line.isascii() or "Café" in line]
    tok.train_from_iterator(ascii_lines, trainers.BpeTrainer(vocab_size=700, special_tokens=special, show_progress=False))
    data = json.loads(tok.to_str())
    data["added_tokens"] = data["added_tokens"][:3]
    tok = Tokenizer.from_str(json.dumps(data))
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tok


KINDS = {
    "byte-level": byte_level(False, False), "byte-level-trimmed": byte_level(True, True), "llama3-like": llama3_like(),
    "wordpiece-uncased": word_piece(True), "wordpiece-cased": word_piece(False), "unigram-metaspace": unigram(), "llama2-like": llama2_like(),
}
for name, tok in KINDS.items():
    cases = []
    for text in TEXTS:
        enc, units = tok.encode(text), utf16(text)
        spans = [None if special else [units[a], units[b]] for (a, b), special in zip(enc.offsets, enc.special_tokens_mask)]
        cases.append({"text": text, "ids": enc.ids, "spans": spans})
    (OUT / f"{name}.json").write_text(json.dumps({"tokenizers": tokenizers.__version__, "tokenizer": json.loads(tok.to_str()), "cases": cases}, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(name, len(cases), (OUT / f"{name}.json").stat().st_size)
