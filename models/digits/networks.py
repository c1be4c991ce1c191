"""The two example networks, in PyTorch. Both take `image` float32 [N, 1, 8, 8] to `logits` [N, 10]."""

from collections import OrderedDict
from typing import Callable

import torch
from torch import nn

SEED = 0


def cnn() -> nn.Module:
    """Two convolutions, one pooling, one fully connected layer: 29,066 parameters."""
    return initialized(
        ("conv1", nn.Conv2d(1, 32, kernel_size=3, padding=1)),
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2d(32, 64, kernel_size=3, padding=1)),
        ("relu2", nn.ReLU()),
        ("pool", nn.MaxPool2d(2)),
        ("flatten", nn.Flatten()),
        ("fc", nn.Linear(64 * 4 * 4, 10)),
    )


def mlp() -> nn.Module:
    """One hidden layer: 9,610 parameters."""
    return initialized(
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(64, 128)),
        ("relu", nn.ReLU()),
        ("fc2", nn.Linear(128, 10)),
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {"cnn": cnn, "mlp": mlp}


def initialized(*layers: tuple[str, nn.Module]) -> nn.Module:
    """He et al. 2015 (normal, fan in), biases zero; always from the same seed."""
    random = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for _, layer in layers:
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                fan_in = layer.weight[0].numel()
                layer.weight.normal_(0, (2 / fan_in) ** 0.5, generator=random)
                layer.bias.zero_()
    return nn.Sequential(OrderedDict(layers))
