"""Training steps in PyTorch, for the benchmark beside this file, which starts it and speaks JSON lines with it.

    python3 pytorch_steps.py <threads>

First line out: versions. Then one request a line, {"model": "mlp", "chain": ["norm-clip"], "steps": 20}, and one
answer a line, {"ms": milliseconds per step}. A model with its chain is made once and goes on training.
"""

import json
import math
import sys
import time
from pathlib import Path
from typing import Callable, Iterable

import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu, softmax

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models" / "digits"))
from networks import cnn  # noqa: E402

BATCHES = 20
SMALLEST_NORMAL = 2.0**-126


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)
    )


class LstmClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(64, 128, batch_first=True)
        self.last = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.lstm(x)[1][0][0])


class DecoderBlock(nn.Module):
    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 3 * width)
        self.outer = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.register_buffer("later", torch.ones(length, length).triu(1).bool())

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        parts = self.inner(x).split(width, dim=2)
        q, k, v = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in parts
        )
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(width // self.heads)
        weights = softmax(scores.masked_fill(self.later, float("-inf")), dim=-1)
        return self.outer((weights @ v).transpose(1, 2).reshape(batch, length, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.down(gelu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    def __init__(self, layers: int, width: int, heads: int, length: int, tokens: int) -> None:
        super().__init__()
        self.token = nn.Embedding(tokens, width)
        self.position = nn.Parameter(torch.randn(length, width))
        self.blocks = nn.Sequential(*(DecoderBlock(width, heads, length) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, tokens)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.blocks(self.token(x) + self.position))).flatten(0, 1)


def noise(*shape: int) -> Callable[[], tuple]:
    return lambda: (torch.rand(shape), torch.randint(10, shape[:1]))


def tokens() -> tuple:
    return torch.randint(256, (16, 64)), torch.randint(256, (16 * 64,))


# How a model is made, and a batch for it.
MODELS = {
    "mlp": (mlp, noise(64, 784)),
    "cnn": (cnn, noise(64, 1, 8, 8)),
    "lstm": (LstmClassifier, noise(32, 64, 64)),
    "transformer": (lambda: Decoder(4, 128, 4, 64, 256), tokens),
}


def norm_clip(parameters: list) -> None:
    nn.utils.clip_grad_norm_(parameters, 1.0)


def value_clip(parameters: list) -> None:
    nn.utils.clip_grad_value_(parameters, 0.1)


def scale_of(gradient: torch.Tensor) -> torch.Tensor:
    """The distance of two levels of 8 bits."""
    low, high = torch.aminmax(gradient)
    scale = torch.maximum(high, -low) / 127
    return torch.where(scale < SMALLEST_NORMAL, 1.0, scale)


def quantize(parameters: list) -> None:
    """To 8 bits, in place, as few passes as PyTorch allows."""
    for parameter in parameters:
        scale = scale_of(parameter.grad)
        parameter.grad.div_(scale).round_().mul_(scale)


def l2(parameters: list) -> None:
    for parameter in parameters:
        parameter.grad.add_(parameter, alpha=1e-4)


CHAIN = {"norm-clip": norm_clip, "value-clip": value_clip, "quantize": quantize, "l2": l2}


class Training:
    def __init__(self, name: str, chain: list) -> None:
        build, batch = MODELS[name]
        torch.manual_seed(0)
        self.model = build()
        self.parameters = list(self.model.parameters())
        self.chain = [CHAIN[plugin] for plugin in chain]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-4, weight_decay=0.01)
        self.batches = [batch() for _ in range(BATCHES)]

    def step(self, k: int) -> None:
        data, labels = self.batches[k % BATCHES]
        self.optimizer.zero_grad(set_to_none=True)
        cross_entropy(self.model(data), labels).backward()
        with torch.no_grad():
            for plugin in self.chain:
                plugin(self.parameters)
        self.optimizer.step()

    def run(self, steps: int) -> float:
        start = time.perf_counter()
        for k in range(steps):
            self.step(k)
        return (time.perf_counter() - start) * 1000 / steps


def blas() -> str:
    """The library that does the matrix products; Debian's reference library takes ten times as long as others."""
    maps = Path("/proc/self/maps")
    names = maps.read_text().split() if maps.exists() else []
    real = {Path(name).resolve().name for name in names if "blas" in name or "mkl" in name}
    return ", ".join(sorted(real)) or "built in"


def serve(train: Callable, plugins: Iterable) -> None:
    """Answers requests with trainings that `train` makes of the names of a model and of plugins."""
    torch.set_num_threads(int(sys.argv[1]))
    torch.mm(torch.ones(2, 2), torch.ones(2, 2))
    trainings: dict = {}
    hello = {"pytorch": torch.__version__, "blas": blas(), "plugins": list(plugins)}
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        key = (request["model"], *request["chain"])
        if key not in trainings:
            trainings[key] = train(request["model"], request["chain"])
        print(json.dumps({"ms": trainings[key].run(request["steps"])}), flush=True)


if __name__ == "__main__":
    serve(Training, CHAIN)
