"""Two networks with many kinds of layers, and the gradients of all their parameters:
gradients-mlp.onnx, gradients-cnn.onnx, gradients.npz."""

import torch
from torch import nn
from torch.nn import functional as F

from common import HERE, Tensors, prefixed, save

OPSET = 17
BATCH = 6
CLASSES = 5


class Mlp(nn.Module):
    """Every activation once, and between them elementwise arithmetic, matrix products over three axes,
    reductions, broadcasting in both directions, and values that are used more than once."""

    input_shape = (12,)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(12, 16)
        self.second = nn.Linear(16, 16)
        self.third = nn.Linear(16, 16, bias=False)
        self.parts = nn.Linear(4, 6)
        self.last = nn.Linear(24, CLASSES)
        self.gain = nn.Parameter(torch.empty(16))
        self.shift = nn.Parameter(torch.empty(1, 16))
        self.mix = nn.Parameter(torch.empty(4, 4))
        self.column = nn.Parameter(torch.empty(4, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = F.relu(self.first(x))
        b = torch.tanh(self.second(a)) + a
        c = torch.sigmoid(self.third(b)) * self.gain - self.shift
        d = F.gelu(c) / (c * c + 1.5)
        centred = d - d.mean(dim=-1, keepdim=True)
        e = centred / torch.sqrt((centred**2).mean(dim=-1, keepdim=True) + 1e-3)
        f = F.leaky_relu(e, 0.2).reshape(-1, 4, 4)
        g = torch.matmul(self.mix, f.transpose(1, 2)) * self.column
        h = torch.softmax(g, dim=-1) + torch.exp(-g.abs()) * 0.5
        i = F.elu(self.parts(h)) + F.softplus(h.sum(dim=-1, keepdim=True))
        j = i - torch.log(h.amax(dim=1, keepdim=True)).mean()
        return self.last(j.flatten(1))


class Cnn(nn.Module):
    """Convolutions with stride, padding, groups and dilation, with and without bias; three poolings; two
    branches that are joined."""

    input_shape = (2, 12, 11)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 8, kernel_size=5, padding=2)
        self.strided = nn.Conv2d(8, 8, kernel_size=(3, 2), stride=2, padding=(1, 0), bias=False)
        self.grouped = nn.Conv2d(8, 12, kernel_size=3, padding=1, groups=4)
        self.dilated = nn.Conv2d(8, 6, kernel_size=3, padding=2, dilation=2)
        self.depthwise = nn.Conv2d(18, 18, kernel_size=3, stride=(1, 2), padding=1, groups=18)
        self.pointwise = nn.Conv2d(18, 8, kernel_size=1)
        self.last = nn.Linear(8 * 3 * 4 + 8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.tanh(self.stem(x))
        b = F.max_pool2d(a, kernel_size=3, stride=1, padding=1)
        c = F.relu(self.strided(b))
        left = F.leaky_relu(self.grouped(c), 0.1)
        right = torch.sigmoid(self.dilated(c))
        joined = torch.cat([left, right], dim=1)
        d = F.avg_pool2d(joined, kernel_size=3, stride=1, padding=1, count_include_pad=False)
        e = F.relu(self.pointwise(self.depthwise(d)))
        f = F.avg_pool2d(e, kernel_size=2, stride=(2, 1), padding=(0, 1))
        whole = F.adaptive_avg_pool2d(e, 1)
        return self.last(torch.cat([f.flatten(1), whole.flatten(1)], dim=1))


LOSSES = {
    "cross-entropy": lambda logits, data: F.cross_entropy(logits, data["labels"]),
    "mse": lambda logits, data: F.mse_loss(logits, data["target"]),
}


def randomize(model: nn.Module, random: torch.Generator) -> None:
    """Matrices and kernels around zero, vectors around one: no missing factor or term goes unseen."""
    with torch.no_grad():
        for value in model.parameters():
            drawn = torch.randn(value.shape, generator=random)
            value.copy_(drawn / value[0].numel() ** 0.5 if value.dim() > 1 else 1 + drawn / 2)


def export(name: str, model: nn.Module, x: torch.Tensor) -> None:
    target = HERE / f"gradients-{name}.onnx"
    torch.onnx.export(
        model,
        x,
        str(target),
        input_names=["x"],
        output_names=["logits"],
        dynamic_axes={"x": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=OPSET,
        training=torch.onnx.TrainingMode.TRAINING,
        do_constant_folding=False,
    )
    print(f"{target.name}: {target.stat().st_size} bytes")


def in_float64(model: nn.Module, data: Tensors, loss: str) -> Tensors:
    """Loss, logits and gradients, computed in float64 from the float32 weights and rounded to float32."""
    double = type(model)().double()
    double.load_state_dict({name: value.double() for name, value in model.state_dict().items()})
    exact = {name: value.double() if value.is_floating_point() else value for name, value in data.items()}
    x = exact["x"].requires_grad_()
    logits = double(x)
    value = LOSSES[loss](logits, exact)
    value.backward()
    result = {"loss": value, "logits": logits, "x_grad": x.grad}
    result |= {f"{name}_grad": parameter.grad for name, parameter in double.named_parameters()}
    return {name: tensor.detach().float() for name, tensor in result.items()}


def main() -> None:
    arrays: Tensors = {}
    for name, create in (("mlp", Mlp), ("cnn", Cnn)):
        random = torch.Generator().manual_seed(0)
        model = create()
        randomize(model, random)
        data = {
            "x": torch.randn((BATCH, *create.input_shape), generator=random),
            "labels": torch.randint(CLASSES, (BATCH,), generator=random),
            "target": torch.randn((BATCH, CLASSES), generator=random),
        }
        export(name, model, data["x"])
        arrays |= prefixed(name, data)
        for loss in LOSSES:
            arrays |= prefixed(f"{name}/{loss}", in_float64(model, data, loss))
    save("gradients", arrays)


if __name__ == "__main__":
    main()
