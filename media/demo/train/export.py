"""Export a Storyteller to ONNX twice, plain and with a cache, over one file of weights, and compare with PyTorch."""

import argparse
import json
import re
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx.external_data_helper import set_external_data
from onnxscript.optimizer import optimize_ir
from torch import Tensor

sys.path.append(str(Path(__file__).resolve().parents[1]))
from model import Config, Storyteller

WEIGHTS = "weights.bin"
INLINE_BYTES = 1024             # smaller tensors stay in the graph
ALIGNMENT = 64
KEPT_METADATA = {"pkg.torch.onnx.stack_trace", "pkg.torch.onnx.class_hierarchy",
                 "pkg.torch.onnx.name_scopes", "namespace"}
SOURCE = "media/demo/model.py"
FRAME = re.compile(r' *File "([^"]+)", line \d+, in .*\n.*')
TOLERANCE = 1e-4


class CachedStoryteller(Storyteller):
    """Storyteller with the cache as flat tensors: key and value of every layer, one after the other."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, *flat: Tensor) -> tuple[Tensor, ...]:
        past = list(zip(flat[::2], flat[1::2]))
        logits, presents = super().forward(input_ids, attention_mask, past)
        return logits, *(tensor for present in presents for tensor in present)


def cache_names(config: Config, prefix: str) -> list[str]:
    return [f"{prefix}.{layer}.{part}" for layer in range(config.num_hidden_layers) for part in ("key", "value")]


def empty_cache(config: Config, batch: int) -> list[Tensor]:
    shape = (batch, config.num_key_value_heads, 0, config.head_dim)
    return [torch.zeros(shape) for _ in range(2 * config.num_hidden_layers)]


def export_plain(model: Storyteller, path: Path) -> onnx.ModelProto:
    """The dynamo exporter: every node says from which line of model.py it comes.

    Its optimizer may fold anything but the transposes of the weights: they must stay what the other file holds.
    """
    ids = torch.randint(1, model.config.vocab_size, (2, 12))
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
    program = torch.onnx.export(
        model, (ids, torch.ones_like(ids)), dynamo=True, opset_version=18, optimize=False,
        input_names=["input_ids", "attention_mask"], output_names=["logits"],
        dynamic_shapes={"input_ids": free, "attention_mask": free})
    optimize_ir(program.model, should_fold=lambda node: False if node.op_type == "Transpose" else None)
    program.save(str(path))
    return onnx.load(path)


def export_cached(model: Storyteller, path: Path) -> onnx.ModelProto:
    """The TorchScript exporter: the other dialect that tools meet. Folding would store the tied matrix twice."""
    config = model.config
    past, present = cache_names(config, "past_key_values"), cache_names(config, "present")
    ids = torch.randint(1, config.vocab_size, (2, 3))
    cache = [torch.randn(2, config.num_key_value_heads, 5, config.head_dim) for _ in past]
    axes = {"input_ids": {0: "batch", 1: "sequence"}, "attention_mask": {0: "batch", 1: "total_sequence"},
            "logits": {0: "batch", 1: "sequence"}}
    axes |= {name: {0: "batch", 2: "past_sequence"} for name in past}
    axes |= {name: {0: "batch", 2: "total_sequence"} for name in present}
    torch.onnx.export(
        model, (ids, torch.ones(2, 8, dtype=torch.int64), *cache), str(path), dynamo=False, opset_version=17,
        do_constant_folding=False, input_names=["input_ids", "attention_mask", *past],
        output_names=["logits", *present], dynamic_axes=axes)
    return onnx.load(path)


def own_frames(trace: str) -> str:
    """The frames of a stack trace that lie in model.py, without the folder of the machine it was exported on."""
    frames = [match for match in FRAME.finditer(trace) if match[1].endswith(SOURCE)]
    return "\n".join(frame[0].replace(frame[1], SOURCE) for frame in frames)


def tidy(graph: onnx.ModelProto) -> None:
    """Keep what tells where a node comes from, drop what only repeats the graph."""
    del graph.graph.value_info[:]
    for node in graph.graph.node:
        kept = [(prop.key, own_frames(prop.value) if prop.key.endswith("stack_trace") else prop.value)
                for prop in node.metadata_props if prop.key in KEPT_METADATA]
        del node.metadata_props[:]
        for key, value in kept:
            node.metadata_props.add(key=key, value=value)
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del value.metadata_props[:]
    del graph.graph.metadata_props[:]
    del graph.metadata_props[:]
    graph.doc_string = graph.graph.doc_string = ""


class WeightsFile:
    """Tensors one after the other, each content once, for several graphs."""

    def __init__(self, path: Path):
        self.path, self.bytes, self.offsets = path, bytearray(), {}

    def take(self, graph: onnx.ModelProto) -> None:
        for tensor in graph.graph.initializer:
            raw = onnx.numpy_helper.to_array(tensor).tobytes()
            if len(raw) < INLINE_BYTES:
                continue
            if raw not in self.offsets:
                self.bytes += bytes(-len(self.bytes) % ALIGNMENT)
                self.offsets[raw] = len(self.bytes)
                self.bytes += raw
            tensor.CopyFrom(onnx.TensorProto(
                name=tensor.name, dims=tensor.dims, data_type=tensor.data_type, raw_data=b""))
            set_external_data(tensor, WEIGHTS, offset=self.offsets[raw], length=len(raw))
            tensor.ClearField("raw_data")

    def write(self) -> None:
        self.path.write_bytes(self.bytes)


def write_config(config: Config, path: Path) -> None:
    path.write_text(json.dumps({
        "model_type": "storyteller", "architectures": ["Storyteller"], **asdict(config),
        "hidden_act": "silu", "attention_bias": False, "tie_word_embeddings": True, "use_cache": True,
        "bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0, "torch_dtype": "float32",
    }, indent=2) + "\n")


def weights_of(run: Path | None, folder: Path) -> dict[str, Tensor]:
    """Of a fresh run, or else the ones exported before: the graph keeps PyTorch's names."""
    if run:
        return torch.load(run / "weights.pt", map_location="cpu", weights_only=True)
    names = Storyteller(Config()).state_dict()
    tensors = onnx.load(folder / "model.onnx").graph.initializer
    return {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
            for tensor in tensors if tensor.name in names}


