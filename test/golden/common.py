"""What the make_*.py scripts share: the digits, the example networks, and how arrays are written."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent.parent / "models" / "digits"

sys.dont_write_bytecode = True
sys.path.insert(0, str(DIGITS))
from networks import NETWORKS  # noqa: E402

# One thread, so that sums are always taken in the same order.
torch.set_num_threads(1)

Tensors = dict[str, torch.Tensor]


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    with np.load(DIGITS / "digits-train.npz") as data:
        return torch.from_numpy(data["image"]), torch.from_numpy(data["labels"])


def network(name: str) -> nn.Module:
    """The network of models/digits, with exactly the weights of <name>.onnx."""
    model = NETWORKS[name]()
    exported = (DIGITS / f"{name}.onnx").read_bytes()
    for parameter, value in model.named_parameters():
        if value.detach().numpy().tobytes() not in exported:
            raise SystemExit(f"{name}.onnx holds another {parameter}: run models/digits/export.py first")
    return model


def parameters(model: nn.Module) -> Tensors:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def gradients(model: nn.Module) -> Tensors:
    return {name: value.grad.detach().clone() for name, value in model.named_parameters()}


def prefixed(prefix: str, tensors: Tensors) -> Tensors:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def save(name: str, tensors: Tensors) -> None:
    target = HERE / f"{name}.npz"
    arrays = {key: value.detach().numpy() for key, value in tensors.items()}
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            raise SystemExit(f"{target.name}: {key} is not finite")
    np.savez_compressed(target, **arrays)
    print(f"{target.name}: {len(arrays)} arrays, {target.stat().st_size} bytes")
