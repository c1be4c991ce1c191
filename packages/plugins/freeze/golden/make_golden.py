"""What becomes of weights by PyTorch where some of them take no part for a while: each has its own count of updates.

    pip install numpy torch
    python3 make_golden.py
"""

import json
from pathlib import Path

import numpy as np
import torch

random = np.random.default_rng(1)
SHAPES = {"first": (2, 3), "second": (4,), "third": ()}
#: The first step at which each is trained.
THAWS = {"first": 3, "second": 1, "third": 0}
OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.05),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, dampening=0.5),
}


def sample():
    return {
        name: np.asarray(random.normal(size=shape), dtype=np.float32)
        for name, shape in SHAPES.items()
    }


def plain(tensors):
    return {
        name: {"dims": list(np.shape(x)), "data": [float(f"{v:.9g}") for v in np.ravel(x)]}
        for name, x in tensors.items()
    }


weights, steps = sample(), [sample() for _ in range(6)]
golden = {"weights": plain(weights), "steps": [plain(step) for step in steps]}
for optimizer, make in OPTIMIZERS.items():
    parameters = {name: torch.tensor(x, dtype=torch.float64) for name, x in weights.items()}
    stepper = make(list(parameters.values()))
    golden[optimizer] = []
    for i, step in enumerate(steps):
        for name, parameter in parameters.items():
            given = torch.tensor(step[name], dtype=torch.float64)
            parameter.grad = given if i >= THAWS[name] else None
        stepper.step()
        golden[optimizer].append(plain({name: p.numpy() for name, p in parameters.items()}))

target = Path(__file__).with_name("freeze.golden.json")
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
