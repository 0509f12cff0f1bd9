"""What this family asks of a module: any that offers it is trained, judged and drawn from.

A linen module has `init` and `apply` of itself; any other class may have them too.
"""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Float


@runtime_checkable
class GridAutoencoder(Protocol):
    """Images (B, height, width, C) to a grid of features, and a grid of codes' vectors back."""

    def apply(self, variables: Any, *inputs: Any, method: Any = None) -> Any:
        """The method of that name with variables["params"], pure."""

    def encode(self, image: Float[Array, "B height width C"]) -> Float[Array, "B rows columns D"]:
        """What is then quantised; (B, rows, columns, K) logits for --quantiser gumbel."""
        ...

    def decode(self, grid: Float[Array, "B rows columns D"]) -> Float[Array, "B height width C"]:
        """The mean of p(x|codes)."""
        ...
