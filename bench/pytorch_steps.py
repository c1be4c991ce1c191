"""Training steps in PyTorch, for the benchmark beside this file, which starts it and speaks JSON lines with it.

    python3 pytorch_steps.py <threads>

First line out: versions. Then one request a line, {"model": "mlp", "chain": ["norm-clip"], "steps": 20}, and one
answer a line, {"ms": milliseconds per step}. A model with its chain is made once and goes on training.
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models" / "digits"))
from networks import cnn  # noqa: E402

BATCHES = 20
BATCH = 64
SMALLEST_NORMAL = 2.0**-126


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)
    )


MODELS = {"mlp": (mlp, (784,)), "cnn": (cnn, (1, 8, 8))}


def norm_clip(parameters: list) -> None:
    nn.utils.clip_grad_norm_(parameters, 1.0)


def value_clip(parameters: list) -> None:
    nn.utils.clip_grad_value_(parameters, 0.1)


def quantize(parameters: list) -> None:
    """To 8 bits, in place, as few passes as PyTorch allows."""
    for parameter in parameters:
        gradient = parameter.grad
        low, high = torch.aminmax(gradient)
        scale = torch.maximum(high, -low) / 127
        scale = torch.where(scale < SMALLEST_NORMAL, 1.0, scale)
        gradient.div_(scale).round_().mul_(scale)


def l2(parameters: list) -> None:
    for parameter in parameters:
        parameter.grad.add_(parameter, alpha=1e-4)


CHAIN = {"norm-clip": norm_clip, "value-clip": value_clip, "quantize": quantize, "l2": l2}


class Training:
    def __init__(self, name: str, chain: list) -> None:
        build, shape = MODELS[name]
        torch.manual_seed(0)
        self.model = build()
        self.parameters = list(self.model.parameters())
        self.chain = [CHAIN[plugin] for plugin in chain]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-4, weight_decay=0.01)
        self.batches = [
            (torch.rand(BATCH, *shape), torch.randint(10, (BATCH,))) for _ in range(BATCHES)
        ]

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


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    torch.mm(torch.ones(2, 2), torch.ones(2, 2))
    trainings: dict = {}
    print(json.dumps({"pytorch": torch.__version__, "blas": blas()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        key = (request["model"], *request["chain"])
        if key not in trainings:
            trainings[key] = Training(request["model"], request["chain"])
        print(json.dumps({"ms": trainings[key].run(request["steps"])}), flush=True)


if __name__ == "__main__":
    main()
