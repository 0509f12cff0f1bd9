"""Codes learnt on data whose codes are known; the codebook is one on any number of devices; costs."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.costs.walk.count import count
from jaxgen.data import ImageSpec
from jaxgen.devices.choose import make_plan
from jaxgen.errors import UserError
from jaxgen.families.discrete_vae.family import DiscreteVAE
from jaxgen.families.discrete_vae.quantisers import GumbelQuantiser, VectorQuantiser
from jaxgen.models.grid_autoencoder.config import GridAutoencoderConfig
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.metrics import to_floats

SMALL = GridAutoencoderConfig((5, 7), 2, 4, num_codes=11, code_size=13)
B = 16


@pytest.mark.parametrize("quantiser", ["vector", "gumbel"])
@pytest.mark.parametrize("form", ["auto", "native"])
def test_the_step_is_its_table(quantiser, form):
    """Matmuls exactly; the codes' averages and draws among the rest."""
    spec, model = ImageSpec(8, 12, 2, None), replace(SMALL, convolution=form)
    experiment = DiscreteVAE(quantiser=quantiser, batch_size=3, model=model)
    task, table = experiment.build(spec), experiment.costs(spec)
    state = jax.eval_shape(task.init, jax.random.key(0))
    batch = {"image": jax.ShapeDtypeStruct((3, 8, 12, 2), jnp.float32)}
    walked = count(task.step, state, batch)
    assert table.parameters == sum(leaf.size for leaf in jax.tree.leaves(state.params))
    if form == "auto":  # a native transposed convolution is priced as the CPU's, see the table
        assert walked.matmul_flops == table.matmul_flops
        assert walked.uncounted == walked.notes == frozenset()
        assert 1 <= walked.elementwise_flops / table.elementwise_flops < 1.6


def test_codes_become_the_clusters_that_features_lie_in():
    """Four clusters, six codes: each cluster gets a code at its mean, and none stays unused."""
    centres = np.array([[4.0, 0], [-4, 0], [0, 4], [0, -4]])
    quantiser = VectorQuantiser(6, 2, decay=0.9, commitment=0.25, kmeans_steps=5, revive_below=0.1)
    _, extra = quantiser.init(None)
    rng, train = np.random.default_rng(0), jax.jit(quantiser.train)
    for step in range(40):
        which = rng.integers(0, 4, (B, 2, 3))
        features = centres[which] + 0.05 * rng.standard_normal((B, 2, 3, 2))
        keys = jax.random.split(jax.random.key(step), B)
        found = train({}, extra, jnp.asarray(features, jnp.float32), keys)
        extra = found.extra
    codes = np.asarray(quantiser.codes({}, extra))
    far = np.linalg.norm(centres[:, None] - codes[None], axis=-1)
    assert far.min(1).max() < 0.15
    indices = np.asarray(quantiser.indices({}, extra, jnp.asarray(features, jnp.float32)))
    np.testing.assert_allclose(codes[indices], features, atol=0.5)
    np.testing.assert_allclose(found.grid, codes[indices], atol=0.2)
    assert float(found.counts.sum()) == B * 6
    # What is paid is β |z − e|², of features that lie on their codes nearly nothing.
    assert float(found.price.max()) < 0.25 * 6 * 0.5**2


EXPERIMENT = DiscreteVAE(
    batch_size=B, kmeans_steps=2, revive_below=0.5,
    model=GridAutoencoderConfig((6,), 0, 4, num_codes=9, code_size=3),
    optimizer=OptimizerConfig(learning_rate=1e-2),
)  # fmt: skip
ROWS = np.stack([np.arange(B) + 7 * step for step in range(4)]).astype(np.int32)
PLANS = {"jit": ("jit", None, 1), "pieces": ("jit", None, 2)}
MORE = {"pmap": ("pmap", None, 1), "mesh": ("mesh", "data=4,fsdp=2", 1)}


def train_under(asked, mesh, accumulate):
    """Four steps of a quantised autoencoder: losses, codebook, parameters."""
    experiment = replace(EXPERIMENT, accumulate=accumulate)
    data = experiment.load()
    task = experiment.build(data.spec)
    plan = make_plan(asked, mesh, batch_size=B, accumulate=accumulate)
    state = plan.init(task.init, 0)
    dispatch = plan.dispatch(task.step, data.train.take, 1, state)
    arrays, losses = plan.put_arrays(data.train.arrays), []
    for step in range(4):
        state, report = dispatch(state, arrays, plan.place(ROWS[step : step + 1]), np.int32(1))
        losses.append(to_floats(report.metrics))
    numbers = jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), (state.params, state.extra))
    return {"losses": losses, "numbers": numbers}


