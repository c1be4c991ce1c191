"""Whole networks, their gradients, and twenty steps of training: model-*.onnx, models.npz."""

import warnings
from typing import Callable

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from architectures import CLASSES, TOKENS, BiGru, CharLstm, Decoder, MobileNet, ResNet, UNet, Vit
from common import HERE, Tensors, prefixed, save

OPSET = 17
BATCHES = 4
STEPS = 20
LEARNING_RATE = 5e-3

Draw = Callable[[torch.Generator], torch.Tensor]


def numbers(*shape: int) -> Draw:
    return lambda random: torch.randn((BATCHES, *shape), generator=random)


def classes(count: int, *shape: int) -> Draw:
    return lambda random: torch.randint(count, (BATCHES, *shape), generator=random)


MODELS: dict[str, tuple[type[nn.Module], Draw, Draw]] = {
    "resnet": (ResNet, numbers(6, 3, 12, 12), classes(CLASSES, 6)),
    "char-lstm": (CharLstm, classes(TOKENS, 9, 4), classes(TOKENS, 36)),
    "bi-gru": (BiGru, classes(TOKENS, 4, 7), classes(CLASSES, 4)),
    "decoder": (Decoder, classes(TOKENS, 4, 8), classes(TOKENS, 32)),
    "vit": (Vit, numbers(4, 3, 8, 8), classes(CLASSES, 4)),
    "mobilenet": (MobileNet, numbers(6, 3, 12, 12), classes(CLASSES, 6)),
    "unet": (UNet, numbers(3, 2, 8, 8), classes(3, 3, 8, 8)),
}


def export(name: str, model: nn.Module, x: torch.Tensor) -> None:
    target = HERE / f"model-{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            x,
            str(target),
            input_names=["x"],
            output_names=["logits"],
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.TRAINING,
            do_constant_folding=False,
        )
    print(f"{target.name}: {target.stat().st_size} bytes")


def randomize_norms(model: nn.Module) -> None:
    """Norms that neither keep the scale nor the mean: where a bias is 0, the gradient of a scale before another norm is,
    too."""
    for layer in model.modules():
        if isinstance(layer, (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, 0, 0.5)


def copied(create: type[nn.Module], state: Tensors, dtype: torch.dtype) -> nn.Module:
    model = create().to(dtype)
    model.load_state_dict({k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()})
    return model.train()


def in_type(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return x.to(dtype) if x.is_floating_point() else x


def exact_gradients(model: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> Tensors:
    loss = cross_entropy(model(in_type(x, torch.float64)), labels)
    loss.backward()
    found = {f"{name}_grad": value.grad for name, value in model.named_parameters()}
    return {name: value.detach().float() for name, value in {"loss": loss, **found}.items()}


def follow_statistics(model: nn.Module) -> Tensors:
    """Running statistics as ONNX defines them, filled while the model runs: the variance is over n, where PyTorch
    takes n - 1."""
    seen: Tensors = {}

    def hook(name: str, layer: nn.BatchNorm2d):
        def look(_: nn.Module, inputs: tuple[torch.Tensor]) -> None:
            x = inputs[0].detach()
            for key, now in (
                ("running_mean", x.mean(dim=(0, 2, 3))),
                ("running_var", x.var(dim=(0, 2, 3), unbiased=False)),
            ):
                start = getattr(layer, key).clone()
                seen[f"{name}.{key}"] = torch.lerp(seen.get(f"{name}.{key}", start), now, 0.1)

        return look

    for name, layer in model.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_pre_hook(hook(name, layer))
    return seen


def train(model: nn.Module, xs: torch.Tensor, labels: torch.Tensor, dtype: torch.dtype) -> Tensors:
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    statistics = follow_statistics(model)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        i = step % BATCHES
        loss = cross_entropy(model(in_type(xs[i], dtype)), labels[i])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().float())
    return {"losses": torch.stack(losses), **prefixed("statistics", statistics)}


def main() -> None:
    arrays: Tensors = {}
    for name, (create, draw_x, draw_labels) in MODELS.items():
        torch.manual_seed(0)
        random = torch.Generator().manual_seed(1)
        model = create().train()
        randomize_norms(model)
        xs, labels = draw_x(random), draw_labels(random)
        export(name, model, xs[0])
        # The exporter runs the model: batch norms have seen a batch by now.
        state = {key: value.clone() for key, value in model.state_dict().items()}
        trained = train(copied(create, state, torch.float32), xs, labels, torch.float32)
        double = train(copied(create, state, torch.float64), xs, labels, torch.float64)
        off = (trained["losses"] - double["losses"]).abs().max().item()
        print(f"{name}: losses {trained['losses'][0]:.3f} to {trained['losses'][-1]:.3f}, off float64 by {off:.1e}")
        gradients = exact_gradients(copied(create, state, torch.float64), xs[0], labels[0])
        arrays |= prefixed(name, {"x": xs, "labels": labels, **gradients, **trained})
    save("models", arrays)


if __name__ == "__main__":
    main()
