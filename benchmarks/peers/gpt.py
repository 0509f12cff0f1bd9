"""The GPT's peer, as one writes it in PyTorch: one projection for q, k and v, torch's fused attention.

Radford et al. 2019, section 2.3; Vaswani et al. 2017, eqs. 1 and 2, https://arxiv.org/abs/1706.03762;
the modern flavour's sources are those of `modern_gpt`.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers import theirs
from benchmarks.peers.ours import Case, Ours

_CLASSIC = {
    "positions": "learned", "norm": "layer", "activation": "gelu", "query_key_norm": False,
    "use_bias": True, "tied_head": True, "init": "gpt2",
}  # fmt: skip

CASES = {
    "gpt-python": Case("gpt-python"),
    # The two sizes at which nanoGPT's README trains on characters, here without dropout, the larger one
    # with a batch of 8 in place of 64: a step of seconds rather than ten.
    "gpt-small": Case(
        "gpt-python",
        {
            "batch_size": 12, "seq_len": 64,
            "model": _CLASSIC | {
                "num_layers": 4, "num_heads": 4, "model_size": 128, "hidden_size": 512,
                "max_seq_len": 64,
            },
        },
    ),
    "gpt-large": Case(
        "gpt-python",
        {
            "batch_size": 8, "seq_len": 256, "steps_per_dispatch": 2,
            "model": _CLASSIC | {
                "num_layers": 6, "num_heads": 6, "model_size": 384, "hidden_size": 1536,
                "max_seq_len": 256,
            },
        },
    ),
}  # fmt: skip


class Norm(nn.Module):
    """LayerNorm from our scale and bias; RMSNorm without parameters where there are none."""

    def __init__(self, params):
        super().__init__()
        self.weight = theirs.parameter(params["scale"]) if params else None
        self.bias = theirs.parameter(params["bias"]) if params else None

    def forward(self, x: Tensor) -> Tensor:
        """Over the last axis."""
        if self.weight is None:
            return functional.rms_norm(x, x.shape[-1:], eps=1e-6)
        return functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, eps=1e-5)


class Attention(nn.Module):
    """Causal self-attention of N heads."""

    def __init__(self, params, config):
        super().__init__()
        D, self.config = config.model_size, config
        names, biased = ("query", "key", "value"), "bias" in params["query"]
        kernel = np.concatenate([params[name]["kernel"].reshape(D, D) for name in names], axis=1)
        bias = (
            np.concatenate([params[name]["bias"].reshape(D) for name in names]) if biased else None
        )
        out = params["out"]
        self.into = theirs.linear(kernel, bias)
        self.out = theirs.linear(out["kernel"].reshape(D, D), out.get("bias"))
        if config.positions == "rotary":
            self.register_buffer("turns", rotations(config.max_seq_len, config.head_size))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to the same."""
        B, T, D = x.shape
        heads = self.into(x).view(B, T, 3, self.config.num_heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind()  # (B, N, T, H)
        if self.config.query_key_norm:
            query = functional.rms_norm(query, query.shape[-1:], eps=1e-6)
            key = functional.rms_norm(key, key.shape[-1:], eps=1e-6)
        if self.config.positions == "rotary":
            query, key = rotate(query, self.turns[:, :T]), rotate(key, self.turns[:, :T])
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(B, T, D))


def rotations(length: int, head_size: int) -> Tensor:
    """(2, T, H/2): cos and sin of position · 10,000^(-2i/H), once for all steps."""
    frequencies = 10_000.0 ** (-torch.arange(0, head_size, 2) / head_size)
    angles = torch.arange(length)[:, None] * frequencies
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """The features i and i + H/2 turned by their position's angles (Su et al. 2021, eq. 15)."""
    (first, second), (cos, sin) = x.chunk(2, dim=-1), turns
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Block(nn.Module):
    """x + Attention(Norm(x)), then x + W2 act(W1 Norm(x))."""

    def __init__(self, params, config):
        super().__init__()
        self.norm1, self.norm2 = Norm(params.get("norm1")), Norm(params.get("norm2"))
        self.attention = Attention(params["attention"], config)
        mlp = params["mlp"]
        self.into = theirs.linear(mlp["in"]["kernel"], mlp["in"].get("bias"))
        self.out = theirs.linear(mlp["out"]["kernel"], mlp["out"].get("bias"))
        self.gelu = config.activation == "gelu"

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to the same."""
        x = x + self.attention(self.norm1(x))
        hidden = self.into(self.norm2(x))
        hidden = (
            functional.gelu(hidden, approximate="tanh")
            if self.gelu
            else functional.relu(hidden).square()
        )
        return x + self.out(hidden)


class GPT(nn.Module):
    """The loss as a module: tokens and their successors to nats a token."""

    def __init__(self, params, config):
        super().__init__()
        self.embedding = theirs.parameter(params["embedding"])
        learned = config.positions == "learned"
        self.positions = theirs.parameter(params["positions"]) if learned else None
        blocks = [params[f"block{i}"] for i in range(config.num_layers)]
        self.blocks = nn.ModuleList(Block(each, config) for each in blocks)
        self.norm = Norm(params.get("norm"))
        head = None if config.tied_head else theirs.parameter(params["head"]["kernel"].T)
        self.head = head

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of (B, T) targets, the mean over all."""
        x = functional.embedding(tokens, self.embedding)
        if self.positions is not None:
            x = x + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = functional.linear(self.norm(x), self.embedding if self.head is None else self.head)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def make_step(ours: Ours, *, compiled: bool) -> theirs.Step:
    """The peer of this training, from the same parameters."""
    config = ours.experiment
    if config.model.dropout or config.model.compute_dtype != "float32":
        raise ValueError("the peer has no dropout and computes in float32")
    model = GPT(ours.params, config.model)
    update = theirs.make_update(model, model, config.optimizer, compiled=compiled)
    offsets = torch.arange(config.seq_len + 1)

    def step(arrays, indices, noise):
        windows = arrays["tokens"][indices[:, None] + offsets]
        return {"loss": update(windows[:, :-1], windows[:, 1:])}

    return step
