"""The largest norms by NumPy: numpy.percentile of the last five norms, as the authors of AutoClip do.

    pip install numpy
    python3 make_golden.py
"""

import json
from pathlib import Path

import numpy as np

random = np.random.default_rng(1)
SHAPES = {"conv.weight": (2, 2, 3, 3), "fc.weight": (3, 4), "fc.bias": (3,), "gain": ()}


def sample(scale):
    """Float32 numbers, some large and some small, by parameter."""
    sizes = {"conv.weight": 1, "fc.weight": 10, "fc.bias": 0.01, "gain": 1}
    return {
        name: np.asarray(random.normal(size=shape) * sizes[name] * scale, dtype=np.float32)
        for name, shape in SHAPES.items()
    }


def plain(tensors):
    return {
        name: {"dims": list(np.shape(x)), "data": [float(f"{v:.9g}") for v in np.ravel(x)]}
        for name, x in tensors.items()
    }


steps = [sample(scale) for scale in (1, 3, 0.2, 5, 1, 0.5, 2, 8)]
norms = [float(np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in step.values()))) for step in steps]
golden = {"steps": [plain(step) for step in steps], "norms": norms}
for percentile in (0, 10, 50, 77, 100):
    golden[str(percentile)] = [
        float(np.percentile(norms[max(0, i - 4) : i + 1], percentile)) for i in range(len(steps))
    ]

target = Path(__file__).with_name("auto-clip.golden.json")
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
