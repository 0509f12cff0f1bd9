"""What this family asks of a module: any that offers it is trained, judged and drawn from.

A linen module has `init` and `apply` of itself; any other class may have them too.
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class MeanVelocityNetwork(Protocol):
    """From a noisy example and two times to the mean velocity between them."""

    def apply(self, variables: Any, z: Any, times: Any, label: Any = None) -> Any:
        """U (B, X) of z (B, X), times (B, 2) as `told` gives them, label (B,) or None.

        Of variables["params"].
        """
