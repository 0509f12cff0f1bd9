"""Samples of a mean flow: from noise at t = 1 to data at t = 0 in as many steps as are asked for.

In the catalogue: `diffusion.mean-flow`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import diffusion_flow
from jaxgen.families.batches import in_batches
from jaxgen.families.mean_flow.module import MeanVelocityNetwork
from jaxgen.families.mean_flow.objective import told

CHUNK = 500
"""Samples drawn at once; each depends on its own key alone, so that the number does not matter."""


def make_sampler(model: MeanVelocityNetwork, size: int, num_steps: int) -> Callable:
    """`draw(params, keys (B,), labels (B,) or None) -> (B, X)`, X = size."""

    @jax.jit
    def draw_chunk(params, keys, label):
        z = jax.vmap(lambda key: jax.random.normal(key, (size,)))(keys)

        def step(i, z):
            t = jnp.full(len(z), (num_steps - i) / num_steps)
            r = t - 1 / num_steps
            velocity = model.apply({"params": params}, z, told(r, t), label)
            return diffusion_flow.mean_flow_step(z, velocity, r, t)

        return jax.lax.fori_loop(0, num_steps, step, z)

    def draw(params, keys, label: Int[Array, " B"] | None) -> Float[Array, "B X"]:
        def of_places(places):
            return draw_chunk(params, keys[places], None if label is None else label[places])

        return in_batches(of_places, keys.shape[0], CHUNK)

    return draw