def export(state: dict[str, Tensor], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shared = WeightsFile(folder / WEIGHTS)
    for name, kind, exporter in (("model.onnx", Storyteller, export_plain),
                                 ("model_cached.onnx", CachedStoryteller, export_cached)):
        model = kind(Config()).eval()
        model.load_state_dict(state)
        with tempfile.TemporaryDirectory() as scratch:
            graph = exporter(model, Path(scratch) / name)
        tidy(graph)
        shared.take(graph)
        (folder / name).write_bytes(graph.SerializeToString())
    shared.write()
    write_config(Config(), folder / "config.json")


def padded(batch: int, length: int, padding: int) -> tuple[Tensor, Tensor]:
    """Random tokens; the last row begins with padding."""
    ids = torch.randint(1, Config.vocab_size, (batch, length))
    mask = torch.ones_like(ids)
    mask[-1, :padding] = 0
    return ids, mask


def difference(found: np.ndarray, expected: Tensor, mask: Tensor) -> float:
    """Largest difference over the real tokens: rows that see nothing mean nothing."""
    return float(np.abs(found - expected.numpy())[mask.bool().numpy()].max())


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@torch.no_grad()
def compare(state: dict[str, Tensor], folder: Path) -> dict:
    """Largest difference of logits from PyTorch's, for every shape tried."""
    model = CachedStoryteller(Config()).eval()
    model.load_state_dict(state)
    plain, cached = session(folder / "model.onnx"), session(folder / "model_cached.onnx")
    found = {}
    past, present = cache_names(model.config, "past_key_values"), cache_names(model.config, "present")
    for batch, length, padding in ((1, 5, 0), (1, 64, 0), (2, 17, 6)):
        ids, mask = padded(batch, length, padding)
        expected = Storyteller.forward(model, ids, mask)
        feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        found[f"model {batch}x{length}"] = difference(plain.run(["logits"], feed)[0], expected, mask)
        feed |= {name: tensor.numpy() for name, tensor in zip(past, empty_cache(model.config, batch))}
        found[f"model_cached {batch}x{length}"] = difference(cached.run(["logits"], feed)[0], expected, mask)
    for batch, before, length, padding in ((1, 7, 1, 0), (2, 33, 3, 4)):
        ids, mask = padded(batch, before + length, padding)
        _, *cache = model(ids[:, :before], mask[:, :before], *empty_cache(model.config, batch))
        expected, *presents = model(ids[:, before:], mask, *cache)
        feed = {"input_ids": ids[:, before:].numpy(), "attention_mask": mask.numpy(),
                **{name: tensor.numpy() for name, tensor in zip(past, cache)}}
        logits, *outputs = cached.run(["logits", *present], feed)
        worst = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(outputs, presents))
        key = f"model_cached {batch}x{length} after {before}"
        found[key] = max(worst, difference(logits, expected, mask[:, before:]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="the folder that train.py wrote; without it the same weights again")
    parser.add_argument("--out", type=Path, default=Path("media/demo/storyteller"))
    options = parser.parse_args()
    torch.manual_seed(0)
    state = weights_of(options.run, options.out)
    export(state, options.out)
    differences = compare(state, options.out)
    if options.run:
        (options.run / "parity.json").write_text(json.dumps(differences, indent=1))
    for shape, value in differences.items():
        print(f"{shape}: {value:.1e}")
    if max(differences.values()) > TOLERANCE:
        sys.exit(f"logits must be within {TOLERANCE} of PyTorch's")


if __name__ == "__main__":
    main()
