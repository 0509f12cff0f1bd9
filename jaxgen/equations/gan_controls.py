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

TINY = 1e-12  # of a length, by which a vector of none is divided


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
    lengths = [jnp.linalg.norm(each, axis=-1) for each in (start, end)]
    start, end = (
        each / jnp.maximum(length, TINY)[..., None]
        for each, length in zip((start, end), lengths, strict=True)
    )
    # The same arc by a right angle: start turned towards what of end is square to it. The formula's
    # sines cancel where the two nearly oppose each other.
    along = jnp.sum(start * end, axis=-1)
    beside = end - along[..., None] * start
    distance = jnp.linalg.norm(beside, axis=-1)
    turned = share * jnp.arctan2(distance, along)
    square = beside / jnp.maximum(distance, TINY)[..., None]
    length = (1.0 - share) * lengths[0] + share * lengths[1]
    cosine, sine = (length * each for each in (jnp.cos(turned), jnp.sin(turned)))
    return cosine[..., None] * start + sine[..., None] * square


def truncated_normal(
    uniform: Float[Array, "*B Z"], threshold: Float[Array, "*B"]
) -> Float[Array, "*B Z"]:
    """Eq. (4) from numbers u, uniform on (−1, 1): `√2 erf⁻¹(u erf(τ/√2))`, each within ±τ.

    The same u under a lower τ is the same noise, nearer to 0: what a GAN has seen most of.
    """
    edge = jax.lax.erf(threshold / math.sqrt(2.0))
    found = math.sqrt(2.0) * jax.lax.erf_inv(uniform * edge[..., None])
    return jnp.clip(found, -threshold[..., None], threshold[..., None])
