"""What becomes of weights by Optax: momentum, decay apart from it, learning rate.

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


steps, weights = [sample(1) for _ in range(4)], sample(2)
transformation = optax.chain(
    optax.trace(0.9), optax.add_decayed_weights(0.3), optax.scale_by_learning_rate(0.05)
)
parameters, state = weights, transformation.init(weights)
golden = {"steps": [plain(step) for step in steps], "weights": plain(weights), "parameters": []}
for step in steps:
    updates, state = transformation.update(step, state, parameters)
    parameters = optax.apply_updates(parameters, updates)
    golden["parameters"].append(plain(parameters))

target = Path(__file__).with_name("weight-decay.golden.json")
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
