"""Trains the example networks in PyTorch and prints their accuracy on the held-out fifth.

    python3 train-pytorch.py cnn --seeds 8

The figures in README.md come from here. The weights always start as in <name>.onnx; the seed only
shuffles the training images.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from networks import NETWORKS

HERE = Path(__file__).resolve().parent


def load(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    with np.load(HERE / f"digits-{name}.npz") as data:
        return torch.from_numpy(data["image"]), torch.from_numpy(data["labels"])


def train(network: str, seed: int, options: argparse.Namespace) -> list[float]:
    """The held-out accuracy after each epoch."""
    images, labels = load("train")
    test_images, test_labels = load("test")
    model = NETWORKS[network]()
    optimizer = torch.optim.AdamW(model.parameters(), options.lr, weight_decay=options.weight_decay)
    random = torch.Generator().manual_seed(seed)
    accuracies = []
    for _ in range(options.epochs):
        for rows in torch.randperm(len(images), generator=random).split(options.batch_size):
            optimizer.zero_grad()
            cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            correct = model(test_images).argmax(1) == test_labels
        accuracies.append(correct.double().mean().item())
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--seeds", type=int, default=1, help="how many shuffles to try")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for seed in range(options.seeds):
        start = time.perf_counter()
        accuracies = train(options.network, seed, options)
        seconds = time.perf_counter() - start
        best = max(accuracies)
        print(f"seed {seed}: {accuracies[-1]:.4f} at the end, {best:.4f} at best, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
