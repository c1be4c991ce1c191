"""What Optax makes of five steps, two of them not finite, by descent with momentum.

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


steps, weights = [sample(1) for _ in range(5)], sample(2)
bad = {1: np.nan, 3: np.inf}
for i, value in bad.items():
    steps[i]["fc.weight"][2, 1] = 0  # what the test puts there is not JSON
transformation = optax.apply_if_finite(optax.sgd(0.1, momentum=0.9), max_consecutive_errors=5)
parameters, state = weights, transformation.init(weights)
golden = {"steps": [plain(step) for step in steps], "weights": plain(weights), "parameters": []}
for i, step in enumerate(steps):
    if i in bad:
        step["fc.weight"][2, 1] = bad[i]
    updates, state = transformation.update(step, state, parameters)
    parameters = optax.apply_updates(parameters, updates)
    golden["parameters"].append(plain(parameters))

target = Path(__file__).with_name("skip-nonfinite.golden.json")
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
