"""What Optax makes of the gradients of five steps.

    pip install numpy jax optax
    python3 make_golden.py
"""

import json
from pathlib import Path

import numpy as np
import optax

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


steps = [sample(1) for _ in range(5)]
golden = {"steps": [plain(step) for step in steps]}
for name, debias in (("debiased", True), ("plain", False)):
    transformation = optax.ema(0.8, debias=debias)
    state = transformation.init(steps[0])
    golden[name] = []
    for step in steps:
        updates, state = transformation.update(step, state)
        golden[name].append(plain(updates))

target = Path(__file__).with_name("ema.golden.json")
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
