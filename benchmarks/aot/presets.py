"""Two published GPT sizes as experiments whose step is only compiled: no text, no tokenizer, a size."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from jaxgen.data import Data, TextSpec
from jaxgen.data.datasets import Tokens
from jaxgen.errors import UserError
from jaxgen.experiments.registry import experiment_names, find_experiment
from jaxgen.families.base import Experiment
from jaxgen.families.language.family import GPTPython
from jaxgen.models.gpt.config import GPTConfig

GPT2_VOCABULARY = 50257  # Radford et al. 2019, section 2.2


@dataclass(frozen=True)
class SizeOnly:
    """In a tokenizer's place where no text is read or written: the number of tokens."""

    name: ClassVar[str] = "size-only"
    vocab_size: int

    def encode(self, text: str) -> np.ndarray:
        """There is no text."""
        raise NotImplementedError("a preset is compiled, not trained: it has no tokenizer")

    def decode(self, ids: Any) -> str:
        """There is no text."""
        raise NotImplementedError("a preset is compiled, not trained: it has no tokenizer")

    def to_json(self) -> dict[str, Any]:
        """Never saved."""
        raise NotImplementedError("a preset is compiled, not trained: it has no tokenizer")


PRESETS = {
    # Radford et al. 2019, table 2, the smallest (printed there as 117M, counted as 124M since).
    "gpt2-124m": GPTConfig(
        num_layers=12, num_heads=12, model_size=768, hidden_size=3072, max_seq_len=1024,
        compute_dtype="bfloat16",
    ),
    # Brown et al. 2020, table 2.1, GPT-3 XL; 16 heads of 128 where the table prints 24 of 128,
    # which is not its width of 2,048.
    "gpt3-1.3b": GPTConfig(
        num_layers=24, num_heads=16, model_size=2048, hidden_size=8192, max_seq_len=2048,
        compute_dtype="bfloat16", remat=True,
    ),
}  # fmt: skip


SPLIT = {"gpt2-124m": "data", "gpt3-1.3b": "fsdp"}
"""The axis of the mesh that all chips go to: a state that fits a chip is copied, a larger one split."""


PER_CHIP = {"gpt2-124m": 4}
"""Sequences that a chip of 16 GB holds the activations of; one where none is given."""


def names() -> list[str]:
    """Everything that can be compiled: experiments and presets."""
    return [*experiment_names(), *PRESETS]


def find(
    name: str,
    *,
    batch_size: int | None = None,
    accumulate: int | None = None,
    attention: str | None = None,
    remat: bool | None = None,
) -> tuple[Experiment, Data]:
    """An experiment or preset with its data, changed as asked; None leaves what it has.

    Raises UserError where there is none of that name, or no attention to choose a form of.
    """
    if name in PRESETS:
        config = PRESETS[name]
        experiment: Any = GPTPython(model=config, seq_len=config.max_seq_len, batch_size=16)
        tokens = Tokens(
            {"tokens": np.zeros(config.max_seq_len + 1, np.int32)}, experiment.seq_len, 1
        )
        data = Data(tokens, tokens, TextSpec(SizeOnly(GPT2_VOCABULARY), first_token=0))
    elif name in experiment_names():
        experiment = find_experiment(name)()
        data = experiment.load()
    else:
        raise UserError(f"There is no experiment {name!r}; known are {', '.join(names())}.")
    own = {"batch_size": batch_size, "accumulate": accumulate}
    of_model = {"attention": attention, "remat": remat}
    for field, value in of_model.items():
        if value is not None and not hasattr(getattr(experiment, "model", None), field):
            flag = f"--{field} {value}" if field == "attention" else f"--{field}"
            raise UserError(f"{flag}: {name} has no transformer, leave it out.")
    if changes := _given(of_model):
        experiment = replace(experiment, model=replace(experiment.model, **changes))
    return replace(experiment, **_given(own)), data


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in changes.items() if value is not None}
