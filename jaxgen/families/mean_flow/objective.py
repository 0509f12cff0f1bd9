"""A mean flow's loss: the velocity's mean between two times, against what its own derivative asks for.

Geng et al. 2025, "Mean flows for one-step generative modeling", algorithm 1,
https://arxiv.org/abs/2505.13447. Time is that of the flow: z_t = (1 − t) x + t ε, u = ε − x.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations import diffusion_flow
from jaxgen.families.diffusion.objective import as_rows
from jaxgen.families.mean_flow.module import MeanVelocityNetwork
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean

SPAN = 20.0
"""Times 0 to 1 as the numbers of a λ's size that the networks' waves are made for."""


def told(r: Float[Array, " B"], t: Float[Array, " B"]) -> Float[Array, "B 2"]:
    """Both times as a network is told them: where it is, and how far the mean reaches."""
    return SPAN * jnp.stack([t, t - r], axis=1)


def draw_times(settings: Any, keys) -> tuple[Float[Array, " B"], Float[Array, " B"]]:
    """(r, t), r ≤ t: two logit-normal times, but for the share of examples where both are one."""
    first_keys, equal_keys = split_each(keys, 2)
    normal = jax.vmap(lambda key: jax.random.normal(key, (2,)))(first_keys)
    both = jax.nn.sigmoid(settings.time_mean + settings.time_deviation * normal)
    r, t = both.min(1), both.max(1)
    equal = jax.vmap(lambda key: jax.random.uniform(key))(equal_keys) >= settings.mean_share
    return jnp.where(equal, t, r), t


def make_mean_flow_loss(settings: Any, model: MeanVelocityNetwork, name: str) -> Callable:
    """`loss(params, extra, batch, keys)` per example; metric `error`, the same before it is divided.

    name: of the batch's examples.
    """

    def loss(params, extra, batch, keys):
        time_keys, noise_keys = split_each(keys, 2)
        x = as_rows(batch, name)
        r, t = draw_times(settings, time_keys)
        noise = jax.vmap(lambda key: jax.random.normal(key, x.shape[1:]))(noise_keys)
        z = (1 - t)[:, None] * x + t[:, None] * noise
        label = batch["label"] if settings.classes else None

        def mean_velocity(z, r, t):
            return model.apply({"params": params}, z, told(r, t), label)

        value, target = diffusion_flow.mean_flow_target(mean_velocity, z, noise - x, r, t)
        values = diffusion_flow.mean_flow_loss(value, target, settings.power)
        error = diffusion_flow.mean_flow_loss(value, target, 0.0)
        return values.mean(), Aux({"loss": Mean.of(values), "error": Mean.of(error)}, extra)

    return loss
