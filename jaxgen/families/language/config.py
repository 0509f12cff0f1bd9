"""What a person sets of fine-tuning; no jax here, so that help is quick."""

from dataclasses import dataclass

from jaxgen.errors import check


@dataclass(frozen=True)
class LoRAConfig:
    """Low-rank adaptation of a trained model (Hu et al. 2021)."""

    rank: int = 0
    """r, of the correction to each matrix; 0: every parameter is trained."""
    alpha: float = 16.0
    """The correction is multiplied by alpha / rank."""
    on: tuple[str, ...] = ("query", "value")
    """Which matrices: of a GPT query, key, value, out, in."""

    def __post_init__(self):
        check(self, "rank", lambda x: x >= 0, "0 or more", "lora.")
        check(self, "alpha", lambda x: x > 0, "a number above 0", "lora.")
        check(self, "on", lambda x: len(x) > 0, "one name or more", "lora.")