@pytest.mark.first
def test_the_codebook_is_one_on_eight_devices_and_in_pieces():
    """Batch statistics: counts, sums, the k-means of the first steps and the codes that are revived."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    one = found.pop("jit")
    assert one["losses"][0]["revived"] > 0 and len(found) == 3
    for case, other in found.items():
        for step, expected in zip(other["losses"], one["losses"], strict=True):
            # sums in another order: a code's mean of few features and its loss differ in the last bits
            assert step == pytest.approx(expected, rel=2e-5, abs=1e-5), case
        jax.tree.map(
            lambda a, b, case=case: np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5, err_msg=case),
            other["numbers"], one["numbers"],
        )  # fmt: skip


@pytest.mark.usefixtures("allow_nans")
def test_a_step_that_is_not_finite_leaves_the_codebook():
    data = EXPERIMENT.load()
    task = EXPERIMENT.build(data.spec)
    step = jax.jit(task.step)
    batch = jax.tree.map(jnp.asarray, data.train.take(data.train.arrays, ROWS[0]))
    before, _ = step(jax.jit(task.init)(jax.random.key(0)), batch)
    spoilt, _ = step(before, batch | {"image": batch["image"].at[3].set(jnp.nan)})
    assert (spoilt.step, spoilt.skipped) == (2, 1)
    jax.tree.map(np.testing.assert_array_equal, spoilt.extra, before.extra)
    assert float(jnp.abs(before.extra["sums"]).max()) > 0


def test_apply_goes_to_codes_and_back():
    """Images to their codes, codes to images, and both at once: the same; what is judged by hand."""
    data = EXPERIMENT.load()
    task = EXPERIMENT.build(data.spec)
    weights = jax.jit(task.init)(jax.random.key(0)).weights
    rng = np.random.default_rng(0)
    book = {"counts": jnp.ones(9), "sums": jnp.asarray(rng.standard_normal((9, 3)), jnp.float32)}
    weights = weights._replace(extra=weights.extra | book)
    part = data.test.sampled(30)
    image = jnp.asarray(part.take(part.arrays, np.arange(30))["image"])
    codes = task.apply(weights, image, method="encode")
    assert codes.shape == (30, 4, 4)
    decoded = task.apply(weights, codes, method="decode")
    np.testing.assert_allclose(task.apply(weights, image), decoded, rtol=1e-5, atol=1e-6)
    found = task.evaluate(weights, part)
    error = np.square(np.asarray(decoded, np.float64) - np.asarray(image))
    nats = error.sum((1, 2, 3)) / (2 * 0.1**2) + 64 * (np.log(0.1) + 0.5 * np.log(2 * np.pi))
    assert found["loss"] == pytest.approx(nats.mean() + 16 * np.log(9), rel=1e-4)
    shares = np.bincount(np.ravel(codes), minlength=9) / codes.size
    entropy = -(shares[shares > 0] * np.log(shares[shares > 0])).sum()
    assert found["perplexity"] == pytest.approx(np.exp(entropy), rel=1e-4)
    assert found["codes_used"] == pytest.approx((shares > 0).mean())


def test_the_temperature_falls_by_equal_factors():
    """And the decoder hears one code where the draw is hard, a blend of them where it is not."""
    features = jnp.asarray(np.random.default_rng(0).standard_normal((B, 1, 2, 3)), jnp.float32)
    for hard in (True, False):
        quantiser = GumbelQuantiser(3, 2, 1.0, 0.0625, 4, hard, kl_weight=2.0)
        params, extra = quantiser.init(jax.random.key(0))
        train, temperatures = jax.jit(quantiser.train), []
        for step in range(6):
            found = train(params, extra, features, jax.random.split(jax.random.key(step), B))
            extra = found.extra
            temperatures.append(float(found.others["temperature"]))
        np.testing.assert_allclose(temperatures, [1, 0.5, 0.25, 0.125, 0.0625, 0.0625], rtol=1e-5)
        grid, codes = np.asarray(found.grid), np.asarray(params["codes"])
        far = np.linalg.norm(grid[..., None, :] - codes, axis=-1).min(-1)
        assert (far.max() < 1e-5) == hard
        assert float(found.counts.sum()) == 2 * B
        p = np.exp(np.asarray(features, np.float64))
        p /= p.sum(-1, keepdims=True)
        kl = (p * np.log(3 * p)).sum((1, 2, 3))
        np.testing.assert_allclose(found.price, 2.0 * kl, rtol=1e-4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"deviation": 0.0}, "--deviation is 0.0: give a finite number above 0."),
        ({"codebook_decay": 1.0}, "--codebook-decay is 1.0: give 0 or more, below 1."),
        ({"commitment": -1.0}, "--commitment is -1.0: give a finite number of 0 or more."),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(values, message):
    with pytest.raises(UserError) as error:
        DiscreteVAE(**values)
    assert str(error.value) == message


if __name__ == "__main__":  # the process with eight devices, which are fixed when jax starts
    cases = {name: train_under(*asked) for name, asked in (PLANS | MORE).items()}
    print(json.dumps(cases))
