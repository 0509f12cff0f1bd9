"""What the peers share: data on torch's side, an MLP, the update with its optimiser and schedule."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers.ours import Ours

Noise = list[Tensor] | None
"""What a step is to take in place of its own draws, first to last as ours draws; None: it draws."""

Step = Callable[[Mapping[str, Tensor], Tensor, Noise], dict[str, Tensor]]
"""step(arrays, indices, noise) -> the losses that ours calls by the same names."""


class Theirs:
    """A peer in training, over our arrays in our order."""

    size = 1  # steps that it takes at once

    def __init__(self, ours: Ours, step: Step):
        self._ours, self._step = ours, step
        # Tokens and classes index tables, for which torch wants 64 bits; grey levels stay bytes.
        self._arrays = {
            name: torch.from_numpy(array.astype(np.int64) if array.dtype == np.int32 else array)
            for name, array in ours.arrays.items()
        }
        self._indices = self._rows(0)

    def run(self, steps: int) -> None:
        """Train on the first batches, over and over."""
        for _, indices in zip(range(steps), itertools.cycle(self._indices), strict=False):
            self._step(self._arrays, indices, None)

    def losses(self, draws: Sequence[Sequence[np.ndarray]]) -> list[dict[str, float]]:
        """The losses of steps 0, 1, ... on their own batches with these draws."""
        found = []
        for number, drawn in enumerate(draws):
            noise = [torch.from_numpy(array) for array in drawn]
            losses = self._step(self._arrays, self._rows(number)[0], noise)
            found.append({name: loss.item() for name, loss in losses.items()})
        return found

    def _rows(self, first: int) -> Tensor:
        return torch.from_numpy(self._ours.indices(first).astype(np.int64))


def normal(noise: Noise, *shape: int) -> Tensor:
    """Standard normal numbers, drawn or given."""
    return torch.randn(*shape) if noise is None else noise.pop(0)


def dropout(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """x with numbers dropped by a mask that is drawn or given."""
    if not rate:
        return x
    return functional.dropout(x, rate) if noise is None else x * noise.pop(0) / (1 - rate)


def images(arrays: Mapping[str, Tensor], indices: Tensor, levels: int) -> Tensor:
    """(B, pixels) in [0, 1]."""
    return arrays["image"][indices].flatten(1).float() * (1 / levels)


class MLP(nn.Module):
    """relu(x W + b) for each hidden layer, then a linear one; from our parameters of the same."""

    def __init__(self, params: Mapping[str, Any], dropout: float = 0.0):
        super().__init__()
        layers = [params[f"Dense_{i}"] for i in range(len(params))]
        self.layers = nn.ModuleList(linear(each["kernel"], each["bias"]) for each in layers)
        self.dropout = dropout

    def forward(self, x: Tensor, noise: Noise = None, drop: bool = False) -> Tensor:
        """(B, inputs) to (B, outputs); `drop` switches dropout on."""
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
            x = dropout(x, self.dropout, noise) if drop else x
        return self.layers[-1](x)


def linear(kernel: np.ndarray, bias: np.ndarray | None = None) -> nn.Linear:
    """The layer x W + b of our kernel W (inputs, outputs), which torch keeps transposed."""
    layer = nn.Linear(*kernel.shape, bias=bias is not None)
    layer.weight = parameter(kernel.T)
    if bias is not None:
        layer.bias = parameter(bias)
    return layer


def parameter(array: np.ndarray) -> nn.Parameter:
    """A copy of ours, contiguous."""
    return nn.Parameter(torch.tensor(np.ascontiguousarray(array)))


def make_update(
    loss: Callable[..., Tensor],
    module: nn.Module,
    config: Any,
    *,
    compiled: bool,
    hidden: Mapping[nn.Parameter, int] | None = None,
) -> Callable[..., Tensor]:
    """`update(*args) -> loss(*args)`, after which `module` has followed its gradient.

    By fused AdamW, or by Muon where the config has that. torch.compile takes the loss and its gradient;
    the fused optimiser is one call as it is.

    Args:
      config: our OptimizerConfig.
      hidden: Muon's parameters, and of how many matrices, one below the other, each is made.
    """
    loss = torch.compile(loss, dynamic=False) if compiled else loss
    parameters = list(module.parameters())
    muon = (hidden or {}) if config.name == "muon" else {}
    rest = [parameter for parameter in parameters if parameter not in muon]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups, config.learning_rate, (config.beta1, config.beta2), eps=1e-8, fused=True
    )
    momenta = {parameter: torch.zeros_like(parameter) for parameter in muon}
    steps = itertools.count()

    def update(*args) -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        module.zero_grad(set_to_none=True)
        value = loss(*args)
        value.backward()
        if config.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, config.clip_norm)
        rate = learning_rate(config, next(steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        for parameter, pieces in muon.items():
            follow_muon(parameter, momenta[parameter], pieces, rate, config)
        return value.detach()

    return update


@torch.no_grad()
def follow_muon(
    parameter: nn.Parameter, momentum: Tensor, pieces: int, rate: float, config: Any
) -> None:
    """One step of Muon for the matrices of a parameter, whose momentum is changed in place.

    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/, with the size of Adam's update as in
    Liu et al. 2025, eq. (4), https://arxiv.org/abs/2502.16982; in float32, as ours.
    """
    gradient = parameter.grad
    momentum.mul_(config.momentum).add_(gradient)
    ahead = gradient + config.momentum * momentum
    directions = [
        0.2 * max(piece.shape) ** 0.5 * orthogonalize(piece) for piece in ahead.chunk(pieces)
    ]
    parameter.mul_(1 - rate * config.weight_decay).sub_(torch.cat(directions), alpha=rate)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Five Newton-Schulz steps from the matrix over its norm."""
    x = matrix / matrix.norm().clamp_min(1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x


def learning_rate(config: Any, step: int) -> float:
    """Linear from 0 over the warm-up, then constant, a line to 0, or half a cosine down to its end."""
    if step < config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps) / (config.decay_steps - config.warmup_steps)
    if config.schedule == "linear":
        return config.learning_rate * (1 - min(1.0, done))
    cosine, end = math.cos(math.pi * min(1.0, done)), config.end_fraction
    return config.learning_rate * (0.5 * (1 + end) + 0.5 * (1 - end) * cosine)
