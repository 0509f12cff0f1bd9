"""Optimisation: the orthogonalised update of Muon.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks",
https://kellerjordan.github.io/posts/muon/
    (1) X' = a X + b (X Xᵀ) X + c (X Xᵀ)² X                    Newton-Schulz, with these a, b, c
    (2) X_0 = G / ‖G‖_F,  O = X_5                              five times (1)
Liu et al. 2025, "Muon is scalable for LLM training", https://arxiv.org/abs/2502.16982
    (3) update = 0.2 sqrt(max(m, n)) O                         eq. (4), section 2.2

If G = U diag(s) Vᵀ, then (1) leaves U and V as they are and maps each s by the odd polynomial
p(s) = a s + b s³ + c s⁵. The nearest orthogonal matrix, U Vᵀ, is the steepest descent in the spectral
norm (Bernstein & Newhouse 2024, "Old optimizer, new norm", https://arxiv.org/abs/2409.20325). The
coefficients give up convergence to 1 for speed: p'(0) = 3.4, so that after five steps every s of at
least 0.0016 ‖G‖_F lies within [0.681, 1.203], and none above it. Of the n of a square
matrix of random numbers a share of 0.001 sqrt(n) is smaller: it comes nearer to 1, but not all the way.

Shape letters: m inputs, n outputs of a matrix.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.precision import widen

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# A gradient of exact zeros stays zero. Where squares underflow, ‖G‖_F is below 1e-19 sqrt(m n), which
# is less than this: what is too small to measure becomes smaller than it should, never larger.
LEAST_NORM = 1e-12


def newton_schulz_step(x: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Eq. (1): `a X + (b A + c A²) X` with `A = X Xᵀ`: 4·m²·n + 2·m³ FLOPs, so let m be the lesser."""
    a, b, c = COEFFICIENTS
    gram = x @ x.T
    return a * x + (b * gram + c * (gram @ gram)) @ x


def orthogonalize(gradient: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Eq. (2): the gradient with all its singular values near 1, in float32.

    Its scale does not matter: `orthogonalize(t G) = orthogonalize(G)` for every t > 0. On an
    accelerator the products take the precision that `jax_default_matmul_precision` gives; the source
    computes them in bfloat16.
    """
    x = widen(gradient)
    x = x / jnp.maximum(jnp.sqrt(jnp.sum(x * x)), LEAST_NORM)
    # p is odd, so p(Xᵀ) = p(X)ᵀ: the Gram matrix is that of the shorter side.
    wide = x if x.shape[0] <= x.shape[1] else x.T
    # A loop rather than five copies: as quick, a quarter of the memory, half the time to compile.
    wide, _ = jax.lax.scan(lambda x, _: (newton_schulz_step(x), None), wide, length=ITERATIONS)
    return wide if x.shape[0] <= x.shape[1] else wide.T


def with_rms_of_adam(orthogonal: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Eq. (3): `0.2 sqrt(max(m, n)) O`, whose root mean square is 0.2, about that of Adam's update.

    An orthogonal O has min(m, n) singular values of 1, hence a root mean square of
    1/sqrt(max(m, n)). So one learning rate and one weight decay serve matrices and all else.
    """
    return 0.2 * max(orthogonal.shape) ** 0.5 * orthogonal
