"""What plugins do to gradients, in PyTorch's eager mode and in place, as one would write it there.

    python3 pytorch_plugins.py <threads>

Speaks with the benchmark as pytorch_steps.py does. Names are those of src/plugins/rows.ts. A maker gets the parameters
and returns what is called at every step.
"""

import math

import torch
from torch import nn

from pytorch_steps import Training, scale_of, serve

SMALLEST_NORMAL = 2.0**-126


def each(change):
    """Makes a plugin of a function that gets one parameter."""

    def make(parameters):
        def step():
            for parameter in parameters:
                change(parameter)

        return step

    return make


def global_norm(parameters):
    return torch.norm(torch.stack([torch.norm(parameter.grad) for parameter in parameters]))


def units(tensor):
    """The norm of every unit: a slice along the first axis; a bias is one."""
    if tensor.dim() < 2:
        return tensor.norm()
    return tensor.flatten(1).norm(dim=1).view(-1, *[1] * (tensor.dim() - 1))


def norm_clip(parameters):
    return lambda: nn.utils.clip_grad_norm_(parameters, 1.0)


def value_clip(parameters):
    return lambda: nn.utils.clip_grad_value_(parameters, 0.1)


@each
def value_clip_part(parameter):
    bound = parameter.grad.abs().max() / math.e
    torch.clamp(parameter.grad, -bound, bound, out=parameter.grad)


@each
def rms_clip(parameter):
    rms = parameter.grad.pow(2).mean().sqrt()
    parameter.grad.div_(rms.clamp(min=1.0))


@each
def adaptive_clip(parameter):
    largest = units(parameter).clamp(min=1e-3) * 0.01
    norms = units(parameter.grad)
    parameter.grad.mul_(torch.where(norms < largest, 1.0, largest / norms.clamp(min=1e-6)))


def auto_clip(parameters):
    history = []

    def step():
        history.append(global_norm(parameters).item())
        del history[:-1000]
        bound = torch.quantile(torch.tensor(history), 0.1).item()
        nn.utils.clip_grad_norm_(parameters, bound)

    return step


def z_clip(parameters):
    mean, variance, count = 0.0, 0.0, 0

    def step():
        nonlocal mean, variance, count
        norm = global_norm(parameters).item()
        z = (norm - mean) / (math.sqrt(variance) + 1e-6)
        if count >= 25 and z > 2.5:
            bound = mean + 2.5**2 * math.sqrt(variance) / z
            for parameter in parameters:
                parameter.grad.mul_(bound / (norm + 1e-6))
            norm = bound
        mean = 0.97 * mean + 0.03 * norm
        variance = 0.97 * variance + 0.03 * (norm - mean) ** 2
        count += 1

    return step


def normalize(parameters):
    def step():
        norm = global_norm(parameters) + 1e-12
        for parameter in parameters:
            parameter.grad.div_(norm)

    return step


@each
def centralize(parameter):
    gradient = parameter.grad
    if gradient.dim() > 1:
        gradient.sub_(gradient.mean(dim=tuple(range(1, gradient.dim())), keepdim=True))


@each
def decompose(parameter):
    gradient = parameter.grad
    along = (gradient * parameter).sum() / parameter.pow(2).sum().clamp(min=1e-12)
    gradient.sub_(parameter * along)


@each
def damp(parameter):
    gradient = parameter.grad
    gradient.div_(torch.exp(-gradient).clamp(min=1.0))


def ema(parameters):
    averages = [torch.zeros_like(parameter) for parameter in parameters]
    count = 0

    def step():
        nonlocal count
        count += 1
        for parameter, average in zip(parameters, averages):
            average.mul_(0.9).add_(parameter.grad, alpha=0.1)
            torch.div(average, 1 - 0.9**count, out=parameter.grad)

    return step


@each
def l1(parameter):
    parameter.grad.add_(parameter.sign(), alpha=1e-5)


@each
def l2(parameter):
    parameter.grad.add_(parameter, alpha=1e-4)


@each
def elastic(parameter):
    parameter.grad.add_(parameter.sign(), alpha=5e-5).add_(parameter, alpha=5e-5)


def noise(parameters):
    count = 0

    def step():
        nonlocal count
        deviation = math.sqrt(0.01 / (1 + count) ** 0.55)
        count += 1
        for parameter in parameters:
            parameter.grad.add_(torch.randn_like(parameter), alpha=deviation)

    return step


@each
def quantize(parameter):
    """As few passes as PyTorch allows."""
    scale = scale_of(parameter.grad)
    parameter.grad.div_(scale).round_().mul_(scale)


@each
def quantize_stochastic(parameter):
    gradient = parameter.grad
    scale = scale_of(gradient)
    gradient.div_(scale).add_(torch.rand_like(gradient)).floor_().clamp_(-127, 127).mul_(scale)


@each
def qsgd(parameter):
    gradient = parameter.grad
    flat = nn.functional.pad(gradient.flatten(), (0, -gradient.numel() % 512)).view(-1, 512)
    scale = flat.norm(dim=1, keepdim=True).clamp(min=SMALLEST_NORMAL) / 7
    codes = (flat.abs() / scale).add_(torch.rand_like(flat)).floor_()
    sent = codes.mul_(flat.sign()).mul_(scale).flatten()[: gradient.numel()]
    gradient.copy_(sent.view_as(gradient))


