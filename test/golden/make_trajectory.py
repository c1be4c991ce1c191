"""Ten steps of training with norm-clip, value-clip and l2 before the optimizer: trajectory.npz."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import transforms
from common import Tensors, digits, gradients, network, parameters, prefixed, save

STEPS = 10
BATCH = 64
OPTIMIZERS = {
    "adamw": lambda model: torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01),
    "sgd": lambda model: torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4
    ),
}


def chain(grads: Tensors, weights: Tensors) -> Tensors:
    clipped = transforms.value_clip(transforms.norm_clip(grads, 1.0), -0.02, 0.02)
    return transforms.l2(clipped, weights, 1e-3)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, rows: torch.Tensor) -> tuple[Tensors, Tensors]:
    """What was seen at each step, and the parameters after the last."""
    images, labels = digits()
    images = images.to(next(model.parameters()).dtype)
    losses, norms = [], []
    for batch in rows:
        optimizer.zero_grad()
        loss = cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        grads = gradients(model)
        losses.append(loss.detach())
        norms.append(torch.stack([g.norm() for g in grads.values()]).norm())
        for name, gradient in chain(grads, parameters(model)).items():
            model.get_parameter(name).grad = gradient
        optimizer.step()
    return {"losses": torch.stack(losses), "norms": torch.stack(norms)}, parameters(model)


def rounding(found: Tensors, exact: Tensors) -> float:
    """The largest distance from the same run in float64, in units of a tensor's norm."""
    return max(((found[name] - value).norm() / value.norm()).item() for name, value in exact.items())


def main() -> None:
    rows = torch.randperm(len(digits()[1]), generator=torch.Generator().manual_seed(0))
    rows = rows[: STEPS * BATCH].reshape(STEPS, BATCH)
    arrays: Tensors = {"rows": rows}
    for name in ("mlp", "cnn"):
        for optimizer, create in OPTIMIZERS.items():
            model, double = network(name), network(name).double()
            seen, trained = train(model, create(model), rows)
            _, exact = train(double, create(double), rows)
            print(f"{name}/{optimizer}: off float64 by {rounding(trained, exact):.1e} of a tensor's norm")
            arrays |= prefixed(f"{name}/{optimizer}", {**seen, **prefixed("parameters", trained)})
    save("trajectory", arrays)


if __name__ == "__main__":
    main()
