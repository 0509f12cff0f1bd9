"""The masks of dropout: one for each layer and example, from the example's key and nothing else.

Sizes differ, so that a swapped axis fails: B 4, T 7, D 12, F 13, V 11; an image is 2x3x7.
"""

import itertools
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.families.language.objective import make_language_loss
from jaxgen.layers.dropout import Dropout
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.models.gpt.model import GPT
from jaxgen.models.mlp_gan.config import MLPGANConfig

P, B, T, V = 0.3, 4, 7, 11
KEYS = jax.random.split(jax.random.key(0), B)
RNG = np.random.default_rng(1)
TOKENS = jnp.asarray(RNG.integers(0, V, (B, T)), jnp.int32)
IMAGES = jnp.asarray(RNG.random((B, 2, 3, 7)), jnp.float32)
SIZES = {"num_layers": 2, "num_heads": 3, "model_size": 12, "hidden_size": 13, "max_seq_len": 17}
CONFIG = GPTConfig(**SIZES, dropout=P)
MODELS = {
    # name: (model, inputs, layers that drop)
    "gpt": (GPT(CONFIG, V), TOKENS, 7),  # the embedding; weights and two parts of two blocks
    "gpt, recomputed": (GPT(replace(CONFIG, remat=True), V), TOKENS, 7),
    "modern gpt": (GPT(modern_gpt(**SIZES, dropout=P), V), TOKENS, 5),  # no weights
    "discriminator": (MLPGANConfig(4, (11,), (83, 97), P).make((2, 3, 7))[1], IMAGES, 2),
}


def test_a_number_is_dropped_or_divided_by_what_is_left():
    """Without keys, or at rate 0, none is."""
    x = jnp.asarray(1 + RNG.random((B, T, 12)), jnp.float32)
    kept = np.asarray(Dropout(P).apply({}, x, KEYS))
    gone = kept == 0
    # the division by 0.7 may round to either side of a product with 1 / 0.7
    np.testing.assert_allclose(kept[~gone], np.asarray(x, np.float64)[~gone] / 0.7, rtol=1e-6)
    assert abs(gone.mean() - P) < 5 * math.sqrt(P * (1 - P) / gone.size)
    for same in (Dropout(P).apply({}, x), Dropout(0.0).apply({}, x, KEYS)):
        np.testing.assert_array_equal(same, x)


def dropped(model, params, inputs, keys):
    """layer path -> where it dropped, (B, ...) of booleans."""
    _, state = model.apply(
        {"params": params}, inputs, keys,
        capture_intermediates=lambda module, _: isinstance(module, Dropout),
        mutable=["intermediates"],
    )  # fmt: skip
    leaves = jax.tree_util.tree_leaves_with_path(state["intermediates"])
    # Of attention weights (B, N, T, S) those that the causal rule lets be: the others are 0 anyway.
    rows, columns = np.tril_indices(T)
    seen = lambda leaf: leaf[..., rows, columns] if leaf.ndim == 4 else leaf  # noqa: E731
    return {jax.tree_util.keystr(path): seen(leaf) == 0 for path, leaf in leaves}


@pytest.fixture(scope="module", params=MODELS)
def case(request, random_params):
    """(masks as a function of examples' places and keys, number of layers)."""
    model, inputs, layers = MODELS[request.param]
    params = random_params(model, inputs, scale=0.01)
    # A unit that relu made 0 would look dropped: small weights and biases of about 1 make none.
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf + 1 if "MLP" in str(path) and leaf.ndim == 1 else leaf, params
    )
    apply = jax.jit(lambda inputs, keys: dropped(model, params, inputs, keys))
    return lambda places, keys: jax.device_get(apply(inputs[places], keys)), layers


def test_every_layer_and_every_example_draws_a_mask_of_its_own(case):
    """Independent masks of n numbers agree in n (p² + (1 - p)²), give or take 5 sigma."""
    masks, layers = case
    found = masks(np.arange(B), KEYS)
    assert len(found) == layers
    agreement = P**2 + (1 - P) ** 2

    def assert_independent(one, other):
        n = min(one.size, other.size)
        same = np.mean(one.ravel()[:n] == other.ravel()[:n])
        assert abs(same - agreement) < 5 * math.sqrt(agreement * (1 - agreement) / n)

    for mask in found.values():
        assert abs(mask.mean() - P) < 5 * math.sqrt(P * (1 - P) / mask.size)
        for one, other in itertools.combinations(mask, 2):
            assert_independent(one, other)
    for one, other in itertools.combinations(found.values(), 2):
        for example in range(B):
            assert_independent(one[example], other[example])


def test_a_mask_depends_on_its_example_s_key_only(case):
    """Not on the batch it is in: cut in two, in another order, among others."""
    masks, _ = case
    whole = masks(np.arange(B), KEYS)
    halves = [masks(np.arange(B)[part], KEYS[part]) for part in (slice(0, 2), slice(2, 4))]
    order = np.asarray([3, 0, 1, 2])
    moved = masks(order, KEYS[order])
    others = masks(order, KEYS)  # other inputs, the same keys
    for layer, mask in whole.items():
        np.testing.assert_array_equal(np.concatenate([half[layer] for half in halves]), mask)
        np.testing.assert_array_equal(moved[layer], mask[order])
        np.testing.assert_array_equal(others[layer], mask)


def test_recomputing_the_blocks_changes_no_loss_and_no_gradient(random_params):
    """The second forward pass draws the masks of the first."""
    batch = {"tokens": TOKENS, "targets": jnp.roll(TOKENS, -1, axis=1)}
    params = random_params(GPT(CONFIG, V), TOKENS)

    def value_and_gradients(remat):
        loss = make_language_loss(GPT(replace(CONFIG, remat=remat), V))
        return jax.jit(jax.value_and_grad(loss, has_aux=True))(params, None, batch, KEYS)

    (expected, _), gradients = value_and_gradients(False)
    (found, _), others = value_and_gradients(True)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # two programs, so sums of some hundred float32 terms may be in another order
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), others, gradients
    )
