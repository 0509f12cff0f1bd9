"""The language objective is the catalogue's cross-entropy of the model's logits, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import language
from jaxgen.families.language.objective import make_language_loss
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.models.gpt.model import GPT
from jaxgen.training.metrics import to_floats

B, T, V = 2, 5, 11
RNG = np.random.default_rng(0)
BATCH = {name: jnp.asarray(RNG.integers(0, V, (B, T)), jnp.int32) for name in ("tokens", "targets")}
EXTRA = {"left": jnp.arange(3.0)}  # that the loss does not read


def test_value_gradient_and_metrics(random_params):
    """The same as composed by hand, with the examples' keys for dropout; and brute-force -log p."""
    config = modern_gpt(
        num_layers=1, num_heads=3, model_size=12, hidden_size=13, max_seq_len=7, dropout=0.3
    )
    model = GPT(config, V)
    params = random_params(model, BATCH["tokens"])

    def logits_of(params, keys):
        return model.apply({"params": params}, BATCH["tokens"], keys)

    def by_hand(params, keys):
        return language.cross_entropy(logits_of(params, keys), BATCH["targets"]).mean()

    @jax.jit
    def both(params, keys):
        loss = jax.value_and_grad(make_language_loss(model), has_aux=True)
        found = loss(params, EXTRA, BATCH, keys)
        return found, jax.value_and_grad(by_hand)(params, keys), logits_of(params, keys)

    keys = jax.random.split(jax.random.key(3), (2, B))
    ((loss, aux), grads), (hand_loss, hand_grads), logits = both(params, keys[0])
    metrics = aux.metrics
    assert loss == hand_loss
    jax.tree.map(np.testing.assert_array_equal, grads, hand_grads)

    nats = []
    for b in range(B):
        for t in range(T):
            p = np.exp(np.asarray(logits[b, t], np.float64))
            nats.append(-np.log(p[BATCH["targets"][b, t]] / p.sum()))
    np.testing.assert_allclose(loss, np.mean(nats), rtol=1e-6)
    np.testing.assert_allclose(metrics["loss"].total, np.sum(nats), rtol=1e-6)
    assert metrics["loss"].count == B * T
    np.testing.assert_array_equal(aux.extra["left"], EXTRA["left"])
    assert to_floats(metrics) == {"loss": pytest.approx(np.mean(nats), rel=1e-6)}
    (other_loss, _), _ = both(params, keys[1])[0]
    assert abs(other_loss - loss) > 1e-3  # other keys drop other units
