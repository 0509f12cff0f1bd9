"""The optimiser against AdamW written out in NumPy float64, and the schedule at chosen steps."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.gpt.model import GPT
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.optimizer import is_matrix, make_optimizer, make_schedule

pytestmark = pytest.mark.usefixtures("compile_quickly")

SHAPES = {"kernel": (3, 5), "bias": (5,), "heads": {"kernel": (3, 2, 7), "bias": (2, 1, 7)}}
DECAYS = {"kernel": True, "bias": False, "heads": {"kernel": True, "bias": False}}
STEPS = 7


def is_shape(x):
    return isinstance(x, tuple)


def numpy_adamw(config, params, gradients):
    """Algorithm 2 of Loshchilov & Hutter 2019 with the norm clipped before; float64 throughout."""
    b1, b2 = config.beta1, config.beta2
    m = jax.tree.map(np.zeros_like, params)
    v = jax.tree.map(np.zeros_like, params)
    for t, g in enumerate(gradients):
        if config.clip_norm is not None:
            norm = math.sqrt(sum(np.sum(leaf**2) for leaf in jax.tree.leaves(g)))
            factor = min(1.0, config.clip_norm / norm)
            g = jax.tree.map(lambda leaf, factor=factor: leaf * factor, g)
        rate = config.learning_rate
        if t < config.warmup_steps:
            rate *= t / config.warmup_steps
        elif config.schedule == "cosine":
            done = (t - config.warmup_steps) / (config.decay_steps - config.warmup_steps)
            rate *= 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, g)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)

        def moved(p, m, v, decays, rate=rate, t=t + 1):
            adam = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + 1e-8)
            return p - rate * (adam + (config.weight_decay * p if decays else 0.0))

        params = jax.tree.map(moved, params, m, v, DECAYS)
    return params


@pytest.mark.parametrize(
    "config",
    [
        OptimizerConfig(learning_rate=0.03),
        OptimizerConfig(learning_rate=0.03, beta1=0.5, beta2=0.99, clip_norm=3.0),
        OptimizerConfig(
            learning_rate=0.03, weight_decay=0.3, clip_norm=3.0, warmup_steps=2,
            schedule="cosine", decay_steps=5,
        ),
    ],
    ids=["adam", "clipped", "everything"],
)  # fmt: skip
def test_updates_are_those_of_adamw_in_numpy(config):
    rng = np.random.default_rng(0)

    def draw(scale):
        return jax.tree.map(
            lambda shape: scale * rng.standard_normal(shape), SHAPES, is_leaf=is_shape
        )

    params = draw(1.0)
    gradients = [draw(scale) for scale in (1.0, 0.01, 3.0, 0.1, 1.0, 0.3, 2.0)]  # some are clipped
    optimizer = make_optimizer(config)

    @jax.jit
    def run(params, gradients):
        opt_state = optimizer.init(params)
        for step in range(STEPS):
            updates, opt_state = optimizer.update(gradients[step], opt_state, params)
            params = jax.tree.map(jnp.add, params, updates)
        return params

    narrow = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), (params, gradients))
    expected = numpy_adamw(config, params, gradients)
    # seven steps of at most 0.03 in float32, on parameters of about 1
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6), run(*narrow), expected
    )


def test_decay_shrinks_matrices_alone():
    """Without a gradient Adam stands still, so a step is -rate decay params, or nothing."""
    config = OptimizerConfig(learning_rate=0.5, weight_decay=0.25)
    optimizer = make_optimizer(config)
    params = jax.tree.map(lambda shape: jnp.full(shape, 3.0), SHAPES, is_leaf=is_shape)
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = jax.jit(optimizer.update)(zeros, optimizer.init(params), params)
    jax.tree.map(
        lambda update, decays: np.testing.assert_allclose(update, -0.375 if decays else 0.0),
        updates,
        DECAYS,
    )


def test_no_bias_or_scale_of_a_gpt_is_taken_for_a_matrix():
    """The bias of the heads (N, 1, H) has three axes."""
    model = GPT(GPTConfig(num_layers=1, tied_head=False), 11)
    tokens = jax.ShapeDtypeStruct((1, 5), jnp.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), tokens)["params"]
    decays = jax.tree_util.tree_leaves_with_path(is_matrix(params))
    assert {path[-1].key for path, decay in decays if decay} == {
        "kernel", "embedding", "positions",
    }  # fmt: skip
    assert {path[-1].key for path, decay in decays if not decay} == {"bias", "scale"}


@pytest.mark.parametrize(
    ("step", "share"),
    [(0, 0.0), (5, 0.5), (9, 0.9), (10, 1.0), (35, 0.1 + 0.45 * (1 + math.sqrt(0.5))),
     (60, 0.55), (110, 0.1), (500, 0.1)],
)  # fmt: skip
def test_warm_up_and_cosine_by_hand(step, share):
    config = OptimizerConfig(
        learning_rate=3e-3, warmup_steps=10, schedule="cosine", decay_steps=110
    )
    np.testing.assert_allclose(make_schedule(config)(step), 3e-3 * share, rtol=1e-5)


@pytest.mark.parametrize(("step", "share"), [(0, 0.0), (3, 0.75), (4, 1.0), (10**6, 1.0)])
def test_a_constant_rate_after_the_warm_up(step, share):
    config = OptimizerConfig(learning_rate=3e-3, warmup_steps=4)
    np.testing.assert_allclose(make_schedule(config)(step), 3e-3 * share, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 0.0}, "learning-rate is 0.0: give a finite number above 0."),
        ({"learning_rate": math.nan}, "learning-rate is nan: give a finite number above 0."),
        ({"beta1": 1.0}, "beta1 is 1.0: give a number of 0 or more, below 1."),
        ({"beta2": -0.1}, "beta2 is -0.1: give a number of 0 or more, below 1."),
        ({"weight_decay": -1.0}, "weight-decay is -1.0: give a finite number of 0 or more."),
        ({"clip_norm": 0.0}, "clip-norm is 0.0: give a finite number above 0, or None."),
        ({"warmup_steps": -1}, "warmup-steps is -1: give a number of 0 or more."),
        (
            {"schedule": "cosine", "warmup_steps": 9, "decay_steps": 9},
            "decay-steps is 9: give a number above --optimizer.warmup-steps.",
        ),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(values, message):
    with pytest.raises(UserError) as error:
        OptimizerConfig(**values)
    assert str(error.value) == f"--optimizer.{message}"
