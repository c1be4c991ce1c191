"""Makes the training artifacts of cnn.onnx and mlp.onnx with ONNX Runtime's own tool.

    python3 -m venv --system-site-packages .venv      (over a Python 3.11 that has PyTorch)
    .venv/bin/pip install onnxruntime-training==1.19.2 onnx==1.16.2 "numpy<2"
    .venv/bin/python make-artifacts.py

Writes artifacts/<name>/{training_model,eval_model,optimizer_model}.onnx and checkpoint: cross entropy
over the int64 input `labels`, AdamW with the tool's defaults, every initializer trainable, `logits`
beside the loss.
"""

from pathlib import Path

import onnx
from onnxruntime.training import artifacts

from networks import NETWORKS

HERE = Path(__file__).resolve().parent


def main() -> None:
    for name in NETWORKS:
        model = onnx.load(HERE / f"{name}.onnx")
        folder = HERE / "artifacts" / name
        folder.mkdir(parents=True, exist_ok=True)
        artifacts.generate_artifacts(
            model,
            requires_grad=[initializer.name for initializer in model.graph.initializer],
            loss=artifacts.LossType.CrossEntropyLoss,
            optimizer=artifacts.OptimType.AdamW,
            artifact_directory=str(folder),
            additional_output_names=["logits"],
        )
        for path in sorted(folder.iterdir()):
            print(f"{path.relative_to(HERE)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
