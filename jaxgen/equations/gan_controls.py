"""What is asked of a GAN beside a sample: a class, the way between two samples, likelier ones.

Miyato & Koyama 2018, "cGANs with projection discriminator", section 3,
https://arxiv.org/abs/1802.05637
    (1) log p(x, y) / q(x, y) = [log p(y|x) − log q(y|x)] + [log p(x) − log q(x)]   the best logit
    (2) logit = v_yᵀ φ(x) + ψ(φ(x))        of that form where p(y|x) and q(y|x) are softmaxes of φ(x)
White 2016, "Sampling generative networks", section 2.1, https://arxiv.org/abs/1609.04468
    (3) slerp(a, b; t) = [sin((1 − t) ω) a + sin(t ω) b] / sin ω,   ω the angle between a and b, which
        are of one length; here unit vectors, and the lengths of two draws are mixed beside them
Brock et al. 2019, "Large scale GAN training for high fidelity natural image synthesis", section 3.1,
https://arxiv.org/abs/1809.11096
    (4) z ~ N(0, 1), drawn again while |z| > τ: the truncation trick, here by its quantiles

In (1) p is the data's density and q the generator's; the paper has the letters the other way round.

Shape letters: *B the batch axes, D features of an example, Z numbers of a noise vector.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.precision import widen

TINY = 1e-6  # of an angle, in radians, beneath which the way is a straight line


def projection_logit(
    features: Float[Array, "*B D"], class_vector: Float[Array, "*B D"], marginal: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    """Eq. (2): `v_yᵀ φ(x) + ψ(φ(x))`; features φ(x), class_vector v_y, marginal ψ(φ(x)).

    By Eq. (1) v_y is the difference of both softmaxes' rows, and ψ what of the logit no class changes.
    """
    return jnp.sum(widen(features) * widen(class_vector), axis=-1) + marginal


def spherical_interpolation(
    start: Float[Array, "*B Z"], end: Float[Array, "*B Z"], share: Float[Array, "*B"]
) -> Float[Array, "*B Z"]:
    """Eq. (3): on an arc from start (share 0) to end (share 1), its radius mixed as the shares are.

    Between two normal vectors the straight line is shorter than any that was seen in training: its
    middle has √½ of their length, the arc's has all of it.
    """
    length_of_start, length_of_end = (jnp.linalg.norm(each, axis=-1) for each in (start, end))
    start, end = start / length_of_start[..., None], end / length_of_end[..., None]
    angle = jnp.arccos(jnp.clip(jnp.sum(start * end, axis=-1), -1.0, 1.0))
    straight = angle < TINY
    sine = jnp.where(straight, 1.0, jnp.sin(angle))
    of_start = jnp.where(straight, 1.0 - share, jnp.sin((1.0 - share) * angle) / sine)
    of_end = jnp.where(straight, share, jnp.sin(share * angle) / sine)
    length = (1.0 - share) * length_of_start + share * length_of_end
    return length[..., None] * (of_start[..., None] * start + of_end[..., None] * end)


def truncated_normal(
    uniform: Float[Array, "*B Z"], threshold: Float[Array, "*B"]
) -> Float[Array, "*B Z"]:
    """Eq. (4) from numbers u, uniform on (−1, 1): `√2 erf⁻¹(u erf(τ/√2))`, each within ±τ.

    The same u under a lower τ is the same noise, nearer to 0: what a GAN has seen most of.
    """
    edge = jax.lax.erf(threshold / math.sqrt(2.0))
    return math.sqrt(2.0) * jax.lax.erf_inv(uniform * edge[..., None])
