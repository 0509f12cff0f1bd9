"""A state that is carried from window to window: the text in stretches, one after the other."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import InOrder, Tokens
from jaxgen.experiments.registry import find_preset
from jaxgen.families.language.evaluation import make_language_evaluation
from jaxgen.families.language.objective import empty_extra, make_stateful_loss
from jaxgen.models.gru.config import GRUConfig
from jaxgen.training.state import Weights

T, V, B = 4, 11, 3
MODEL = GRUConfig(5, 7).make(V)
IDS = np.random.default_rng(0).integers(0, V, 41, dtype=np.int32)


@pytest.fixture(scope="module")
def params(random_params):
    return random_params(MODEL, jnp.zeros((1, T), jnp.int32))


APPLY = jax.jit(MODEL.apply)


def nats_of(params, tokens):
    """-log p of each token but the first, all read at once; padded behind, for one program."""
    padded = jnp.zeros((1, 20), jnp.int32).at[0, : len(tokens) - 1].set(tokens[:-1])
    logits = np.asarray(APPLY({"params": params}, padded)[0, : len(tokens) - 1], np.float64)
    p = np.exp(logits)
    return -np.log(p[np.arange(len(logits)), tokens[1:]] / p.sum(-1))


def test_a_window_goes_on_where_the_one_before_ended(params):
    """Three stretches of 12 starts, three steps each; then the text begins again, from nothing."""
    data, order = Tokens({"tokens": IDS}, T, 41, tells_start=True), InOrder(37, B, stride=T)
    loss, extra = jax.jit(make_stateful_loss(MODEL)), empty_extra(MODEL, B)
    found = []
    for step in range(4):
        batch = jax.tree.map(jnp.asarray, data.take(data.arrays, order.indices(step)))
        value, aux = loss(params, extra, batch, jax.random.split(jax.random.key(0), B))
        found.append(float(value))
        extra = aux.extra
    stretches = [nats_of(params, IDS[b * 12 : b * 12 + 13]) for b in range(B)]
    expected = [np.mean([nats[s * T : (s + 1) * T] for nats in stretches]) for s in range(3)]
    np.testing.assert_allclose(found, [*expected, expected[0]], rtol=1e-5)
    alone = [nats_of(params, IDS[b * 12 + T : b * 12 + 2 * T + 1]) for b in range(B)]
    assert abs(np.mean(alone) - found[1]) > 1e-3  # without the state it is another number


def test_the_evaluation_reads_each_stretch_through(params):
    """40 targets in two stretches of 20, the second from nothing again."""
    evaluate = make_language_evaluation(MODEL, batch_size=2, stateful=True)
    found = evaluate(Weights(params), Tokens({"tokens": IDS}, T, 41))
    nats = np.concatenate([nats_of(params, IDS[:21]), nats_of(params, IDS[20:])])
    assert found["loss"] == pytest.approx(nats.mean(), rel=1e-5)
    assert found["perplexity"] == pytest.approx(np.exp(nats.mean()), rel=1e-4)


def test_the_preset_s_order_and_its_first_steps(real_data):
    """The loss of an untrained head is log V exactly, and the batch says where it starts."""
    small = replace(
        find_preset("gru-shakespeare").experiment,
        batch_size=2, seq_len=8, model=GRUConfig(5, 7), data="shakespeare",
    )  # fmt: skip
    data = small.load()
    order = small.order(data)
    batch = data.train.take(data.train.arrays, order.indices(1))
    assert batch["start"].tolist() == [8, 8 + data.train.num_examples // 2]
    task = small.build(data.spec)
    state = jax.jit(task.init)(jax.random.key(0))
    batch = jax.tree.map(jnp.asarray, batch)
    value, _ = task.loss(state.params, state.extra, batch, jax.random.split(jax.random.key(1), 2))
    assert float(value) == pytest.approx(np.log(65), rel=1e-6)
