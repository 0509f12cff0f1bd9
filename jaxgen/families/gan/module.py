"""What this family asks of two modules: any that offer it are trained, judged and drawn from.

A linen module has `init` and `apply` of itself; any other class may have them too. Statistics of batch
norm, if there are any, are their collection `batch_stats`. Where the players are told the class, init
and apply have `label` (B,) among their keywords.
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Generator(Protocol):
    """Noise (B, Z) to examples (B, ...).

    Attributes:
      latent_size: Z.
    """

    latent_size: int

    def init(self, key: Any, noise: Any, **told: Any) -> Any:
        """Variables, with "params"."""

    def apply(self, variables: Any, noise: Any, **how: Any) -> Any:
        """Examples; with mutable=[...] beside them the collections of these names, as they are then."""


@runtime_checkable
class Discriminator(Protocol):
    """Examples (B, ...) to logits (B,)."""

    def init(self, key: Any, example: Any, **told: Any) -> Any:
        """Variables, with "params"."""

    def apply(self, variables: Any, example: Any, dropout_keys: Any = None, **how: Any) -> Any:
        """Logits, likewise; keys (B,) switch dropout on."""
