"""The one rule of precision in this room: sums and exponentials are taken in at least float32."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def widen(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return x in float32, or unchanged where it is wider (float64 under `jax_enable_x64`).

    bfloat16 keeps 8 bits of a number: a sum of 256 ones and one more one is still 256 in it.
    """
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
