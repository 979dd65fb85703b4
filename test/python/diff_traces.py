"""Compares two traces with safetensors and numpy alone, in float64, and prints what it found as one JSON object.

python diff_traces.py A.attntrace B.attntrace
"""

import json
import sys

import numpy as np
from safetensors import safe_open

from read_trace import probabilities


def kl(p, q):
    """Mean over rows of KL(p || q) in nats, [batch, head, query, key] -> [batch, head]; causal rows, so 0·ln 0 = 0 outside."""
    ratio = np.where(p > 0, np.log(np.where(p > 0, p, 1)) - np.log(np.where(q > 0, q, 1)), 0)
    return (p * ratio).sum(-1).mean(-1)


def output(p, v):
    """Σ p·v per head: [batch, head, query, dim]."""
    v = np.repeat(v.astype(np.float64), p.shape[1] // v.shape[2], axis=2)
    return np.einsum("bhqk,bkhd->bhqd", p, v)


def main(a, b):
    found = {}
    with safe_open(a, "np") as first, safe_open(b, "np") as second:
        for site in json.loads(first.metadata()["attnscope"])["sites"]:
            name = site["name"]
            p, q = (probabilities(file.get_tensor(f"{name}.hook_q"), file.get_tensor(f"{name}.hook_k"), site["scale"]) for file in (first, second))
            m = (p + q) / 2
            x, y = (output(one, file.get_tensor(f"{name}.hook_v")) for one, file in ((p, first), (q, second)))
            numbers = {
                "klAB": kl(p, q),
                "klBA": kl(q, p),
                "js": (kl(p, m) + kl(q, m)) / 2,
                "tv": np.abs(p - q).sum(-1).mean(-1) / 2,
                "maxAbs": np.abs(p - q).max((-1, -2)),
                "outputError": np.sqrt(((y - x) ** 2).sum((-1, -2)) / (x**2).sum((-1, -2))),
            }
            found[name] = {key: value[0].tolist() for key, value in numbers.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
