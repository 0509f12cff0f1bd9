"""What this family asks of a module: any that offers it is trained, judged and drawn from.

A linen module has `init` and `apply` of itself; any other class may have them too.
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Network(Protocol):
    """From noise, its level and a label to the outputs that a `Denoiser` gives their meaning."""

    def apply(
        self, variables: Any, z: Any, log_snr: Any, label: Any = None, dropout_keys: Any = None
    ) -> Any:
        """Outputs (B, X), for a lattice (B, X, V), of scaled z (B, X), λ (B,), label (B,) or None.

        Of variables["params"]; keys (B,) switch dropout on.
        """
