"""The GRU's peer, as one writes it in PyTorch: an embedding, torch's own GRU, a linear head.

Cho et al. 2014, eqs. (5) to (8), https://arxiv.org/abs/1406.1078, in the form that torch.nn.GRU
computes, which is ours (`jaxgen.equations.recurrent`).
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers import theirs
from benchmarks.peers.ours import Case, Ours

GATES = ("reset", "update", "candidate")
"""In torch's order, and ours."""

CASES = {
    # The whole rate from the first step on: after a warm-up's first updates, a thousandth of it, another
    # model's losses would be the same.
    "gru-shakespeare": Case("gru-shakespeare", {"optimizer": {"warmup_steps": 0}}),
    # Document 003's sizes, with 10,000 words.
    "gru-words": Case("gru-words"),
}


class GRU(nn.Module):
    """The loss as a module: tokens, their successors and a state to nats a token and the next state."""

    def __init__(self, params):
        super().__init__()
        D, H = params["input_reset"].shape
        self.embedding = theirs.parameter(params["embedding"])
        self.gru = nn.GRU(D, H)
        self.gru.weight_ih_l0 = theirs.parameter(_side_by_side(params, "input_{}").T)
        self.gru.weight_hh_l0 = theirs.parameter(_side_by_side(params, "state_{}").T)
        self.gru.bias_ih_l0 = theirs.parameter(_side_by_side(params, "input_{}_bias"))
        # Reset and update have one bias each: torch's second ones stay at 0.
        candidate = params["state_candidate_bias"]
        self.gru.bias_hh_l0 = theirs.parameter(
            np.concatenate([np.zeros(2 * H, np.float32), candidate])
        )
        learns = torch.cat([torch.zeros(2 * H), torch.ones(H)])
        self.gru.bias_hh_l0.register_hook(lambda gradient: gradient * learns)
        self.head = theirs.linear(params["head"]["kernel"], params["head"]["bias"])

    def forward(self, tokens: Tensor, targets: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy of (B, T) targets, the mean over all; states are (1, B, H)."""
        states, last = self.gru(functional.embedding(tokens.T, self.embedding), state)
        logits = self.head(states)
        return functional.cross_entropy(logits.flatten(0, 1), targets.T.flatten()), last


def _side_by_side(params, name: str) -> np.ndarray:
    return np.concatenate([params[name.format(gate)] for gate in GATES], axis=-1)


def make_step(ours: Ours, *, compiled: bool) -> theirs.Step:
    """The peer of this training, from the same parameters."""
    config = ours.experiment
    if not config.stateful:
        raise ValueError("the peer carries its state from window to window")
    model = GRU(ours.params)
    after = {"state": torch.zeros(1, config.batch_size, config.model.hidden_size), "next": None}

    def loss(tokens, targets, state):
        value, last = model(tokens, targets, state)
        after["state"] = last.detach()
        return value

    update = theirs.make_update(
        loss, model, config.optimizer, compiled=compiled,
        hidden={model.gru.weight_ih_l0: len(GATES), model.gru.weight_hh_l0: len(GATES)},
    )  # fmt: skip
    offsets = torch.arange(config.seq_len + 1)

    def step(arrays, indices, noise):
        state = after["state"] * follows(indices, after["next"])[:, None]
        after["next"] = indices + config.seq_len
        windows = arrays["tokens"][indices[:, None] + offsets]
        return {"loss": update(windows[:, :-1], windows[:, 1:], state)}

    return step


def follows(starts: Tensor, after: Tensor | None) -> Tensor:
    """1 where a row goes on at the token that came next in the step before, else 0."""
    return torch.zeros(len(starts)) if after is None else (starts == after).float()
