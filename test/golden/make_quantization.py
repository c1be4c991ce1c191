"""Golden gradients of rounding, by PyTorch. Writes quantization.npz: for each case `<case>/loss` and
`<case>/gradient` of the mean square between `inputs/x`, fake-quantized, and `inputs/target`."""

import torch
import torch.nn.functional as F
from common import save

torch.manual_seed(11)
x = 3 * torch.randn(6, 5)
target = torch.randn(6, 5)
row_scales = 0.01 + 0.02 * torch.rand(6)
column_scales = 0.01 + 0.02 * torch.rand(5)


def tensor(scale: float, zero: int, low: int, high: int):
    return lambda x: torch.fake_quantize_per_tensor_affine(x, scale, zero, low, high)


def channel(scales: torch.Tensor, zeros: list[int], axis: int, low: int, high: int):
    return lambda x: torch.fake_quantize_per_channel_affine(
        x, scales, torch.tensor(zeros, dtype=torch.int32), axis, low, high
    )


cases = {
    "uint8": tensor(0.015625, 101, 0, 255),
    "int8": tensor(0.02, -3, -128, 127),
    "uint4": tensor(0.25, 7, 0, 15),
    "int4": tensor(0.3, 0, -8, 7),
    "seven-bits": tensor(0.03, 64, 0, 127),
    "rows": channel(row_scales, [0] * 6, 0, -128, 127),
    "columns": channel(column_scales, [100, 128, 5, 250, 130], 1, 0, 255),
}

arrays = {"inputs/x": x, "inputs/target": target, "inputs/rows": row_scales, "inputs/columns": column_scales}
for name, quantized in cases.items():
    leaf = x.clone().requires_grad_()
    loss = F.mse_loss(quantized(leaf), target)
    loss.backward()
    arrays |= {f"{name}/loss": loss, f"{name}/gradient": leaf.grad}
save("quantization", arrays)
