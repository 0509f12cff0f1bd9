"""Low-rank adaptation: a trained model is kept as it is, and a small correction to its matrices learnt.

    (1) W' = W + (α / r) A B,        A (inputs, r), B (r, outputs), B = 0 at first

Hu et al. 2021, section 4.1, https://arxiv.org/abs/2106.09685 (their B A is our A B, for here inputs come
first). The sum is made before the product with the activations, so a merged model is the same model.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.families.language.config import LoRAConfig
from jaxgen.training.muon import matrix_shape


def init_adapters(key: Any, base: Any, config: LoRAConfig) -> dict:
    """A and B of each named matrix, in the places that the matrices have in `base`.

    Raises UserError where no matrix has one of the names.
    """
    found: dict = {}
    missing = set(config.on)
    for number, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(base)):
        names = [entry.key for entry in path]
        if names[-1] != "kernel" or not set(names) & set(config.on):
            continue
        missing -= set(names)
        inputs, outputs = matrix_shape(path, leaf.shape)
        place = found
        for name in names[:-1]:
            place = place.setdefault(name, {})
        A = jax.random.normal(jax.random.fold_in(key, number), (inputs, config.rank))
        place |= {"A": A * inputs**-0.5, "B": jnp.zeros((config.rank, outputs))}
    if missing:
        raise UserError(
            f"--lora.on {sorted(missing)[0]} names no matrix of the model: leave it out."
        )
    return found


def merged(base: Any, adapters: dict, config: LoRAConfig) -> Any:
    """Eq. (1): the parameters of the adapted model."""
    if set(adapters) == {"A", "B"}:
        kernel, scale = base["kernel"], config.alpha / config.rank
        change = scale * (adapters["A"] @ adapters["B"])
        return base | {"kernel": kernel + change.reshape(kernel.shape)}
    changed = {name: merged(base[name], part, config) for name, part in adapters.items()}
    return base | changed
