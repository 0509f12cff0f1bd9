"""Keys by place, a batch in pieces, the moving average, and the guard against what is not finite."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.devices.choose import make_plan
from jaxgen.families.language.objective import make_language_loss
from jaxgen.families.vae.objective import make_vae_loss
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.gpt.model import GPT
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.batch import example_keys, split_each
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.gradient import Aux, gradient
from jaxgen.training.metrics import Mean
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import Weights, init_state
from jaxgen.training.step import PLAYERS, make_step, make_two_player_step

B = 6
KEY = jax.random.key(3)


def bits(tree):
    """The numbers of a tree, keys as their words."""

    def words(leaf):
        return (
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        )

    return [np.asarray(words(leaf)) for leaf in jax.tree.leaves(tree)]


def assert_same_bits(one, other):
    for a, b in zip(bits(one), bits(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_example_s_key_is_that_of_its_place_in_the_whole_batch():
    """Also where each of three mapped pieces knows its own examples only."""
    batch = {"x": jnp.zeros((B, 5)), "y": jnp.zeros(B)}
    places = [jax.random.fold_in(KEY, i) for i in range(B)]
    assert_same_bits(example_keys(KEY, batch), jnp.stack(places))
    pieces = jax.tree.map(lambda leaf: leaf.reshape(3, 2, *leaf.shape[1:]), batch)
    mapped = jax.vmap(lambda piece: example_keys(KEY, piece, "cut"), axis_name="cut")(pieces)
    assert_same_bits(mapped.reshape(B), jnp.stack(places))


def test_keys_are_split_example_by_example():
    keys = example_keys(KEY, {"x": jnp.zeros(B)})
    parts = split_each(keys, 3)
    for i, key in enumerate(keys):
        assert_same_bits(jnp.stack([part[i] for part in parts]), jax.random.split(key, 3))


def noisy_loss(params, extra, batch, keys):
    """Not linear in the noise, so that an example must get the very noise of its place."""
    noise = jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys)
    values = jnp.sum(jnp.tanh((batch["x"] + noise) @ params["kernel"]) ** 2, axis=1)
    return values.mean(), Aux({"loss": Mean.of(values), "noise": Mean.of(noise)})


def regression(random_params):
    rng = np.random.default_rng(0)
    params = {"kernel": jnp.asarray(rng.standard_normal((3, 2)), jnp.float32)}
    return noisy_loss, params, {"x": jnp.asarray(rng.standard_normal((B, 3)), jnp.float32)}


def autoencoder(random_params):
    """With drawn pixels and drawn latents."""
    model = MLPVAEConfig((7,), 4).make((2, 3, 1))
    batch = {"image": jax.random.uniform(jax.random.key(1), (B, 2, 3, 1))}
    return make_vae_loss(model, "draw"), random_params(model, batch["image"]), batch


@pytest.mark.parametrize(
    ("case", "pieces"), [(regression, 2), (regression, 3), (regression, B), (autoencoder, 3)]
)
def test_a_batch_in_pieces_has_the_gradient_and_the_metrics_of_the_whole(
    random_params, case, pieces
):
    loss, params, batch = case(random_params)
    keys = example_keys(KEY, batch)

    @jax.jit
    def both(params):
        whole = gradient(loss, params, None, batch, keys)
        return whole, gradient(loss, params, None, batch, keys, accumulate=pieces)

    (grads, (metrics, extra, _)), (its_grads, (its_metrics, its_extra, _)) = both(params)
    assert extra is None and its_extra is None
    assert its_metrics.keys() == metrics.keys()
    for name, mean in metrics.items():
        assert its_metrics[name].count == mean.count
        # the same float32 terms, added in another order
        np.testing.assert_allclose(its_metrics[name].total, mean.total, rtol=1e-5, atol=1e-6)
    for a, b in zip(jax.tree.leaves(its_grads), jax.tree.leaves(grads), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(grads)) > 1e-2


def test_steps_in_pieces_are_the_steps_of_the_whole(random_params):
    """Three of plain descent, whose norm is that of the mean gradient and not of a piece's."""
    loss, params, batch = regression(random_params)
    optimizer, found = optax.sgd(0.1), {}
    for pieces in (1, 2):
        step = jax.jit(make_step(loss, optimizer, accumulate=pieces))
        state, norms = init_state(Weights(params), optimizer.init(params), KEY), []
        for _ in range(3):
            state, metrics = step(state, batch)
            norms.append(metrics["gradient_norm"])
        found[pieces] = state.params, norms
    for a, b in zip(jax.tree.leaves(found[2]), jax.tree.leaves(found[1]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)  # sums in another order


@pytest.mark.parametrize("decay", [0.0, 0.75])
def test_the_moving_average_by_hand(decay):
    """Descent on the mean of w x, whose gradient is the mean of x; every number is a short binary."""

    def slope(params, extra, batch, keys):
        values = params["w"] * batch["x"]
        return values.mean(), Aux({"loss": Mean.of(values)})

    params, optimizer = {"w": jnp.float32(1.0)}, optax.sgd(0.5)
    step = jax.jit(make_step(slope, optimizer, ema_decay=decay))
    state = init_state(Weights(params), optimizer.init(params), KEY, ema=True)
    assert state.ema == params
    w = average = 1.0
    for x in ([1.0, 3.0], [-2.0, -6.0], [0.5, 1.5]):
        state, _ = step(state, {"x": jnp.asarray(x)})
        w -= 0.5 * sum(x) / 2
        average = decay * average + (1 - decay) * w
        assert (state.params["w"], state.ema["w"]) == (w, average)
        assert state.weights.params is state.ema
    assert decay == 0 or w != average
    without, _ = step(init_state(Weights(params), optimizer.init(params), KEY), {"x": jnp.ones(2)})
    assert without.ema is None and without.weights.params is without.params


GOOD = {"shift": 0.0, "scale": 1.0}
BAD = {
    "the loss is infinite": {"shift": np.inf, "scale": 1.0},
    "the loss is no number": {"shift": np.nan, "scale": 1.0},
    "the gradient is no number": {"shift": 0.0, "scale": 0.0},  # of the root of 0
}


def fragile_loss(params, extra, batch, keys):
    """A `shift` that is not finite leaves the gradient as it is, and a `scale` of 0 the loss."""
    noise = jax.vmap(jax.random.normal)(keys)
    roots = jnp.sqrt(batch["scale"] * jnp.sum(params["w"] ** 2))
    values = (params["w"][0] - noise) ** 2 + params["w"][1] + roots + batch["shift"]
    return values.mean(), Aux({"loss": Mean.of(values)})


OPTIMIZER = make_optimizer(OptimizerConfig(learning_rate=0.1))
FRAGILE = make_step(fragile_loss, OPTIMIZER, ema_decay=0.9)


def start(key):
    params = {"w": jnp.asarray([0.3, -0.7])}
    return init_state(Weights(params), OPTIMIZER.init(params), key, ema=True)


def batch_of(row):
    return {name: jnp.full(2, value) for name, value in row.items()}


@pytest.mark.usefixtures("allow_nans")
@pytest.mark.parametrize("what", BAD)
def test_a_step_that_is_not_finite_changes_nothing_but_the_counts(what):
    step, state = jax.jit(FRAGILE), start(KEY)
    for t, skipped in enumerate([0, 1, 2, 0, 1, 0]):
        before = state
        state, metrics = step(before, batch_of(BAD[what] if skipped else GOOD))
        assert (state.step, state.skipped) == (t + 1, skipped)
        assert_same_bits(state.key, before.key)
        assert np.isfinite(metrics["loss"].total) == (not skipped or "gradient" in what)
        assert np.isfinite(metrics["gradient_norm"].total) == (not skipped or "loss" in what)
        learned = [(s.params, s.opt_state, s.ema) for s in (state, before)]
        if skipped:
            assert_same_bits(*learned)
        else:
            pairs = zip(*map(jax.tree.leaves, learned), strict=True)
            assert all(np.all(now != then) for now, then in pairs)


@pytest.mark.usefixtures("allow_nans")
def test_one_player_s_failure_holds_back_both():
    def own_loss(name):
        def loss(own, other, extra, batch, keys):
            values = own["w"] * other["w"] * batch["x"] + batch[name]
            return values.mean(), Aux({f"{name}_loss": Mean.of(values)})

        return loss

    params = {"discriminator": {"w": jnp.float32(0.3)}, "generator": {"w": jnp.float32(-0.7)}}
    losses = {player: own_loss(player) for player in PLAYERS}
    optimizers = dict.fromkeys(PLAYERS, OPTIMIZER)
    step = jax.jit(make_two_player_step(losses, optimizers, ema_decay=0.9))
    opt_state = {player: OPTIMIZER.init(own) for player, own in params.items()}
    before = init_state(Weights(params), opt_state, KEY, ema=True)
    fine = {"x": jnp.ones(2), "discriminator": jnp.zeros(2), "generator": jnp.zeros(2)}
    for player in params:
        after, _ = step(before, fine | {player: jnp.full(2, np.nan)})
        assert (after.step, after.skipped) == (1, 1)
        assert_same_bits(after[1:4] + after[5:], before[1:4] + before[5:])  # all but the counts
    after, _ = step(before, fine)
    assert after.skipped == 0
    assert all(after.params[player]["w"] != params[player]["w"] for player in params)


@pytest.mark.usefixtures("allow_nans")
@pytest.mark.parametrize(("patience", "steps", "skipped"), [(0, 3, 1), (1, 4, 2), (2, 7, 0)])
def test_a_dispatch_ends_beyond_its_patience(patience, steps, skipped):
    """Steps 2, 3 and 5 are not finite; the program is one, however the seven are divided."""
    rows = [GOOD, GOOD, BAD["the loss is no number"]]
    plan = make_plan("jit", None, batch_size=2)
    arrays = plan.put_arrays(
        {name: np.asarray([row[name] for row in rows], np.float32) for name in GOOD}
    )
    indices = np.asarray([[0, 1], [1, 0], [0, 2], [2, 2], [1, 1], [2, 1], [0, 0]], np.int32)

    def take(arrays, indices):
        return {name: array[indices] for name, array in arrays.items()}

    expected, step = plan.init(start, 5), jax.jit(FRAGILE)
    for row in indices[:steps]:
        expected, metrics = step(expected, take(arrays, row))

    dispatch = plan.dispatch(FRAGILE, take, 7, plan.init(start, 5), patience)
    for counts in ((7,), (2, 5), (1, 1, 5)):
        state, done = plan.init(start, 5), 0
        for count in counts:
            ahead = np.roll(indices, -done, axis=0)
            state, report = dispatch(state, arrays, ahead, np.int32(count))
            done += count
        assert (state.step, state.skipped) == (report.step, report.skipped) == (steps, skipped)
        for a, b in zip(bits((state, report.metrics)), bits((expected, metrics)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # fused differently in a loop
    assert dispatch._cache_size() == 1


def test_bfloat16_is_of_the_products_only(random_params):
    """Parameters, gradients, moments, average and loss stay float32, in pieces too."""
    rng = np.random.default_rng(0)
    batch = {
        name: jnp.asarray(rng.integers(0, 11, (4, 7)), jnp.int32) for name in ("tokens", "targets")
    }
    sizes = {"num_layers": 1, "num_heads": 3, "model_size": 12, "hidden_size": 13, "max_seq_len": 7}
    keys = example_keys(KEY, batch)
    found = {}
    for dtype in ("float32", "bfloat16"):
        model = GPT(GPTConfig(**sizes, compute_dtype=dtype), 11)
        loss = make_language_loss(model)
        params = random_params(model, batch["tokens"])
        value = jax.jit(jax.value_and_grad(loss, has_aux=True))
        found[dtype] = value(params, None, batch, keys)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(jnp.float32)}
    for pieces in (1, 2):
        step = make_step(loss, OPTIMIZER, accumulate=pieces, ema_decay=0.9)
        state = init_state(Weights(params), OPTIMIZER.init(params), KEY, ema=True)
        after, metrics = jax.eval_shape(step, state, batch)
        learned = after.params, after.opt_state, after.ema, metrics
        dtypes = {leaf.dtype for leaf in jax.tree.leaves(learned) if leaf.dtype != jnp.int32}
        assert dtypes == {jnp.dtype(jnp.float32)}
    # 8 bits of mantissa round by up to 2^-9 of the value at each of some 10 products and sums
    for parts in (lambda f: [f[0][0]], lambda f: jax.tree.leaves(f[1])):  # the loss, the gradient
        wide, narrow = (np.concatenate(list(map(np.ravel, parts(f)))) for f in found.values())
        error = np.linalg.norm(narrow - wide) / np.linalg.norm(wide)
        assert 0 < error < 10 * 2.0**-9
