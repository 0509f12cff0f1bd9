"""What keeps the two players of a GAN near each other: penalties on slopes, norms, noise, packs.

Gulrajani et al. 2017, "Improved training of Wasserstein GANs", https://arxiv.org/abs/1704.00028
    (1) x̂ = ε x + (1 − ε) G(z),  ε ~ U(0, 1)              algorithm 1
    (2) (‖∇D(x̂)‖ − 1)²                                    eq. (3), times λ
Mescheder et al. 2018, "Which training methods for GANs do actually converge?",
https://arxiv.org/abs/1801.04406
    (3) R1 = ½ ‖∇D(x)‖², at real data                       eq. (9), times γ
Miyato et al. 2018, "Spectral normalization for generative adversarial networks",
https://arxiv.org/abs/1802.05957
    (4) u ← W v / ‖W v‖,  v ← Wᵀ u / ‖Wᵀ u‖                 algorithm 1
    (5) W / σ(W),  σ(W) ≈ uᵀ W v                            eqs. (7), (8) and algorithm 1
Sønderby et al. 2017, "Amortised MAP inference for image super-resolution",
https://arxiv.org/abs/1610.04490
    (6) x + s ε,  ε ~ N(0, 1), for real and generated data alike, s falling    "instance noise"
Roth et al. 2017, "Stabilizing training of generative adversarial networks through regularization",
https://arxiv.org/abs/1705.09367
    (7) ½ s² ‖∇D‖²: what noise of deviation s does to D, to second order, without drawing it
Lin et al. 2018, "PacGAN", https://arxiv.org/abs/1712.04086
    (8) D(x_1, ..., x_m): m examples of one origin are judged together         section 3

Shape letters: *B the batch axes, X the numbers of an example, I and O inputs and outputs of a layer,
P the examples of a pack.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.precision import widen

PerExample = Float[Array, "*B"]
Slopes = Float[Array, "*B X"]

TINY = 1e-12  # beneath a root whose slope at 0 has no bound


def between(
    real: Float[Array, "*B X"], fake: Float[Array, "*B X"], share: PerExample
) -> Float[Array, "*B X"]:
    """Eq. (1): `share · real + (1 − share) · fake`, a point on the line from one to the other."""
    return share[..., None] * real + (1.0 - share[..., None]) * fake


def gradient_penalty(slopes: Slopes) -> PerExample:
    """Eq. (2): `(‖∇D‖ − 1)²`: the best critic has slope 1 along the lines on which mass is moved."""
    norm = jnp.sqrt(jnp.sum(jnp.square(widen(slopes)), axis=-1) + TINY)
    return jnp.square(norm - 1.0)


def zero_centred_penalty(slopes: Slopes) -> PerExample:
    """Eq. (3), and (7) with a weight of s²: `½ ‖∇D‖²`; 0 at the equilibrium, where D is constant."""
    return 0.5 * jnp.sum(jnp.square(widen(slopes)), axis=-1)


def power_iteration(
    kernel: Float[Array, "I O"], right: Float[Array, " O"]
) -> tuple[Float[Array, " I"], Float[Array, " O"]]:
    """Eq. (4): one step towards the singular vectors (left, right) of the largest singular value."""
    left = _unit(kernel @ right)
    return left, _unit(left @ kernel)


def spectrally_normalised(
    kernel: Float[Array, "I O"], left: Float[Array, " I"], right: Float[Array, " O"]
) -> Float[Array, "I O"]:
    """Eq. (5): `W / (leftᵀ W right)`, whose layer stretches nothing once the vectors have converged.

    The vectors are constants: the divisor's gradient by the kernel is then left rightᵀ, that of the
    singular value itself.
    """
    return kernel / (left @ (kernel @ right))


def _unit(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    return vector / jnp.sqrt(jnp.sum(jnp.square(vector)) + TINY)


def noise_deviation(done: Float[Array, ""], start: float, end: float) -> Float[Array, ""]:
    """Eq. (6): s falls from `start` to `end` by equal factors while `done` goes from 0 to 1; then 0.

    Equal factors, since modes of every width are to be told apart on the way.
    """
    return jnp.where(done < 1.0, start * (end / start) ** jnp.minimum(done, 1.0), 0.0)


def packed(examples: Float[Array, "B *shape X"], count: int) -> Float[Array, "packs *shape P"]:
    """Eq. (8): `count` neighbours become one example, side by side along the last axis.

    Raises:
      ValueError: count does not divide B.
    """
    if examples.shape[0] % count:
        raise ValueError(f"{examples.shape[0]} examples are not for packs of {count}")
    packs = examples.reshape(-1, count, *examples.shape[1:])
    return jnp.concatenate([packs[:, i] for i in range(count)], axis=-1)
