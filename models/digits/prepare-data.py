"""Extracts the handwritten digits that scikit-learn carries into two .npz files.

    pip install --no-deps scikit-learn==1.5.2
    python3 prepare-data.py
    python3 prepare-data.py path/to/digits.csv.gz

Writes digits-train.npz and digits-test.npz beside this script, each with
  image   float32 [N, 1, 8, 8], ink from 0 to 1 (the source counts 0 to 16 dots)
  labels  int64   [N], the digit

A fifth of every digit is held out (stratified; numpy's PCG64, seed 0); the files keep the order of
the source. Running it again gives the same bytes.
"""

import argparse
import gzip
import importlib.util
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
HELD_OUT = 0.2
SEED = 0


def installed_csv() -> Path:
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-learn is not installed: pip install it, or pass the path of digits.csv.gz")
    return Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"


def read_digits(csv: Path) -> tuple[np.ndarray, np.ndarray]:
    with gzip.open(csv, "rt", encoding="ascii") as lines:
        rows = np.loadtxt(lines, delimiter=",")
    if rows.shape != (1797, 65):
        raise SystemExit(f"{csv}: expected 1797 rows of 64 pixels and a label, found {rows.shape}")
    images = (rows[:, :64] / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return images, rows[:, 64].astype(np.int64)


def held_out_rows(labels: np.ndarray) -> np.ndarray:
    """True where a row is held out: the nearest whole number to a fifth of each digit."""
    random = np.random.default_rng(SEED)
    held_out = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        rows = np.flatnonzero(labels == digit)
        held_out[random.permutation(rows)[: round(len(rows) * HELD_OUT)]] = True
    return held_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", nargs="?", type=Path, help="digits.csv.gz (default: the installed scikit-learn's)")
    images, labels = read_digits(parser.parse_args().csv or installed_csv())
    held_out = held_out_rows(labels)
    for name, rows in (("train", ~held_out), ("test", held_out)):
        target = HERE / f"digits-{name}.npz"
        np.savez_compressed(target, image=images[rows], labels=labels[rows])
        print(f"{target.name}: {rows.sum()} images, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
