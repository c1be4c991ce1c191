"""Recorded gradients and what the four transformations make of them, alone and in a chain: chain.npz."""

import torch
from torch.nn.functional import cross_entropy

import transforms
from common import Tensors, digits, gradients, network, parameters, prefixed, save

Pair = tuple[Tensors, Tensors]


def digits_set() -> Pair:
    """Gradients and weights of the MLP, and of the first layer of the CNN, on the first 64 digits; and one
    tensor of a single element."""
    images, labels = digits()
    result: Pair = ({}, {})
    for name, kept in (("mlp", ""), ("cnn", "conv1")):
        model = network(name)
        cross_entropy(model(images[:64]), labels[:64]).backward()
        for into, tensors in zip(result, (gradients(model), parameters(model))):
            into.update({key: value for key, value in tensors.items() if key.startswith(kept)})
    result[0]["temperature"], result[1]["temperature"] = torch.tensor([-0.37]), torch.tensor([1.25])
    return result


def extreme_set() -> Pair:
    """Gradients of very different sizes: about 1e4, about 1e-12, zero, and a scalar without axes."""
    random = torch.Generator().manual_seed(0)
    sizes = {"large.weight": 1e4, "tiny.weight": 1e-12, "zero.bias": 0.0, "gain": 1.0}
    shapes = {"large.weight": (4, 8), "tiny.weight": (2, 3, 3), "zero.bias": (5,), "gain": ()}
    drawn = [
        {name: torch.randn(shape, generator=random) for name, shape in shapes.items()}
        for _ in range(2)
    ]
    return {name: value * sizes[name] for name, value in drawn[0].items()}, drawn[1]


def cases(grads: Tensors, weights: Tensors, max_norm: float) -> Tensors:
    alone = {
        "norm-clip": transforms.norm_clip(grads, max_norm),
        "norm-clip-tensor": transforms.norm_clip_each(grads, max_norm),
        "value-clip": transforms.value_clip(grads, -0.01, 0.01),
        "value-clip-range": transforms.value_clip(grads, -0.02, 0.005),
        "quantize-8": transforms.quantize(grads, 8),
        "quantize-4": transforms.quantize(grads, 4),
        "l2": transforms.l2(grads, weights, 0.01),
        "l2-exclude": transforms.l2(grads, weights, 0.01, exclude=".bias"),
    }
    clipped = transforms.value_clip(alone["norm-clip"], -0.01, 0.01)
    chain = transforms.l2(transforms.quantize(clipped, 8), weights, 0.01)
    scales = {f"quantize-{bits}-scale": (grads, bits) for bits in (8, 4)} | {"chain-scale": (clipped, 8)}
    result = {"gradients": grads, "weights": weights, **alone, "chain": chain}
    for case, (given, bits) in scales.items():
        result[case] = {name: transforms.scale_of(g, bits) for name, g in given.items()}
    return {key: value for case, tensors in result.items() for key, value in prefixed(case, tensors).items()}


def far_from_ties(grads: Tensors, bits: int) -> float:
    """How near a quotient comes to the middle of two levels: too near, and the last bit would decide."""
    quotients = [g.double() / transforms.scale_of(g, bits) for g in grads.values() if g.any()]
    return min(((q - q.floor() - 0.5).abs().min() / q.abs().max()).item() for q in quotients)


def main() -> None:
    arrays: Tensors = {}
    for name, (grads, weights), max_norm in (("digits", digits_set(), 0.5), ("extreme", extreme_set(), 1e3)):
        clipped = transforms.value_clip(transforms.norm_clip(grads, max_norm), -0.01, 0.01)
        ties = [far_from_ties(*case) for case in ((grads, 8), (grads, 4), (clipped, 8))]
        print(f"{name}: nearest to a tie, relative to the largest quotient: {min(ties):.1e}")
        arrays |= prefixed(name, cases(grads, weights, max_norm))
    save("chain", arrays)


if __name__ == "__main__":
    main()
