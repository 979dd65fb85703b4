"""Check the exported folder as a user gets it, without PyTorch: size, source lines, softmax, agreement."""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

DEMO = Path(__file__).resolve().parents[1]
LIMIT = 9_000_000
FRAME = re.compile(r'File "([^"]+)", line (\d+), in .*\n *(.*)')
TOLERANCE = 1e-4


def trace_of(node: onnx.NodeProto) -> str:
    return next((prop.value for prop in node.metadata_props if prop.key == "pkg.torch.onnx.stack_trace"), "")


def wrong_lines(graph: onnx.ModelProto) -> list[str]:
    """Frames that do not name media/demo/model.py or do not quote the line that stands there."""
    source = [line.strip() for line in (DEMO / "model.py").read_text("utf-8").splitlines()]
    frames = {match.groups() for node in graph.graph.node for match in FRAME.finditer(trace_of(node))}
    return [f"{path}:{line}" for path, line, text in frames
            if path != "media/demo/model.py" or not source[int(line) - 1].startswith(text.strip())]


def sessions(folder: Path) -> list[onnxruntime.InferenceSession]:
    return [onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
            for name in ("model.onnx", "model_cached.onnx")]


def cached_logits(
    session: onnxruntime.InferenceSession, ids: np.ndarray, mask: np.ndarray, pieces: list[int]
) -> np.ndarray:
    """The logits of a text fed piece by piece, each time with the cache of the piece before."""
    names = [tensor.name for tensor in session.get_inputs()[2:]]
    shape = session.get_inputs()[2].shape
    cache = [np.zeros((len(ids), shape[1], 0, shape[3]), np.float32) for _ in names]
    found, at = [], 0
    for piece in pieces:
        logits, *cache = session.run(None, {
            "input_ids": ids[:, at:at + piece], "attention_mask": mask[:, :at + piece], **dict(zip(names, cache))})
        found.append(logits)
        at += piece
    return np.concatenate(found, axis=1)


def disagreement(folder: Path) -> float:
    """Largest difference between the plain graph and the cached one fed in pieces, over real tokens."""
    plain, cached = sessions(folder)
    dice, worst = np.random.default_rng(0), 0.0
    for batch, padding, pieces in ((1, 0, [5]), (1, 0, [64]), (2, 6, [17]), (1, 0, [7, 1]), (2, 4, [33, 3])):
        ids = dice.integers(1, 2048, (batch, sum(pieces)))
        mask = np.ones_like(ids)
        mask[-1, :padding] = 0
        expected = plain.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        found = cached_logits(cached, ids, mask, pieces)
        worst = max(worst, float(np.abs(found - expected)[mask.astype(bool)].max()))
    return worst


def complaints(folder: Path) -> list[str]:
    found = []
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > LIMIT:
        found.append(f"the folder must be at most {LIMIT:,} bytes; it has {size:,}")
    layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
    for name in ("model.onnx", "model_cached.onnx"):
        graph = onnx.load(folder / name, load_external_data=False)
        onnx.checker.check_model(str(folder / name))
        softmaxes = [node for node in graph.graph.node if node.op_type == "Softmax"]
        if len(softmaxes) != layers:
            found.append(f"{name} must show a Softmax for each of {layers} layers; it has {len(softmaxes)}")
        if name == "model.onnx" and not all("model.py" in trace_of(node) for node in softmaxes):
            found.append("each Softmax of model.onnx must name its line of model.py")
        if re.search(rb"/(work|root|tmp|home|usr|opt)/", (folder / name).read_bytes()):
            found.append(f"{name} must not name folders of the machine it was exported on")
        found += [f"model.py must not change after the export; {name} quotes another {at}" for at in wrong_lines(graph)]
    if (worst := disagreement(folder)) > TOLERANCE:
        found.append(f"the two graphs must agree within {TOLERANCE}; they differ by {worst:.1e}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=DEMO / "storyteller")
    if found := complaints(parser.parse_args().folder):
        sys.exit("\n".join(found))
    print("The exported folder is in order.")


if __name__ == "__main__":
    main()
