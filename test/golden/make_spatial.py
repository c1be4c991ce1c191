"""Images that are sampled, unfolded and unpooled: spatial.npz, model-spatial-transformer.onnx.

`<case>/<tensor>` are the inputs of one function of torch.nn.functional, `<case>/output` what it gives, `<case>/weights`
what makes a loss of that (their product, summed), and `<case>/<tensor>_grad` the gradients, in float64 rounded to float32.
`spatial-transformer` is a network as those of make_models.py."""

from typing import Callable

import torch
from torch import nn
from torch.nn import functional as F

from architectures import CLASSES
from common import Tensors, prefixed, save
from make_models import classes, copied, exact_gradients, export, numbers, train

random = torch.Generator().manual_seed(3)


def uniform(*shape: int, reach: float = 1) -> torch.Tensor:
    return reach * (2 * torch.rand(shape, generator=random) - 1)


def gradients(function: Callable[..., torch.Tensor], **given: torch.Tensor) -> Tensors:
    leaves = {name: x.double().requires_grad_() for name, x in given.items()}
    output = function(**leaves)
    weights = uniform(*output.shape).double()
    found = torch.autograd.grad((output * weights).sum(), list(leaves.values()))
    exact = {"output": output, "weights": weights, **{f"{name}_grad": g for name, g in zip(given, found)}}
    return {**given, **{name: x.detach().float() for name, x in exact.items()}}


def samples() -> Tensors:
    arrays: Tensors = {}
    for mode in ("nearest", "bilinear", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for align in (False, True):

                def sample(image: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
                    return F.grid_sample(image, grid, mode, padding, align)

                name = f"{mode}-{padding}-{'corners' if align else 'edges'}"
                plane = gradients(sample, image=uniform(2, 2, 4, 5), grid=uniform(2, 3, 4, 2, reach=2))
                arrays |= prefixed(f"plane-{name}", plane)
                if mode == "bicubic":
                    continue
                volume = gradients(sample, image=uniform(1, 2, 3, 4, 5), grid=uniform(1, 2, 3, 2, 3, reach=2))
                arrays |= prefixed(f"volume-{name}", volume)
                # Places that are pixels, those at the border among them, and exact in any precision.
                if align:
                    ends = torch.linspace(-1, 1, 5)
                    pixels = torch.stack(torch.meshgrid(ends, ends, indexing="xy"), dim=-1)[None]
                    arrays |= prefixed(f"pixels-{name}", gradients(sample, image=uniform(1, 2, 5, 5), grid=pixels))
    return arrays


def others() -> Tensors:
    arrays: Tensors = {}
    for name, align in (("edges", False), ("corners", True)):
        plane = gradients(lambda theta: F.affine_grid(theta, [2, 1, 3, 4], align), theta=uniform(2, 2, 3))
        volume = gradients(lambda theta: F.affine_grid(theta, [1, 1, 2, 3, 4], align), theta=uniform(1, 3, 4))
        arrays |= prefixed(f"affine-plane-{name}", plane) | prefixed(f"affine-volume-{name}", volume)
    folded = lambda x: F.fold(x, (6, 7), (2, 3), dilation=(2, 1), padding=(1, 2), stride=(1, 2))  # noqa: E731
    arrays |= prefixed("fold", gradients(folded, x=uniform(2, 12, 30)))
    _, places = F.max_pool2d(uniform(2, 3, 6, 8), 2, return_indices=True)
    planes = torch.arange(6).reshape(2, 3, 1, 1) * 48
    unpooled = gradients(lambda x: F.max_unpool2d(x, places, 2), x=uniform(2, 3, 3, 4))
    arrays |= prefixed("unpool", {**unpooled, "indices": places + planes})
    return arrays


class SpatialTransformer(nn.Module):
    """Turns the image by a matrix that it finds itself (Jaderberg et al. 2015), then bends it by a flow."""

    def __init__(self) -> None:
        super().__init__()
        self.locate = nn.Conv2d(2, 6, 3, 2, 1)
        self.matrix = nn.Linear(6, 6)
        nn.init.normal_(self.matrix.weight, std=0.3)
        self.matrix.bias.data = torch.tensor([0.9, 0.2, 0.05, -0.15, 1.1, -0.1])
        self.flow = nn.Conv2d(2, 2, 3, padding=1)
        self.features = nn.Conv2d(2, 8, 3, padding=1)
        self.last = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = F.relu(self.locate(x)).mean(dim=(2, 3))
        theta = self.matrix(found).reshape(-1, 2, 3)
        middles = (2 * torch.arange(9, dtype=x.dtype) + 1) / 9 - 1
        across, down = torch.meshgrid(middles, middles, indexing="xy")
        pixels = torch.stack([across, down, torch.ones_like(across)], dim=-1).reshape(81, 3)
        grid = torch.matmul(pixels, theta.transpose(1, 2)).reshape(-1, 9, 9, 2)
        turned = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        bend = 0.3 * torch.tanh(self.flow(turned)).permute(0, 2, 3, 1)
        bent = F.grid_sample(turned, grid + bend, mode="bicubic", padding_mode="reflection", align_corners=True)
        return self.last(F.relu(self.features(bent)).mean(dim=(2, 3)))


def network() -> Tensors:
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    model = SpatialTransformer().train()
    xs, labels = numbers(4, 2, 9, 9)(draw), classes(CLASSES, 4)(draw)
    export("spatial-transformer", model, xs[0])
    state = {key: value.clone() for key, value in model.state_dict().items()}
    trained = train(copied(SpatialTransformer, state, torch.float32), xs, labels, torch.float32)
    double = train(copied(SpatialTransformer, state, torch.float64), xs, labels, torch.float64)
    off = (trained["losses"] - double["losses"]).abs().max().item()
    print(f"losses {trained['losses'][0]:.3f} to {trained['losses'][-1]:.3f}, off float64 by {off:.1e}")
    exact = exact_gradients(copied(SpatialTransformer, state, torch.float64), xs[0], labels[0])
    return {"x": xs, "labels": labels, **exact, **trained}


if __name__ == "__main__":
    save("spatial", {**samples(), **others(), **prefixed("spatial-transformer", network())})
