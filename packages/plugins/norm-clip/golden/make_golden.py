"""What torch.nn.utils.clip_grad_norm_ makes of some gradients with other norms than the Euclidean one.

    python3 make_golden.py      # PyTorch, nothing else
"""

import json
from pathlib import Path

import torch

torch.manual_seed(1)
SHAPES = {"conv.weight": (2, 2, 3, 3), "fc.weight": (3, 4), "fc.bias": (3,), "gain": ()}
SIZES = {"conv.weight": 1, "fc.weight": 10, "fc.bias": 0.01, "gain": 1}


def plain(tensors):
    return {
        name: {"dims": list(x.shape), "data": [float(f"{v:.9g}") for v in x.flatten().tolist()]}
        for name, x in tensors.items()
    }


def clipped(gradients, norm_type):
    holders = {name: torch.nn.Parameter(torch.zeros_like(g)) for name, g in gradients.items()}
    for name, holder in holders.items():
        holder.grad = gradients[name].clone()
    norm = torch.nn.utils.clip_grad_norm_(holders.values(), 0.7, norm_type=norm_type)
    return norm.item(), {name: holder.grad for name, holder in holders.items()}


gradients = {name: torch.randn(shape) * SIZES[name] for name, shape in SHAPES.items()}
golden = {"gradients": plain(gradients)}
for name, norm_type in (("1", 1.0), ("Infinity", float("inf"))):
    norm, together = clipped(gradients, norm_type)
    each = {key: clipped({key: g}, norm_type)[1][key] for key, g in gradients.items()}
    golden[name] = {"norm": norm, "global": plain(together), "tensor": plain(each)}

target = Path(__file__).with_name("norm-clip.golden.json")
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
