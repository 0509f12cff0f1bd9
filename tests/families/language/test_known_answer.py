"""Text whose entropy is known: models come near the forward algorithm's floor, and never below."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import Batches, load
from jaxgen.data.text.synthetic import chain_of
from jaxgen.equations.language import cross_entropy
from jaxgen.equations.markov import forward_log_probs
from jaxgen.experiments.registry import find_preset
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.models.gru.config import GRUConfig

T, V = 32, 8


def windows(tokens, count):
    return tokens[: count * T + 1][np.arange(count)[:, None] * T + np.arange(T + 1)]


def floor_nats(chain, rows):
    """-log p of each token of each window but the first, given those before it in its window."""
    logs = [jnp.asarray(np.log(part), jnp.float32) for part in chain]
    each = jax.jit(jax.vmap(lambda row: forward_log_probs(logs[0], logs[1], logs[2][:, row].T)))
    return -np.asarray(each(jnp.asarray(rows)))[:, 1:]


def test_the_source_has_the_entropy_that_the_forward_algorithm_says():
    """The chain's own symbols cost what symbols drawn anew cost, and less than each alone would."""
    data = load("hidden-markov:8", kind="text", seq_len=T)
    chain = chain_of(V)
    assert np.allclose(chain.initial @ chain.transition, chain.initial)
    rows = windows(data.test.arrays["tokens"], 150)
    found = floor_nats(chain, rows).mean(1)
    rng, drawn = np.random.default_rng(7), np.zeros_like(rows)
    for row in drawn:
        state = rng.choice(5, p=chain.initial)
        for t in range(T + 1):
            row[t] = rng.choice(V, p=chain.emission[state])
            state = rng.choice(5, p=chain.transition[state])
    other = floor_nats(chain, drawn).mean(1)
    error = np.sqrt((found.var() + other.var()) / 150)
    assert abs(found.mean() - other.mean()) < 4 * error
    share = chain.initial @ chain.emission
    assert found.mean() < -np.sum(share * np.log(share)) - 0.1


MODELS = {
    "gpt": modern_gpt(num_layers=2, model_size=64, hidden_size=256, max_seq_len=T),
    "gru": GRUConfig(16, 64),
}


@pytest.mark.once
@pytest.mark.parametrize("name", MODELS)
def test_models_come_near_the_floor_and_never_below(name):
    """800 steps: within 0.02 nats of the floor, and not 3 standard errors of the difference below it."""
    preset = find_preset("gpt-shakespeare").experiment
    experiment = replace(
        preset, data="hidden-markov:8", model=MODELS[name], seq_len=T, batch_size=32,
        optimizer=replace(preset.optimizer, decay_steps=800),
    )  # fmt: skip
    data = experiment.load()
    task = experiment.build(data.spec)
    state, step = jax.jit(task.init)(jax.random.key(0)), jax.jit(task.step, donate_argnums=0)
    for _, batch in zip(range(800), Batches(data.train, experiment.order(data)), strict=False):
        state, _ = step(state, jax.tree.map(jnp.asarray, batch))
    rows = windows(data.test.arrays["tokens"], 200)
    logits = task.apply(state.weights, jnp.asarray(rows[:, :-1]))
    floor = floor_nats(chain_of(V), rows)
    excess = (np.asarray(cross_entropy(logits, jnp.asarray(rows[:, 1:]))) - floor).mean(1)
    error = excess.std() / np.sqrt(len(excess))
    print(f"{name}: floor {floor.mean():.4f}, above it {excess.mean():.4f} ± {error:.4f}")
    assert -3 * error < excess.mean() < 0.02
