"""A function of many examples, applied to some of them at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.progress import judging


def in_batches(apply: Callable[[np.ndarray], Any], count: int, size: int) -> Any:
    """What `apply(places)` gives for the places 0 … count − 1, at most `size` of them in a call.

    `apply` returns arrays, in any pytree, whose first axis is that of `places`; so does this, for all.
    Every call has equally many places, so that one compiled program serves all: the last repeats the
    last place, and what it gives for that is cut off.
    """
    size, found, tell = min(size, count), [], judging()
    for first in range(0, count, size):
        tell(first / count)
        found.append(apply(np.minimum(np.arange(first, first + size), count - 1)))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts)[:count], *found)