@each
def terngrad(parameter):
    gradient = parameter.grad
    bound = 2.5 * gradient.std(unbiased=False)
    clipped = torch.clamp(gradient, -bound, bound)
    scale = clipped.abs().max().clamp(min=SMALLEST_NORMAL)
    kept = torch.rand_like(gradient) < clipped.abs() / scale
    torch.mul(clipped.sign(), kept, out=gradient).mul_(scale)


@each
def sign(parameter):
    scale = parameter.grad.abs().mean()
    parameter.grad.sign_().mul_(scale)


def cast(dtype):
    @each
    def change(parameter):
        parameter.grad.copy_(parameter.grad.to(dtype))

    return change


def keep_largest(gradient, ratio):
    flat = gradient.flatten()
    count = max(1, math.floor(ratio * flat.numel()))
    places = torch.topk(flat.abs(), count, sorted=False).indices
    return torch.zeros_like(flat).scatter_(0, places, flat[places]).view_as(gradient)


def top_k(ratio):
    @each
    def change(parameter):
        parameter.grad.copy_(keep_largest(parameter.grad, ratio))

    return change


@each
def random_k(parameter):
    flat = parameter.grad.flatten()
    count = max(1, flat.numel() // 100)
    places = torch.randint(flat.numel(), (count,))
    sent = torch.zeros_like(flat).scatter_(0, places, flat[places] * (flat.numel() / count))
    parameter.grad.copy_(sent.view_as(parameter.grad))


@each
def threshold(parameter):
    parameter.grad.mul_(parameter.grad.abs() > 1e-3)


def low_rank_of(gradient, q):
    """One step of power iteration from q, as PowerSGD: the approximation and the next q."""
    matrix = gradient.flatten(1)
    p, _ = torch.linalg.qr(matrix @ q)
    q = matrix.t() @ p
    return (p @ q.t()).view_as(gradient), q


def starts(parameters):
    """Where the iteration begins; None for what is sent whole."""
    return [
        torch.randn(parameter.flatten(1).shape[1], 4) if parameter.dim() > 1 else None
        for parameter in parameters
    ]


def low_rank(parameters):
    factors = starts(parameters)

    def step():
        for i, parameter in enumerate(parameters):
            if factors[i] is not None:
                sent, factors[i] = low_rank_of(parameter.grad, factors[i])
                parameter.grad.copy_(sent)

    return step


def feedback_top_k(parameters):
    residuals = [torch.zeros_like(parameter) for parameter in parameters]

    def step():
        for parameter, residual in zip(parameters, residuals):
            residual.add_(parameter.grad)
            parameter.grad.copy_(keep_largest(residual, 0.01))
            residual.sub_(parameter.grad)

    return step


def feedback_low_rank(parameters):
    residuals = [torch.zeros_like(parameter) for parameter in parameters]
    factors = starts(parameters)

    def step():
        for i, (parameter, residual) in enumerate(zip(parameters, residuals)):
            if factors[i] is not None:
                residual.add_(parameter.grad)
                sent, factors[i] = low_rank_of(residual, factors[i])
                parameter.grad.copy_(sent)
                residual.sub_(sent)

    return step


def skip_nonfinite(parameters):
    def step():
        if not math.isfinite(global_norm(parameters).item()):
            for parameter in parameters:
                parameter.grad.zero_()

    return step


def loss_scale(parameters):
    """The part of torch.cuda.amp.GradScaler that goes over the gradients."""
    found, inverse = torch.zeros(1), torch.tensor([1 / 65536])

    def step():
        found.zero_()
        for parameter in parameters:
            parameter.grad.mul_(inverse)
        found.add_(1 - torch.isfinite(global_norm(parameters)).float())
        found.item()

    return step


@each
def weight_decay(parameter):
    parameter.mul_(1 - 1e-4 * 0.01)


def chained(*makers):
    def make(parameters):
        steps = [maker(parameters) for maker in makers]

        def run():
            for step in steps:
                step()

        return run

    return make


PLUGINS = {
    "nothing": lambda parameters: lambda: None,
    "loss-scale": loss_scale,
    "skip-nonfinite": skip_nonfinite,
    "cast, float16": cast(torch.float16),
    "cast, bfloat16": cast(torch.bfloat16),
    "quantize, 8 bits": quantize,
    "quantize, 8 bits, stochastic": quantize_stochastic,
    "qsgd": qsgd,
    "terngrad": terngrad,
    "sign": sign,
    "top-k, 1 %": top_k(0.01),
    "top-k, 10 %": top_k(0.1),
    "random-k, 1 %": random_k,
    "threshold": threshold,
    "low-rank, 4": low_rank,
    "error-feedback(top-k), 1 %": feedback_top_k,
    "error-feedback(low-rank), 4": feedback_low_rank,
    "l1": l1,
    "l2": l2,
    "elastic": elastic,
    "centralize": centralize,
    "damp": damp,
    "decompose": decompose,
    "ema": ema,
    "normalize": normalize,
    "adaptive-clip": adaptive_clip,
    "auto-clip": auto_clip,
    "norm-clip": norm_clip,
    "rms-clip": rms_clip,
    "value-clip": value_clip,
    "value-clip, 1/e of the largest": value_clip_part,
    "z-clip": z_clip,
    "noise": noise,
    "weight-decay": weight_decay,
    "norm-clip, value-clip, quantize, l2": chained(norm_clip, value_clip, quantize, l2),
}


class PluginTraining(Training):
    def __init__(self, name: str, chain: list) -> None:
        super().__init__(name, [])
        steps = [PLUGINS[plugin](self.parameters) for plugin in chain]
        self.chain = [lambda _, step=step: step() for step in steps]


if __name__ == "__main__":
    serve(PluginTraining, PLUGINS)
