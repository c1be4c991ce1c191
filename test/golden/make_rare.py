"""Ops that few models have, and rare forms of Resize: rare.npz. Needs torchvision beside PyTorch.

As in make_spatial.py, but the tensors are laid out as the ONNX op has them."""

from typing import Callable

import torch
import torchvision
from torch.nn import functional as F

from common import Tensors, prefixed, save

random = torch.Generator().manual_seed(4)

# Two of them lie partly outside of the image, one has no extent, and one is three times as wide as it.
BOXES = torch.tensor(
    [[0.4, 0.7, 3.3, 2.9], [-1.6, 1.2, 2.1, 5.3], [2.2, -0.3, 6.1, 2.8], [1.5, 1.5, 1.5, 1.5], [-7.3, 0.6, 10.7, 3.1]]
)
OWNERS = torch.tensor([1, 0, 1, 0, 1])


def uniform(*shape: int, reach: float = 1) -> torch.Tensor:
    return reach * (2 * torch.rand(shape, generator=random) - 1)


def gradients(function: Callable[..., torch.Tensor], **given: torch.Tensor) -> Tensors:
    leaves = {name: x.double().requires_grad_() for name, x in given.items()}
    output = function(**leaves)
    weights = uniform(*output.shape).double()
    found = torch.autograd.grad((output * weights).sum(), list(leaves.values()))
    exact = {"output": output, "weights": weights, **{f"{name}_grad": g for name, g in zip(given, found)}}
    return {**given, **{name: x.detach().float() for name, x in exact.items()}}


def regions() -> Tensors:
    arrays: Tensors = {}
    table = torch.cat([OWNERS[:, None].double(), BOXES.double()], dim=1)
    for name, aligned in (("half", True), ("whole", False)):
        for ratio in (2, 0):

            def align(image: torch.Tensor) -> torch.Tensor:
                size, scale = (2, 3), 0.75
                return torchvision.ops.roi_align(image, table, size, scale, ratio, aligned)

            case = gradients(align, image=uniform(2, 3, 5, 6))
            arrays |= prefixed(f"align-{name}-{ratio}", {**case, "rois": BOXES, "owners": OWNERS})
    for name, size in (("square", (2, 2)), ("tall", (4, 1))):
        pool = lambda image: torchvision.ops.roi_pool(image, table, size, 0.8)  # noqa: E731
        case = gradients(pool, image=uniform(2, 3, 5, 6))
        arrays |= prefixed(f"pool-{name}", {**case, "rois": table.float()})
    return arrays


def convolutions() -> Tensors:
    def deform(image, filters, offset, bias=None, mask=None):
        return torchvision.ops.deform_conv2d(image, offset, filters, bias, stride, padding, dilation, mask)

    stride, padding, dilation = 1, 0, 1
    plain = gradients(
        deform, image=uniform(1, 2, 4, 5), filters=uniform(3, 2, 2, 2), offset=uniform(1, 8, 3, 4, reach=2)
    )
    stride, padding, dilation = (2, 1), (1, 2), (1, 2)
    whole = gradients(
        deform,
        image=uniform(2, 4, 5, 5),
        filters=uniform(4, 2, 3, 2),
        offset=uniform(2, 24, 3, 7, reach=2),
        bias=uniform(4),
        mask=uniform(2, 12, 3, 7),
    )
    return prefixed("deform-plain", plain) | prefixed("deform-groups", whole)


def frames() -> Tensors:
    def transform(signal: torch.Tensor, window: torch.Tensor | None = None) -> torch.Tensor:
        size = 6 if window is None else len(window)
        found = torch.stft(
            signal[..., 0], size, hop, window=window, center=False, onesided=onesided, return_complex=True
        )
        return torch.view_as_real(found).transpose(1, 2)

    arrays: Tensors = {}
    for name, onesided in (("half", True), ("whole", False)):
        hop = 3
        arrays |= prefixed(f"stft-{name}", gradients(transform, signal=uniform(2, 15, 1), window=uniform(5)))
        hop = 2
        arrays |= prefixed(f"stft-plain-{name}", gradients(transform, signal=uniform(2, 11, 1)))
    real = lambda x: torch.view_as_real(torch.fft.rfft(x[..., 0], n=8))  # noqa: E731
    back = lambda x: torch.fft.irfft(torch.view_as_complex(x), n=7)[..., None]  # noqa: E731
    both = lambda x: torch.view_as_real(torch.fft.ifft(torch.view_as_complex(x), n=5))  # noqa: E731
    arrays |= prefixed("dft-real", gradients(real, x=uniform(2, 6, 1)))
    arrays |= prefixed("dft-real-inverse", gradients(back, x=uniform(2, 4, 2)))
    arrays |= prefixed("dft-inverse", gradients(both, x=uniform(2, 6, 2)))
    return arrays


def choices() -> Tensors:
    arrays: Tensors = {}
    # Of singular matrices PyTorch knows no gradient where rounding hides what they are.
    det = lambda x: torch.linalg.det(x)  # noqa: E731
    arrays |= prefixed("det-4", gradients(det, x=uniform(3, 4, 4)))
    arrays |= prefixed("det-6", gradients(det, x=uniform(6, 6)))
    arrays |= prefixed("compress", gradients(lambda x: x[:, [True, False, True, True]], x=uniform(3, 4)))
    return arrays


def resizes() -> Tensors:
    arrays: Tensors = {}
    sizes = {"smaller": (3, 4), "larger": (9, 8), "mixed": (4, 11)}
    for mode in ("bilinear", "bicubic"):
        for name, size in sizes.items():
            for form in ("edges", "corners", "antialias"):

                def resize(x: torch.Tensor) -> torch.Tensor:
                    return F.interpolate(
                        x, size, mode=mode, align_corners=form == "corners", antialias=form == "antialias"
                    )

                arrays |= prefixed(f"resize-{mode}-{name}-{form}", gradients(resize, x=uniform(1, 1, 7, 6)))
    for mode in ("nearest", "nearest-exact"):
        nearest = lambda x: F.interpolate(x, (3, 8), mode=mode)  # noqa: E731
        arrays |= prefixed(f"resize-{mode.replace('-', '_')}-mixed-edges", gradients(nearest, x=uniform(1, 1, 7, 5)))
    return arrays


if __name__ == "__main__":
    save("rare", {**regions(), **convolutions(), **frames(), **choices(), **resizes()})
