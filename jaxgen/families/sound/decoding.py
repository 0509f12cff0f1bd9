"""Sound sample by sample, in one loop on the device, at a cost that is linear in the model's layers.

    queues, outputs = model at time t − 1      each convolution's inputs are kept, none is computed twice
    x_t ~ p(· | outputs), or, where t is within the prime, x_t as it is given

What a layer still needs of the past is a ring of (K − 1) d inputs, for any filter width K; a naive loop
computes R samples in every layer for each new one. Paine et al. 2016, "Fast WaveNet generation
algorithm", https://arxiv.org/abs/1611.09482.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from jaxgen.families.sound.module import SoundModel
from jaxgen.families.sound.output import Output


class Drawn(NamedTuple):
    """Sound and what was known of it while it was drawn, the prime included.

    Attributes:
      signal: of each time, as the model reads it. log_probs: of each drawn sample at the temperature
        that it was drawn at, in nats; of a given one too.
    """

    signal: Float[Array, "B T"]
    log_probs: Float[Array, "B T"]


@partial(jax.jit, static_argnums=(0, 1, 4), static_argnames=("temperature", "hop"))
def draw_sound(
    model: SoundModel,
    output: Output,
    params: Any,
    keys: Any,
    length: int,
    prime: Float[Array, "B P"],
    features: Float[Array, "B frames C"] | None = None,
    label: Int[Array, " B"] | None = None,
    *,
    temperature: float = 1.0,
    hop: int = 1,
) -> Drawn:
    """Sound of `length` samples that begins with the prime, of no sample for none.

    Args:
      keys: (B,) of each row. prime: signal. features, label: as the model takes them; a frame has `hop`
        samples, and frames cover the length. temperature: of the draws.
    """
    variables = {"params": params}
    B, given = prime.shape
    frames = model.apply(variables, features, label, method="conditions")
    # One row and one frame where nothing is told.
    frames = [jnp.broadcast_to(each, (B, *each.shape[1:])) for each in frames]
    padded = jnp.pad(prime, ((0, 0), (0, max(length - given, 0))))

    def step(carry, t):
        queues, before = carry
        told = [each[:, jnp.minimum(t // hop, each.shape[1] - 1)] for each in frames]
        queues, outputs = model.apply(variables, queues, t, before, told, method="step")
        step_keys = jax.vmap(lambda key: jax.random.fold_in(key, t))(keys)
        drawn = jax.vmap(lambda k, o: output.draw(k, o, temperature))(step_keys, outputs)
        after = jnp.where(t < given, padded[:, t], drawn)
        return (queues, after), (after, output.log_probs(outputs, after, temperature))

    silence = output.signal(jnp.zeros(B))
    queues = model.apply(variables, B, method="empty_queues")
    _, (signal, log_probs) = lax.scan(step, (queues, silence), jnp.arange(length))
    return Drawn(signal.T, log_probs.T)
