"""The four gradient transformations, in PyTorch's own arithmetic and in the type of the gradients."""

import torch

from common import Tensors


def norm_clip(gradients: Tensors, max_norm: float) -> Tensors:
    """torch.nn.utils.clip_grad_norm_ over all gradients together."""
    holders = {name: torch.nn.Parameter(torch.zeros_like(g)) for name, g in gradients.items()}
    for name, holder in holders.items():
        holder.grad = gradients[name].clone()
    torch.nn.utils.clip_grad_norm_(holders.values(), max_norm)
    return {name: holder.grad for name, holder in holders.items()}


def norm_clip_each(gradients: Tensors, max_norm: float) -> Tensors:
    """The same for each gradient alone."""
    return {name: norm_clip({name: g}, max_norm)[name] for name, g in gradients.items()}


def value_clip(gradients: Tensors, low: float, high: float) -> Tensors:
    return {name: g.clamp(low, high) for name, g in gradients.items()}


def scale_of(gradient: torch.Tensor, bits: int) -> torch.Tensor:
    """The distance of two levels, [1]."""
    return (gradient.abs().max() / (2 ** (bits - 1) - 1)).reshape(1)


def quantize(gradients: Tensors, bits: int) -> Tensors:
    """Symmetric, one scale for each tensor, to the nearest level and to the even one of two; zero stays zero."""

    def one(gradient: torch.Tensor) -> torch.Tensor:
        scale = scale_of(gradient, bits)[0]
        return torch.round(gradient / scale) * scale if scale > 0 else gradient.clone()

    return {name: one(g) for name, g in gradients.items()}


def l2(gradients: Tensors, weights: Tensors, strength: float, exclude: str | None = None) -> Tensors:
    """g + strength · w; `exclude` is the end of the names that stay as they are."""
    return {
        name: g.clone() if exclude and name.endswith(exclude) else g + strength * weights[name]
        for name, g in gradients.items()
    }
