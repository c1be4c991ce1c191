"""Models as torch.onnx.export writes them by default, with new parameters: torch-export.npz, torch-export-*.onnx.

It makes one of parameters whose numbers are equal, leaves biases of zeros out, transposes weights, and folds batch norms
into convolutions. `<model>/x`, `<model>/target`, `<model>/loss` (mean square) and `<model>/gradients/<parameter>` are of
the model before all that. Of the notes that the exporter leaves, those with file names are taken out."""

import onnx
import torch
from torch import nn
from torch.nn import functional as F

from common import HERE, Tensors, prefixed, save

CALLS = ("pkg.torch.onnx.fx_node", "pkg.torch.onnx.name_scopes", "pkg.onnxscript.rewriter.rule_name")


class Layers(nn.Module):
    """Every layer that the exporter changes, and a convolution that two places share."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.group = nn.GroupNorm(2, 4)
        self.plain = nn.InstanceNorm2d(2)
        self.shared = nn.Conv2d(4, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(4, 2, 2, 2, groups=2)
        self.embed = nn.Linear(2, 6)
        encoder = nn.TransformerEncoderLayer(6, 2, 8, dropout=0, batch_first=True)
        self.Encoder = nn.TransformerEncoder(encoder, 2)
        self.scale, self.gain = nn.Parameter(torch.full((6,), 0.5)), nn.Parameter(torch.tensor(1.5))
        self.slope = nn.PReLU(2, init=1)
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 4)
        self.last, self.leak = nn.LayerNorm(4), nn.PReLU()
        self.register_buffer("middle", torch.tensor([0.4, 0.5, 0.6]).reshape(3, 1, 1))
        for layer in (self.shared, self.up, self.first, self.second):
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(F.relu(self.conv(x - self.middle)))
        y = self.shared(torch.tanh(self.group(self.shared(y))))
        y = self.plain(self.slope(self.up(y))).flatten(2).transpose(1, 2)
        y = self.Encoder(self.embed(y) * self.scale).mean(1)
        return self.last(self.second(self.leak(self.first(y)))) * self.gain + torch.tensor([0.1, 0.2, 0.3, 0.4])


class Tied(nn.Module):
    """The exporter calls what is tied by its last name."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.norm, self.last = nn.LayerNorm(4), nn.LayerNorm(4, elementwise_affine=False)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.last(self.norm(torch.tanh(self.embed(x)))))


class Folded(nn.Module):
    """Its batch norms go into what stands before them; the first leaves no bias. The gain is computed beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.up, self.last = nn.ConvTranspose2d(4, 2, 2), nn.BatchNorm2d(2)
        self.gain = nn.Parameter(torch.tensor([0.1, 0.2]).reshape(2, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.up(F.relu(self.norm(self.conv(x))))) * self.gain.exp()


def written(name: str, model: nn.Module, x: torch.Tensor) -> Tensors:
    model.eval()
    shapes = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.onnx.export(model, (x,), dynamo=True, dynamic_shapes=shapes, verbose=False)
    proto = program.model_proto
    for node in proto.graph.node:
        kept = [note for note in node.metadata_props if note.key in CALLS]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.save(proto, HERE / f"torch-export-{name}.onnx")
    target = torch.randn(model(x).shape)
    loss = F.mse_loss(model(x), target)
    loss.backward()
    names = {value: key for key, value in model.named_parameters(remove_duplicate=False)}
    gradients = {key: value.grad for value, key in names.items()}
    return {"x": x, "target": target, "loss": loss.detach(), **prefixed("gradients", gradients)}


if __name__ == "__main__":
    torch.manual_seed(0)
    image = torch.randn(2, 3, 3, 3)
    arrays = prefixed("layers", written("layers", Layers(), image))
    arrays |= prefixed("tied", written("tied", Tied(), torch.arange(6).reshape(2, 3)))
    arrays |= prefixed("folded", written("folded", Folded(), image))
    save("torch-export", arrays)
