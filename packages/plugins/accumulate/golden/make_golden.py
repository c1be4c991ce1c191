"""What Optax makes of six micro-batches, three to a step, by plain gradient descent.

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


micro_batches, weights = [sample(1) for _ in range(6)], sample(2)
golden = {"steps": [plain(step) for step in micro_batches], "weights": plain(weights)}
for name, mean in (("mean", True), ("sum", False)):
    transformation = optax.MultiSteps(optax.sgd(0.1), every_k_schedule=3, use_grad_mean=mean)
    parameters, state = weights, transformation.init(weights)
    golden[name] = []
    for step in micro_batches:
        updates, state = transformation.update(step, state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        golden[name].append(plain(parameters))

target = Path(__file__).with_name("accumulate.golden.json")
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
