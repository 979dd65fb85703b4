"""Write the table of figures into the demo's README, from figures.json or from fresh runs."""

import argparse
import json
import re
from pathlib import Path

DEMO = Path(__file__).resolve().parents[1]
FIGURES = DEMO / "train" / "figures.json"
README = DEMO / "README.md"
BLOCK = re.compile(r"(<!-- figures -->\n).*(<!-- /figures -->)", re.S)
TITLES = {"stories": "stories", "austen": "Austen", "moby": "Moby Dick", "speeches": "speeches", "factbook": "Factbook"}


def collect(runs: list[Path]) -> dict:
    """Figures of every run, the shipped one first, and what its export measured."""
    folder = DEMO / "storyteller"
    return {
        "runs": [json.loads((run / "figures.json").read_text()) for run in runs],
        "parity": json.loads((runs[0] / "parity.json").read_text()),
        "bytes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }


def rows(figures: dict) -> list[list[str]]:
    runs = figures["runs"]

    def row(title: str, threshold: str, cell) -> list[str]:
        return [title, threshold, *(cell(run) for run in runs)]

    table = [["held-out figure", "must be", *(f"seed {run['seed']}{' (shipped)' if run is runs[0] else ''}" for run in runs)]]
    for source, title in TITLES.items():
        rivals = runs[0]["perplexity"][source]
        table.append(row(
            f"perplexity, {title} (bigram {rivals['bigram']:.1f}; of this source alone {rivals['own_bigram']:.1f})",
            f"at most {rivals['bigram'] / 2:.1f}", lambda run: f"{run['perplexity'][source]['model']:.2f}"))
    table.append(row("heads that sink on `<bos>`, 64 tokens", "at least 50 %",
                     lambda run: f"{run['sinks_64']['share']:.0%} (best {run['sinks_64']['best_head']}, {run['sinks_64']['best']:.2f})"))
    table.append(row("the same, 512 tokens", "some",
                     lambda run: f"{run['sinks_512']['share']:.0%} (best {run['sinks_512']['best_head']}, {run['sinks_512']['best']:.2f})"))
    table.append(row("best induction head, random tokens twice", "at least 0.8",
                     lambda run: f"{run['induction']['score']:.2f} ({run['induction']['head']})"))
    table.append(row("best previous-token head, books", "at least 0.5",
                     lambda run: f"{run['previous_token']['score']:.2f} ({run['previous_token']['head']})"))
    table.append(row("random tokens copied right", "", lambda run: f"{run['induction']['top1']:.1%}"))
    table.append(row("tokens of a held-out span foreseen when it comes back; at first", "",
                     lambda run: f"{run['copying']['again']:.0%}; {run['copying']['first']:.0%}"))
    table.append(row("trained on, million tokens; seconds on one H100 shared by two", "",
                     lambda run: f"{run['tokens'] / 1e6:.0f}; {run['seconds']}"))
    return table


def text(figures: dict) -> str:
    head, *body = rows(figures)
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *body)]
    sizes = ", ".join(f"`{name}` {max(size / 1000, 1):,.0f} kB" for name, size in figures["bytes"].items())
    return "\n".join([
        *lines, "",
        f"Largest difference of the exports' logits from PyTorch's, over {len(figures['parity'])} shapes: "
        f"{max(figures['parity'].values()):.0e}.", "",
        f"Files: {sizes}; {sum(figures['bytes'].values()) / 1000:,.0f} kB together.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs, measured; the first one is exported")
    runs = parser.parse_args().runs
    if runs:
        FIGURES.write_text(json.dumps(collect(runs), indent=1) + "\n")
    figures = json.loads(FIGURES.read_text())
    README.write_text(BLOCK.sub(lambda block: block[1] + text(figures) + block[2], README.read_text()))


if __name__ == "__main__":
    main()
