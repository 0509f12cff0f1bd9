"""What a step changes without a gradient: one device or eight, in pieces or whole, saved or skipped.

Two toys: batch normalisation with running statistics (Ioffe & Szegedy 2015, algorithm 1), and a
recurrent state that each place of the batch carries from step to step.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.devices.choose import make_plan
from jaxgen.runs.checkpoint import Checkpoints
from jaxgen.runs.manifest import describe
from jaxgen.training.batch import all_examples, mean_over_batch, own_examples
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean, to_floats
from jaxgen.training.state import Weights
from jaxgen.training.task import one_player

B, RATE = 24, 0.1


def normalising(params, extra, batch, keys):
    """Predicts y from x W, normalised by the whole batch; not linear in the noise of its example."""
    noise = jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys)
    h = batch["x"] @ params["W"] + 0.1 * noise
    mean = mean_over_batch(h)
    variance = mean_over_batch((h - mean[None]) ** 2)
    normal = (h - mean[None]) / jnp.sqrt(variance + 1e-5)[None]
    values = jnp.sum((jnp.tanh(normal * params["scale"][None]) - batch["y"]) ** 2, axis=1)
    kept = {
        "mean": 0.9 * extra["mean"] + 0.1 * mean,
        "variance": 0.9 * extra["variance"] + 0.1 * variance,
    }
    return values.mean(), Aux({"loss": Mean.of(values)}, kept)


def carrying(params, extra, batch, keys):
    """Predicts y from a state that is turned by U and fed with x W."""
    before = own_examples(extra["carry"], batch["x"].shape[0])
    after = jnp.tanh(before @ params["U"] + batch["x"] @ params["W"])
    values = jnp.sum((after - batch["y"]) ** 2, axis=1)
    return values.mean(), Aux({"loss": Mean.of(values)}, {"carry": all_examples(after)})


def init_normalising(key):
    W = jax.random.normal(key, (5, 3))
    extra = {"mean": jnp.zeros(3), "variance": jnp.ones(3)}
    return Weights({"W": W, "scale": jnp.ones(3)}, extra)


def init_carrying(key):
    U, W = jax.random.normal(key, (3, 3)), jax.random.normal(jax.random.key(9), (5, 3))
    return Weights({"U": U, "W": W}, {"carry": jnp.zeros((B, 3))})


ARRAYS = {
    "x": np.random.default_rng(0).standard_normal((2 * B, 5)).astype(np.float32),
    "y": np.random.default_rng(1).standard_normal((2 * B, 3)).astype(np.float32),
}


def take(arrays, indices):
    return {name: array[indices] for name, array in arrays.items()}


ROWS = np.stack([np.arange(B) * 2 + step % 2 for step in range(3)]).astype(np.int32)
TOY = {"normalising": (init_normalising, normalising), "carrying": (init_carrying, carrying)}


def task(name, accumulate):
    return one_player(*TOY[name], optax.sgd(RATE), accumulate=accumulate, ema_decay=0.5)


PLANS = {
    "jit": ("jit", None),
    "pmap": ("pmap", None),
    "data=8": ("mesh", "data=8"),
    "data=4,fsdp=2": ("mesh", "data=4,fsdp=2"),
}


def train(name, asked, accumulate):
    """Three steps of a toy under a plan: its losses and numbers, and whether they come back on one."""
    toy, plan = task(name, accumulate), make_plan(*asked, batch_size=B, accumulate=accumulate)
    state = plan.init(toy.init, 0)
    dispatch = plan.dispatch(toy.step, take, 1, state)
    arrays, losses = plan.put_arrays(ARRAYS), []
    for step in range(3):
        state, report = dispatch(state, arrays, plan.place(ROWS[step : step + 1]), np.int32(1))
        losses.append(to_floats(report.metrics))
    with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder)) as checkpoints:
        checkpoints.save(plan.shared(state))
        restored = checkpoints.restore(make_plan("jit", None, batch_size=B).shapes(toy.init))
    numbers = {"params": state.params, "ema": state.ema, "extra": state.extra}
    return {
        "devices": len(jax.tree.leaves(state.params)[0].sharding.device_set),
        "losses": losses,
        "restored": describe(restored.weights, 0) == describe(state.weights, 0),
        "numbers": jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), numbers),
    }


def train_everywhere():
    """Each toy under every plan, in pieces too; for a process that has eight devices."""
    return {
        f"{name} {devices} {accumulate}": train(name, asked, accumulate)
        for name in TOY
        for devices, asked in PLANS.items()
        for accumulate in ((1,) if "fsdp" in devices else (1, 3))
    }


@pytest.fixture(scope="module")
def trained():
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def numpy_steps(name):
    """Losses and state after three steps of plain descent in float64, gradients by hand."""
    init, _ = TOY[name]
    # As the engine draws: the first half of the seed's key makes the parameters, the other the noise.
    init_key, key = jax.random.split(jax.random.key(0, impl="threefry2x32"))
    params, extra = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tuple(init(init_key)))
    losses = []
    for t, rows in enumerate(ROWS):
        x, y = (ARRAYS[part][rows].astype(np.float64) for part in "xy")
        if name == "carrying":
            before = extra["carry"]
            after = np.tanh(before @ params["U"] + x @ params["W"])
            losses.append(np.sum((after - y) ** 2) / B)
            inner = 2 * (after - y) * (1 - after**2) / B
            grads, extra = {"U": before.T @ inner, "W": x.T @ inner}, {"carry": after}
        else:
            keys = [jax.random.fold_in(jax.random.fold_in(key, t), i) for i in range(B)]
            noise = np.stack([np.asarray(jax.random.normal(k, (3,)), np.float64) for k in keys])
            h = x @ params["W"] + 0.1 * noise
            mean, variance = h.mean(0), h.var(0)
            deviation = np.sqrt(variance + 1e-5)
            normal = (h - mean) / deviation
            out = np.tanh(normal * params["scale"])
            losses.append(np.sum((out - y) ** 2) / B)
            inner = 2 * (out - y) * (1 - out**2) / B
            g = inner * params["scale"]
            # Ioffe & Szegedy 2015, section 3: the gradient through mean and variance.
            back = (g - g.mean(0) - normal * (g * normal).mean(0)) / deviation
            grads = {"W": x.T @ back, "scale": (inner * normal).sum(0)}
            extra = {
                "mean": 0.9 * extra["mean"] + 0.1 * mean,
                "variance": 0.9 * extra["variance"] + 0.1 * variance,
            }
        params = {name: params[name] - RATE * grads[name] for name in params}
    return losses, params, extra


@pytest.mark.parametrize("name", TOY)
def test_three_steps_are_those_of_numpy(trained, name):
    one = trained[f"{name} jit 1"]
    losses, params, extra = numpy_steps(name)
    # float32 against float64
    np.testing.assert_allclose([step["loss"] for step in one["losses"]], losses, rtol=1e-5)
    for part, expected in (("params", params), ("extra", extra)):
        for leaf, values in expected.items():
            np.testing.assert_allclose(one["numbers"][part][leaf], values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TOY)
def test_any_devices_and_any_pieces_leave_the_same(trained, name):
    """Metrics, parameters, their average and what is left without a gradient, to 1e-6."""
    one = trained[f"{name} jit 1"]
    others = {case: found for case, found in trained.items() if case.startswith(name)}
    assert len(others) == 7
    for case, found in others.items():
        assert found["devices"] == (1 if " jit " in case else 8), case
        for step, expected in zip(found["losses"], one["losses"], strict=True):
            assert step == pytest.approx(expected, rel=1e-6, abs=1e-6), case
        jax.tree.map(
            lambda a, b, case=case: np.testing.assert_allclose(
                a, b, rtol=1e-6, atol=1e-6, err_msg=case
            ),
            found["numbers"], one["numbers"],
        )  # fmt: skip
        assert found["restored"], f"{case}: saved on its devices, restored on one, bit for bit"


def test_a_checkpoint_holds_every_bit_of_it(tmp_path):
    """Counts, narrow numbers and keys too; and training goes on as if it had never stopped."""
    toy = task("carrying", 1)
    step = jax.jit(toy.step)
    batches = [take(ARRAYS, rows) for rows in ROWS]
    state = toy.init(jax.random.key(0))
    more = {
        "codes": jnp.arange(5, dtype=jnp.int32) * 2**27,
        "half": jnp.asarray([1 / 3, -7.0, 1e-30], jnp.bfloat16),
        "key": jax.random.key(3),
    }
    with Checkpoints(tmp_path) as checkpoints:
        first, _ = step(state, batches[0])
        checkpoints.save(first)
        checkpoints.save(first._replace(step=jnp.int32(9), extra=first.extra | more))
        like = state._replace(extra=state.extra | jax.tree.map(jnp.zeros_like, more))
        found = checkpoints.restore(like, step=9)
        assert describe(found.extra, 0) == describe(first.extra | more, 0)
        resumed, whole = checkpoints.restore(state, step=1), first
    for batch in batches[1:]:
        (resumed, _), (whole, _) = step(resumed, batch), step(whole, batch)
    assert describe(resumed, 0) == describe(whole, 0)


@pytest.mark.usefixtures("allow_nans")
@pytest.mark.parametrize("name", TOY)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_that_is_not_finite_leaves_it_as_it_was(name, accumulate):
    toy = task(name, accumulate)
    step, batch = jax.jit(toy.step), take(ARRAYS, ROWS[0])
    before, _ = step(toy.init(jax.random.key(0)), batch)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(before.extra)) > 0.01
    spoilt, _ = step(
        before, batch | {"y": batch["y"] * np.where(np.arange(B) == 7, np.nan, 1)[:, None]}
    )
    assert (spoilt.step, spoilt.skipped) == (2, 1)
    assert describe(spoilt.extra, 0) == describe(before.extra, 0)
    assert describe(spoilt.params, 0) == describe(before.params, 0)
    sound, _ = step(before, batch)
    assert sound.skipped == 0
    assert describe(sound.extra, 0) != describe(before.extra, 0)


def test_what_differs_between_pieces_is_refused():
    """A mean over the piece at hand is not the batch's: jax says so before anything runs."""

    def own_mean(params, extra, batch, keys):
        value, aux = normalising(params, extra, batch, keys)
        return value, aux._replace(extra=aux.extra | {"mean": batch["x"].mean(0)[:3]})

    toys = [
        one_player(init_normalising, own_mean, optax.sgd(RATE), accumulate=accumulate)
        for accumulate in (1, 2)
    ]
    state = toys[0].init(jax.random.key(0))
    batch = jax.tree.map(jnp.asarray, take(ARRAYS, ROWS[0]))
    jax.eval_shape(toys[0].step, state, batch)  # whole, it is the batch's
    with pytest.raises(ValueError, match="out_axes"):
        toys[1].step(state, batch)


if __name__ == "__main__":  # the process with eight devices, which are fixed when jax starts
    print(json.dumps(train_everywhere()))
