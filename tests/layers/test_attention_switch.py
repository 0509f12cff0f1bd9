"""A GPT whose attention is computed in another form is the same GPT."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.families.language.objective import make_language_loss
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.models.gpt.model import GPT

SIZES = {"num_layers": 1, "num_heads": 2, "model_size": 12, "hidden_size": 7, "max_seq_len": 17}
V, B, T = 11, 3, 17


@pytest.mark.parametrize("form", ["blockwise", "fused"])
@pytest.mark.parametrize("flavour", [GPTConfig, modern_gpt])
def test_loss_and_gradients_do_not_depend_on_the_form(random_params, flavour, form):
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, V, (B, T + 1)), jnp.int32)
    batch = {"tokens": tokens[:, :-1], "targets": tokens[:, 1:]}
    config = flavour(**SIZES)
    params = random_params(GPT(config, V), batch["tokens"])

    keys = jax.random.split(jax.random.key(0), B)

    def value_and_gradients(config):
        loss = make_language_loss(GPT(config, V))
        return jax.jit(jax.value_and_grad(loss, has_aux=True))(params, None, batch, keys)

    (expected, _), gradients = value_and_gradients(config)
    (found, _), others = value_and_gradients(replace(config, attention=form))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    for one, other in zip(jax.tree.leaves(others), jax.tree.leaves(gradients), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6)
