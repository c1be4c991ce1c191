"""Small networks of the kinds that people train: each takes a batch `x` and gives scores for `labels`."""

import math

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 5
TOKENS = 20
WIDTH = 16


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class ResNet(nn.Module):
    """Residual blocks with batch norm, max pooling behind a strided stem."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.blocks = nn.Sequential(Residual(8, 8, 1), Residual(8, 12, 2))
        self.last = nn.Linear(12, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = F.max_pool2d(F.relu(self.bn(self.stem(x))), 3, 2, 1)
        return self.last(F.adaptive_avg_pool2d(self.blocks(a), 1).flatten(1))


class CharLstm(nn.Module):
    """The next character at every step, by two layers of LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 12)
        self.lstm = nn.LSTM(12, WIDTH, num_layers=2)
        self.last = nn.Linear(WIDTH, TOKENS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.lstm(self.embedding(x))[0]).reshape(-1, TOKENS)


class BiGru(nn.Module):
    """A class for each sequence, from the last states of a GRU in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 10)
        self.gru = nn.GRU(10, 12, num_layers=2, bidirectional=True, batch_first=True)
        self.last = nn.Linear(24, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, h = self.gru(self.embedding(x))
        return self.last(torch.cat([h[-2], h[-1]], dim=1) + y.mean(dim=1))


class Attention(nn.Module):
    def __init__(self, length: int) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, 3 * WIDTH)
        self.outer = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("mask", torch.tril(torch.ones(length, length)).view(1, 1, length, length))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        parts = self.inner(x).split(width, dim=2)
        q, k, v = (part.view(batch, length, 2, width // 2).transpose(1, 2) for part in parts)
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(width // 2)
        weights = F.softmax(scores.masked_fill(self.mask == 0, float("-inf")), dim=-1)
        return self.outer((weights @ v).transpose(1, 2).reshape(batch, length, width))


class DecoderBlock(nn.Module):
    def __init__(self, length: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attention = Attention(length)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    """A decoder-only transformer: causal mask, and one matrix for reading and for writing tokens."""

    length = 8

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(TOKENS, WIDTH)
        self.position = nn.Parameter(torch.randn(self.length, WIDTH))
        self.blocks = nn.Sequential(DecoderBlock(self.length), DecoderBlock(self.length))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.blocks(self.token(x) + self.position))
        return F.linear(y, self.token.weight).reshape(-1, TOKENS)


class Vit(nn.Module):
    """PyTorch's own encoder layers on patches of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, 4)
        self.cls = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.position = nn.Parameter(torch.randn(1, 5, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, 2, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.norm = nn.LayerNorm(WIDTH)
        self.last = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        cls = self.cls.expand(patches.shape[0], -1, -1)
        y = self.encoder(torch.cat([cls, patches], dim=1) + self.position)
        return self.last(self.norm(y[:, 0]))


class InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = 3 * inputs
        self.joins = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.Hardswish(),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.joins else self.layers(x)


class MobileNet(nn.Module):
    """Depthwise convolutions between pointwise ones, and a squeeze-and-excitation gate."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2, 1)
        self.first = InvertedResidual(6, 6, 1)
        self.squeeze = nn.Conv2d(6, 3, 1)
        self.excite = nn.Conv2d(3, 6, 1)
        self.second = InvertedResidual(6, 8, 2)
        self.last = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.first(self.stem(x))
        gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(a, 1)))))
        return self.last(self.second(a * gate).mean(dim=(2, 3)))


class UNet(nn.Module):
    """A class for each pixel: down twice, up by a transposed convolution and by interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(2, 6, 3, padding=1)
        self.down2 = nn.Conv2d(6, 8, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.bottom = nn.Conv2d(8, 12, 3, padding=1)
        self.up2 = nn.ConvTranspose2d(12, 8, 2, 2)
        self.join2 = nn.Conv2d(16, 8, 3, padding=1)
        self.up1 = nn.Conv2d(8, 6, 1)
        self.join1 = nn.Conv2d(12, 6, 3, padding=1)
        self.last = nn.Conv2d(12, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = F.relu(self.down1(x))
        b = F.relu(self.norm(self.down2(F.max_pool2d(a, 2))))
        c = F.relu(self.bottom(F.avg_pool2d(b, 2)))
        d = F.relu(self.join2(torch.cat([self.up2(c), b], dim=1)))
        smooth = F.interpolate(self.up1(d), scale_factor=2, mode="bilinear", align_corners=False)
        e = F.leaky_relu(self.join1(torch.cat([smooth, a], dim=1)), 0.1)
        coarse = F.interpolate(c, scale_factor=4, mode="nearest")[:, :6]
        return self.last(torch.cat([e, coarse], dim=1))
