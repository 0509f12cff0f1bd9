"""What this family asks of a module: any that offers it is trained, judged and drawn from.

A linen module has `init` and `apply` of itself; any other class may have them too. What is drawn from is
an argument of compiled programs: let it be hashable, as a frozen dataclass is.
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class LanguageModel(Protocol):
    """Tokens (B, T) to the logits (B, T, V) of each next one; no position sees a later one."""

    def apply(self, variables: Any, tokens: Any, dropout_keys: Any = None, **how: Any) -> Any:
        """Logits, of variables["params"]; keys (B,) switch dropout on."""


@runtime_checkable
class CachedLanguageModel(LanguageModel, Protocol):
    """One that is drawn from token by token, or goes on where an earlier text has ended.

    `apply(variables, tokens, cache=, lengths=) -> (logits, cache)` reads tokens behind what is cached,
    of each row the first `lengths` (B,) only where they are given. A transformer caches keys and values,
    a recurrent model its state.

    Attributes:
      vocab_size: V.
    """

    vocab_size: int

    def empty_cache(self, batch_size: int, length: int) -> Any:
        """The cache of B rows before their first token, with room for so many."""
        ...


@runtime_checkable
class FeatureModel(LanguageModel, Protocol):
    """One whose logits need not stand in memory all at once.

    `apply(variables, tokens, dropout_keys, features=True)` stops before the last product: (B, T, D).
    """

    def head_kernel(self, params: Any) -> Any:
        """What makes logits of features, (D, V)."""
        ...
