"""What this family asks of a module: any that offers it is trained, judged and drawn from.

A linen module has `init` and `apply` of itself; any other class may have them too.
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Classifier(Protocol):
    """Images (B, height, width, C) to logits (B, V)."""

    def apply(
        self, variables: Any, image: Any, dropout_keys: Any = None, *, method: Any = None
    ) -> Any:
        """Logits, of variables["params"]; keys (B,) switch dropout on.

        With the method "features", which a run needs that judges others, what the last layer sees.
        """
