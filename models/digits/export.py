"""Exports the untrained networks of networks.py to cnn.onnx and mlp.onnx beside this script.

    python3 export.py        (PyTorch 1.13; newer versions write the same graph through `dynamo=False`)

Training mode is kept and nothing is folded, so that every weight stays an initializer of its own.
"""

from pathlib import Path

import torch

from networks import NETWORKS

HERE = Path(__file__).resolve().parent
OPSET = 17


def main() -> None:
    for name, build in NETWORKS.items():
        target = HERE / f"{name}.onnx"
        torch.onnx.export(
            build().train(),
            torch.zeros(2, 1, 8, 8),
            str(target),
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.TRAINING,
            do_constant_folding=False,
        )
        print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
