"""Opens a trace with safetensors alone, recomputes attention with numpy, and prints what it found as one JSON object.

python read_trace.py FILE.attntrace PATTERN.safetensors
"""

import json
import sys

import numpy as np
from safetensors import safe_open


def softmax(scores):
    exp = np.exp(scores - scores.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def probabilities(q, k, scale):
    """Causal softmax(scale·q·kᵀ) in float64, from q [batch, pos, head, dim] and k [batch, pos, kv head, dim]."""
    k = np.repeat(k, q.shape[2] // k.shape[2], axis=2)
    scores = np.einsum("bqhd,bkhd->bhqk", q.astype(np.float64), k.astype(np.float64)) * scale
    visible = np.tril(np.ones(scores.shape[-2:], bool))
    return softmax(np.where(visible, scores, -np.inf))


def health(file, name):
    """The largest |q·k|, unscaled, over every pair; lengths of values."""
    q, k, v = (file.get_tensor(f"{name}.hook_{part}").astype(np.float64) for part in "qkv")
    group = q.shape[2] // k.shape[2]
    products = np.abs(np.einsum("bqhd,bkhd->bhqk", q, np.repeat(k, group, axis=2)))
    return float(products.max()), [int(i) for i in np.unravel_index(products.argmax(), products.shape)], np.repeat(np.linalg.norm(v, axis=-1), group, axis=2)


def main(trace, pattern):
    found = {"tensors": {}, "worst": {}, "products": {}, "sinkValues": {}, "saturation": {}}
    with safe_open(trace, "np") as file, safe_open(pattern, "np") as patterns:
        manifest = json.loads(file.metadata()["attnscope"])
        for name in file.keys():
            tensor = file.get_tensor(name)
            found["tensors"][name] = {"shape": list(tensor.shape), "dtype": str(tensor.dtype)}
        for site in manifest["sites"]:
            name = site["name"]
            p = probabilities(file.get_tensor(f"{name}.hook_q"), file.get_tensor(f"{name}.hook_k"), site["scale"])
            stats = {key: file.get_tensor(f"{name}.stats.{key}") for key in ("entropy", "max", "max_key", "received")}
            product, at, lengths = health(file, name)
            found["products"][name] = {"numpy": product, "at": at, "trace": manifest["health"]["sites"][name]["product"]}
            ratios = []
            for head in manifest["heads"][name]:
                own = lengths[head["batch"], :, head["head"]]
                ratios.append(own[head["sinkKey"]] / np.delete(own, head["sinkKey"]).mean())
            found["sinkValues"][name] = float(np.abs(np.array(ratios) - manifest["health"]["sites"][name]["sinkValues"]).max())
            saturated = (p.max(-1) > 0.999)[..., 1:].mean(-1)
            found["saturation"][name] = float(np.abs(saturated[0] - [head["saturation"] for head in manifest["heads"][name]]).max())
            logs = np.log(np.where(p > 0, p, 1))
            found["worst"][name] = {
                "pattern": float(np.abs(p - patterns.get_tensor(f"{name}.hook_pattern")).max()),
                "entropy": float(np.abs(-(p * logs).sum(-1) - stats["entropy"]).max()),
                "max": float(np.abs(p.max(-1) - stats["max"]).max()),
                "max_key": float((p.max(-1) - np.take_along_axis(p, stats["max_key"][..., None].astype(np.int64), -1)[..., 0]).max()),
                "received": float(np.abs(p.sum(-2) - stats["received"]).max()),
            }
    found["formatVersion"] = manifest["formatVersion"]
    found["sites"] = [site["name"] for site in manifest["sites"]]
    found["tokens"] = len(manifest["input"]["ids"][0])
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
