"""Five steps of each optimizer on fixed gradients, in float32 and float64: optimizers.npz."""

import math
from collections.abc import Callable

import torch
from torch.optim import SGD, Adam, AdamW

from common import Tensors, prefixed, save

STEPS = 5
SHAPES = {"weight": (4, 3), "bias": (3,), "gain": ()}
# What torch calls its state, as checkpoints of ONNX Runtime name it.
STATE = {"exp_avg": "momentum0", "exp_avg_sq": "momentum1", "momentum_buffer": "momentum0"}
SCHEDULE = [0.01, 0.02, 0.03, 0.015, 0.0]

Run = Callable[[Tensors, list[Tensors]], Tensors]


def given() -> tuple[Tensors, list[Tensors]]:
    """Weights and gradients; among them a row of zeros, a large and a tiny gradient."""
    random = torch.Generator().manual_seed(0)
    weights, *grads = (
        {name: torch.randn(shape, generator=random) for name, shape in SHAPES.items()}
        for _ in range(1 + STEPS)
    )
    for step in grads:
        step["weight"][1] = 0
        step["weight"][2] *= 1e4
        step["bias"][0] *= 1e-7
    return weights, grads


def in_torch(create: Callable[..., torch.optim.Optimizer], schedule: list[float] | None = None) -> Run:
    def run(weights: Tensors, grads: list[Tensors]) -> Tensors:
        leaves = {name: torch.nn.Parameter(value.clone()) for name, value in weights.items()}
        optimizer = create(leaves.values())
        history: list[Tensors] = []
        for step, step_grads in enumerate(grads):
            if schedule:
                optimizer.param_groups[0]["lr"] = schedule[step]
            for name, leaf in leaves.items():
                leaf.grad = step_grads[name].clone()
            optimizer.step()
            seen = prefixed("parameters", leaves)
            for name, leaf in leaves.items():
                state = optimizer.state[leaf].items()
                seen |= {f"{STATE[key]}/{name}": value for key, value in state if key in STATE and value is not None}
            history.append({key: value.detach().clone() for key, value in seen.items()})
        return stacked(history)

    return run


def huggingface(
    lr: float, epsilon: float, decay: float, betas: tuple[float, float] = (0.9, 0.999), correct: bool = True
) -> Run:
    """AdamW as in the transformers library and as adam_mode 1 of com.microsoft.AdamWOptimizer: epsilon stands
    outside the bias correction, and what decays is the weight after the step."""

    def run(weights: Tensors, grads: list[Tensors]) -> Tensors:
        w = {name: value.clone() for name, value in weights.items()}
        m = {name: torch.zeros_like(value) for name, value in weights.items()}
        v = {name: torch.zeros_like(value) for name, value in weights.items()}
        history: list[Tensors] = []
        for t, step_grads in enumerate(grads, start=1):
            corrected = math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t) if correct else 1
            for name, g in step_grads.items():
                m[name] = betas[0] * m[name] + (1 - betas[0]) * g
                v[name] = betas[1] * v[name] + (1 - betas[1]) * g * g
                w[name] = w[name] - lr * corrected * m[name] / (v[name].sqrt() + epsilon)
                w[name] = w[name] - lr * decay * w[name]
            parts = {"parameters": w, "momentum0": m, "momentum1": v}
            history.append({key: x for part, xs in parts.items() for key, x in prefixed(part, xs).items()})
        return stacked(history)

    return run


def stacked(history: list[Tensors]) -> Tensors:
    return {key: torch.stack([step[key] for step in history]) for key in history[0]}


CASES: dict[str, Run] = {
    "adamw": in_torch(lambda p: AdamW(p, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)),
    "adamw-other": in_torch(lambda p: AdamW(p, lr=0.02, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)),
    "adamw-schedule": in_torch(lambda p: AdamW(p, eps=1e-8, weight_decay=0.01), SCHEDULE),
    "adam": in_torch(lambda p: Adam(p, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)),
    "hf-adamw": huggingface(lr=1e-3, epsilon=1e-6, decay=0.0),
    "hf-adamw-decay": huggingface(lr=0.02, epsilon=1e-6, decay=0.01),
    "hf-adamw-uncorrected": huggingface(lr=1e-3, epsilon=1e-6, decay=0.01, correct=False),
    "sgd": in_torch(lambda p: SGD(p, lr=0.05)),
    "sgd-decay": in_torch(lambda p: SGD(p, lr=0.05, weight_decay=0.01)),
    "sgd-momentum": in_torch(lambda p: SGD(p, lr=0.05, momentum=0.9)),
    "sgd-dampening": in_torch(lambda p: SGD(p, lr=0.05, momentum=0.9, dampening=0.5)),
    "sgd-nesterov": in_torch(lambda p: SGD(p, lr=0.05, momentum=0.9, nesterov=True)),
    "sgd-nesterov-decay": in_torch(lambda p: SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
    "sgd-schedule": in_torch(lambda p: SGD(p, lr=0.1, momentum=0.9), SCHEDULE),
}


def main() -> None:
    weights, grads = given()
    arrays = {**prefixed("weights", weights), **prefixed("gradients", stacked(grads))}
    exact = (
        {name: value.double() for name, value in weights.items()},
        [{name: value.double() for name, value in step.items()} for step in grads],
    )
    for name, run in CASES.items():
        arrays |= prefixed(f"{name}/float32", run(weights, grads))
        arrays |= prefixed(f"{name}/float64", run(*exact))
    save("optimizers", arrays)


if __name__ == "__main__":
    main()
