"""A model of sequences as torch.onnx.export writes it by default: torch-sequences.npz, torch-export-sequences.onnx.

Its calls take their parameters in another order than ONNX, two are computed beforehand, and Split has no notes. The
arrays are those of make_torch_export.py."""

import torch
from torch import nn
from torch.nn import functional as F

from common import prefixed, save
from make_torch_export import written


class Product(nn.Module):
    """As the Conv1D of GPT-2: a weight that is not transposed, behind its bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4) * 0.5)
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, x.reshape(-1, 4), self.weight).reshape(x.shape)


class Filter(nn.Module):
    """A bias of zeros behind a weight that the exporter computes, as it does the scale."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(4, 4, 3) * 0.5)
        self.bias = nn.Parameter(torch.zeros(4))
        self.scale = nn.Parameter(torch.tensor(0.25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv1d(x, self.kernel.abs(), self.bias, padding=1) * self.scale.exp()


class Sequences(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.own = nn.MultiheadAttention(4, 2, batch_first=True)
        self.cross = nn.MultiheadAttention(4, 2, batch_first=True)
        self.first, self.second = Product(), Product()
        self.filter = Filter()
        self.gain = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        memory = self.table(x)
        y, _ = self.own(memory, memory, memory, need_weights=False)
        y, _ = self.cross(y, memory, memory, need_weights=False)
        y = self.second(torch.tanh(self.first(y))) * self.gain
        return self.filter(y.transpose(1, 2))


if __name__ == "__main__":
    torch.manual_seed(0)
    ids = torch.tensor([[0, 5, 2, 2], [1, 6, 3, 4]])
    save("torch-sequences", prefixed("sequences", written("sequences", Sequences(), ids)))
