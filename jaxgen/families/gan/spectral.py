"""A discriminator whose kernels are divided by their spectral norms, whatever its layers are.

Eqs. (4) and (5) of `equations/gan_penalties.py`, on every kernel as a matrix of its inputs by its
outputs: of a convolution the pixels under it and their channels count as inputs, of an embedding the
classes, as in the code of Miyato & Koyama 2018, https://github.com/pfnet-research/sngan_projection.

In the catalogue: `gan.spectral-norm`.
"""

from typing import Any

import jax
from jaxtyping import Array, Float

from jaxgen.equations import gan_penalties

KERNELS = ("kernel", "embedding")


def init_vectors(params: Any, key: Any) -> dict[str, dict[str, Array]]:
    """By a kernel's path: `left` and `right`, one iteration from a random start."""
    vectors = {}
    for place, (path, kernel) in enumerate(_kernels(params).items()):
        right = jax.random.normal(jax.random.fold_in(key, place), kernel.shape[-1:])
        vectors[path] = _next(kernel, right)
    return vectors


def with_next_vectors(params: Any, vectors: Any) -> Any:
    """One iteration on; nothing has a gradient through it."""
    kernels = jax.lax.stop_gradient(_kernels(params))
    return {path: _next(kernel, vectors[path]["right"]) for path, kernel in kernels.items()}


def normalised(params: Any, vectors: Any) -> Any:
    """The parameters with every kernel divided by its norm; the vectors are constants."""

    def divide(path, leaf):
        name = jax.tree_util.keystr(path)
        if name not in vectors:
            return leaf
        own = jax.lax.stop_gradient(vectors[name])
        matrix = gan_penalties.spectrally_normalised(_matrix(leaf), own["left"], own["right"])
        return matrix.reshape(leaf.shape)

    return jax.tree_util.tree_map_with_path(divide, params)


def _kernels(params: Any) -> dict[str, Float[Array, "..."]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves if path[-1].key in KERNELS}


def _matrix(kernel: Float[Array, "*I O"]) -> Float[Array, "inputs O"]:
    return kernel.reshape(-1, kernel.shape[-1])


def _next(kernel: Float[Array, "*I O"], right: Float[Array, " O"]) -> dict[str, Array]:
    left, right = gan_penalties.power_iteration(_matrix(kernel), right)
    return {"left": left, "right": right}
