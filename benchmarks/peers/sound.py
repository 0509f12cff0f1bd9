"""The WaveNet's peer, as one writes it in PyTorch: dilated convolutions, skip paths added one by one.

van den Oord et al. 2016, sections 2.1 to 2.5, https://arxiv.org/abs/1609.03499.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers import theirs
from benchmarks.peers.ours import Case, Ours

CASES = {
    "wavenet-vowels": Case("wavenet-vowels"),
    # Ten layers, a receptive field of 1,025, 9,600 samples a step.
    "wavenet-long": Case(
        "wavenet-vowels", {"batch_size": 3, "model": {"num_layers": 10, "cycle": 10}}
    ),
}


class Causal(nn.Module):
    """Zeros in front and a dilated convolution, from our taps (K, in, out)."""

    def __init__(self, taps: np.ndarray, bias: np.ndarray | None, dilation: int):
        super().__init__()
        self.weight = theirs.parameter(taps.transpose(2, 1, 0))
        self.bias = None if bias is None else theirs.parameter(bias)
        self.dilation, self.padding = dilation, (len(taps) - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, T) to (B, out, T)."""
        padded = functional.pad(x, (self.padding, 0))
        return functional.conv1d(padded, self.weight, self.bias, dilation=self.dilation)


def pointwise(params) -> Causal:
    """A convolution of one tap from our kernel and bias."""
    return Causal(params["kernel"][None], params["bias"], 1)


class WaveNet(nn.Module):
    """The loss as a module: waves and features to nats."""

    def __init__(self, params, dilations, levels: int):
        super().__init__()
        L, self.levels = len(dilations), levels
        self.value = theirs.parameter(params["value"])
        self.embedding = theirs.parameter(params["embedding"])
        self.first = Causal(params["first"], None, 1)
        self.convolutions = nn.ModuleList(
            Causal(params[f"taps_{i}"], params[f"bias_{i}"], d) for i, d in enumerate(dilations)
        )
        local = np.split(params["local"], L, axis=1)
        self.local = nn.ModuleList(Causal(each[None], None, 1) for each in local)
        self.residuals = nn.ModuleList(pointwise(params[f"residual_{i}"]) for i in range(L - 1))
        # Our one skip kernel has the layers' below each other; its bias is added once.
        skips = np.split(params["skip"]["kernel"], L)
        biases = [params["skip"]["bias"], *[None] * (L - 1)]
        self.skips = nn.ModuleList(
            Causal(kernel[None], bias, 1) for kernel, bias in zip(skips, biases, strict=True)
        )
        self.hidden, self.out = pointwise(params["hidden"]), pointwise(params["out"])

    def forward(self, wave: Tensor, features: Tensor) -> Tensor:
        """The mean over samples 1 .. T of waves (B, T + 1), told features (B, frames, C)."""
        mu = self.levels - 1
        companded = torch.sign(wave) * torch.log1p(mu * wave.abs()) / math.log1p(mu)
        level = ((companded + 1) * (0.5 * mu) + 0.5).floor().long().clamp(0, mu)
        before, signal = level[:, :-1], level[:, :-1].float() * (2 / mu) - 1
        x = (signal[..., None] * self.value + self.embedding[before]).transpose(1, 2)
        x, told, total = self.first(x), features.transpose(1, 2), None
        for i, convolution in enumerate(self.convolutions):
            of_frames = self.local[i](told)
            a = convolution(x) + of_frames.repeat_interleave(x.shape[2] // told.shape[2], dim=2)
            content, gate = a.chunk(2, dim=1)
            z = torch.tanh(content) * torch.sigmoid(gate)
            total = self.skips[i](z) if total is None else total + self.skips[i](z)
            if i < len(self.residuals):
                x = x + self.residuals[i](z)
        logits = self.out(functional.relu(self.hidden(functional.relu(total))))
        return functional.cross_entropy(logits, level[:, 1:])


def make_step(ours: Ours, *, compiled: bool) -> theirs.Step:
    """The peer of this training, from the same parameters."""
    config, train = ours.experiment, ours.data.train
    if config.output != "mu-law" or ours.data.spec.labels or not ours.data.spec.num_features:
        raise ValueError("the peer has the levels of the μ-law, features and no labels")
    model = WaveNet(ours.params, config.model.dilations, config.levels)
    update = theirs.make_update(model, model, config.optimizer, compiled=compiled)
    T, hop = train.seq_len, train.hop

    def step(arrays, indices, noise):
        clip = torch.searchsorted(arrays["first"], indices, right=True) - 1
        window = indices - arrays["first"][clip]
        start, frame = arrays["offset"][clip] + window * hop, arrays["frame"][clip] + window
        wave = arrays["wave"][start[:, None] + torch.arange(T + 1)].float() * (1 / 32768)
        features = arrays["features"][frame[:, None] + torch.arange(T // hop)]
        return {"loss": update(wave, features)}

    return step
