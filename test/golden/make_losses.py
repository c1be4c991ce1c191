"""Golden losses and their gradients, by PyTorch. Writes losses.npz: for each case `<case>/loss` and
`<case>/gradient`, for the tensors
below `inputs/`."""

import torch
import torch.nn.functional as F
from common import save

torch.manual_seed(7)
scores = torch.randn(4, 3, 2)
labels = torch.tensor([[2, 0], [1, 1], [0, 2], [1, 0]])
weights = torch.tensor([0.5, 2.0, 1.0])
numbers = torch.randn(4, 5)
targets = torch.randn(4, 5)
chances = torch.softmax(torch.randn(4, 5), 1)
chances[0, 0] = 0.0
signs = torch.sign(torch.randn(4, 5))


def log(x: torch.Tensor) -> torch.Tensor:
    return torch.log_softmax(x, 1)


cases = {
    "cross-entropy/weights": (scores, lambda x: F.cross_entropy(x, labels, weights)),
    "cross-entropy/weights-sum": (scores, lambda x: F.cross_entropy(x, labels, weights, reduction="sum")),
    "cross-entropy/weights-ignored": (scores, lambda x: F.cross_entropy(x, labels, weights, ignore_index=1)),
    "cross-entropy/smooth-weights": (scores, lambda x: F.cross_entropy(x, labels, weights, label_smoothing=0.2)),
    "cross-entropy/smooth-weights-ignored": (
        scores,
        lambda x: F.cross_entropy(x, labels, weights, ignore_index=1, label_smoothing=0.2),
    ),
    "cross-entropy/smooth-weights-sum": (
        scores,
        lambda x: F.cross_entropy(x, labels, weights, label_smoothing=0.2, reduction="sum"),
    ),
    "nll/plain": (scores, lambda x: F.nll_loss(log(x), labels)),
    "nll/weights-ignored": (scores, lambda x: F.nll_loss(log(x), labels, weights, ignore_index=0)),
    "nll/sum": (scores, lambda x: F.nll_loss(log(x), labels, reduction="sum")),
    "kl-divergence/batchmean": (numbers, lambda x: F.kl_div(log(x), chances, reduction="batchmean")),
    "kl-divergence/mean": (numbers, lambda x: F.kl_div(log(x), chances, reduction="mean")),
    "kl-divergence/log-target": (
        numbers,
        lambda x: F.kl_div(log(x), torch.log_softmax(targets, 1), reduction="sum", log_target=True),
    ),
    "hinge/plain": (numbers, lambda x: torch.clamp(1 - signs * x, min=0).mean()),
    "hinge/margin": (numbers, lambda x: torch.clamp(0.3 - signs * x, min=0).sum()),
    "hinge/squared": (numbers, lambda x: (torch.clamp(1 - signs * x, min=0) ** 2).mean()),
    "cosine/plain": (numbers, lambda x: (1 - F.cosine_similarity(x, targets, dim=1)).mean()),
    "cosine/axis": (numbers, lambda x: (1 - F.cosine_similarity(x, targets, dim=0)).sum()),
    "mse/plain": (numbers, lambda x: F.mse_loss(x, targets)),
    "l1/plain": (numbers, lambda x: F.l1_loss(x, targets)),
    "huber/delta": (numbers, lambda x: F.huber_loss(x, targets, delta=0.4)),
    "bce-with-logits/weight": (
        numbers,
        lambda x: F.binary_cross_entropy_with_logits(x, chances, pos_weight=torch.tensor(3.0)),
    ),
}

arrays = {
    "inputs/scores": scores,
    "inputs/labels": labels,
    "inputs/numbers": numbers,
    "inputs/targets": targets,
    "inputs/chances": chances,
    "inputs/signs": signs,
    "inputs/log-targets": log(targets),
}
for name, (given, loss) in cases.items():
    x = given.clone().requires_grad_()
    value = loss(x)
    value.backward()
    arrays[f"{name}/loss"] = value.detach()
    arrays[f"{name}/gradient"] = x.grad
save("losses", arrays)
