"""The optimisers against AdamW, SGD and Muon written out in NumPy float64, the schedules by hand."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.gpt.model import GPT
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.muon import is_hidden_matrix, is_matrix, matrix_shape
from jaxgen.training.optimizer import make_optimizer, make_schedule

# Every kind of leaf, sizes of which no two axes of a leaf are equal.
SHAPES = {
    "embedding": (11, 3),
    "query": {"kernel": (3, 2, 7), "bias": (2, 1, 7)},
    "out": {"kernel": (2, 7, 3)},
    "conv": {"kernel": (2, 5, 3, 7), "bias": (7,)},
    "in": {"kernel": (3, 5)},
    "head": {"kernel": (3, 11)},
}
DECAYS = {
    "embedding": True, "query": {"kernel": True, "bias": False}, "out": {"kernel": True},
    "conv": {"kernel": True, "bias": False}, "in": {"kernel": True}, "head": {"kernel": True},
}  # fmt: skip
HIDDEN = {
    "embedding": False, "query": {"kernel": True, "bias": False}, "out": {"kernel": True},
    "conv": {"kernel": True, "bias": False}, "in": {"kernel": True}, "head": {"kernel": False},
}  # fmt: skip
STEPS = 7


def is_shape(x):
    return isinstance(x, tuple) and bool(x) and all(isinstance(size, int) for size in x)


def draw(rng, scale):
    return jax.tree.map(lambda shape: scale * rng.standard_normal(shape), SHAPES, is_leaf=is_shape)


def leaves(tree):
    """By path, as text."""
    found = jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_shape)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in found}


def columns(name, kernel):
    """Of the matrix, one by one: the weights of each output feature."""
    if name == "query/kernel":  # D inputs
        return [kernel[:, n, h] for n in range(2) for h in range(7)]
    if name == "out/kernel":  # N·H inputs
        return [np.concatenate([kernel[n, :, d] for n in range(2)]) for d in range(3)]
    if name == "conv/kernel":
        taps = [(i, j) for i in range(2) for j in range(5)]
        return [np.concatenate([kernel[i, j, :, c] for i, j in taps]) for c in range(7)]
    return list(kernel.T)


def numpy_direction_of_muon(name, look_ahead):
    """Singular values through the source's polynomial, five times; the size of Liu et al. 2025."""
    matrix = np.stack(columns(name, look_ahead), axis=1)
    U, s, Vt = np.linalg.svd(matrix, full_matrices=False)
    s = s / math.sqrt(np.sum(s**2))
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    updates = 0.2 * math.sqrt(max(matrix.shape)) * ((U * s) @ Vt)
    found = np.empty_like(look_ahead)
    # Each output feature's weights go back to where they came from.
    where = columns(name, np.arange(look_ahead.size).reshape(look_ahead.shape))
    for feature, places in enumerate(where):
        found.flat[places] = updates[:, feature]
    return found


def numpy_updates(config, params, gradients):
    """Each optimiser as its paper's algorithm has it; decay decoupled, the norm clipped before."""
    params, b1, b2, mu = dict(params), config.beta1, config.beta2, config.momentum
    decays, hidden = leaves(DECAYS), leaves(HIDDEN)
    m = {name: np.zeros_like(p) for name, p in params.items()}
    v = {name: np.zeros_like(p) for name, p in params.items()}
    for t, g in enumerate(gradients):
        if config.clip_norm is not None:
            norm = math.sqrt(sum(np.sum(leaf**2) for leaf in g.values()))
            g = {name: leaf * min(1.0, config.clip_norm / norm) for name, leaf in g.items()}
        rate = config.learning_rate
        if t < config.warmup_steps:
            rate *= t / config.warmup_steps
        elif config.schedule == "cosine":
            done = (t - config.warmup_steps) / (config.decay_steps - config.warmup_steps)
            rate *= 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        for name, p in params.items():
            if config.name == "sgd" or (config.name == "muon" and hidden[name]):
                m[name] = mu * m[name] + g[name]
                direction = m[name]
                if config.name == "muon":
                    direction = numpy_direction_of_muon(name, mu * m[name] + g[name])
            else:
                m[name] = b1 * m[name] + (1 - b1) * g[name]
                v[name] = b2 * v[name] + (1 - b2) * g[name] ** 2
                m_hat, v_hat = m[name] / (1 - b1 ** (t + 1)), v[name] / (1 - b2 ** (t + 1))
                direction = m_hat / (np.sqrt(v_hat) + 1e-8)
            decay = config.weight_decay * p if decays[name] else 0.0
            params[name] = p - rate * (direction + decay)
    return params


EVERYTHING = {
    "learning_rate": 0.03, "weight_decay": 0.3, "clip_norm": 3.0, "warmup_steps": 2,
    "schedule": "cosine", "decay_steps": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    "config",
    [
        OptimizerConfig(learning_rate=0.03),
        OptimizerConfig(learning_rate=0.03, beta1=0.5, beta2=0.99, clip_norm=3.0),
        OptimizerConfig(**EVERYTHING),
        OptimizerConfig("sgd", learning_rate=0.003, momentum=0.9),
        OptimizerConfig("sgd", learning_rate=0.003, momentum=0.0),
        OptimizerConfig("sgd", **EVERYTHING),
        OptimizerConfig("muon", learning_rate=0.03),
        OptimizerConfig("muon", momentum=0.0, beta1=0.5, **EVERYTHING),
        OptimizerConfig("muon", momentum=0.7, **EVERYTHING),
    ],
    ids=["adam", "adam clipped", "adamw, everything", "sgd", "plain sgd", "sgd, everything", "muon",
         "muon without momentum", "muon, everything"],
)  # fmt: skip
def test_updates_are_those_of_the_papers_in_numpy(config):
    rng = np.random.default_rng(0)
    params = draw(rng, 1.0)
    # some are clipped
    gradients = [draw(rng, scale) for scale in (1.0, 0.01, 3.0, 0.1, 1.0, 0.3, 2.0)]
    optimizer = make_optimizer(config)

    @jax.jit
    def run(params, gradients):
        opt_state = optimizer.init(params)
        for step in range(STEPS):
            updates, opt_state = optimizer.update(gradients[step], opt_state, params)
            params = jax.tree.map(jnp.add, params, updates)
        return params

    narrow = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), (params, gradients))
    found = leaves(run(*narrow))
    expected = numpy_updates(config, leaves(params), [leaves(g) for g in gradients])
    for name, leaf in found.items():
        # seven steps of at most 0.03 in float32, on parameters of about 1
        np.testing.assert_allclose(leaf, expected[name], rtol=2e-6, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_decay_shrinks_matrices_alone(name):
    """Without a gradient all stand still, so a step is -rate decay params, or nothing."""
    config = OptimizerConfig(name, learning_rate=0.5, weight_decay=0.25)
    optimizer = make_optimizer(config)
    params = jax.tree.map(lambda shape: jnp.full(shape, 3.0), SHAPES, is_leaf=is_shape)
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = jax.jit(optimizer.update)(zeros, optimizer.init(params), params)
    jax.tree.map(
        lambda update, decays: np.testing.assert_allclose(update, -0.375 if decays else 0.0),
        updates,
        DECAYS,
    )


def test_muon_and_adam_take_steps_of_one_size():
    """The root mean square of a first step, in rates: Adam's is 1, Muon's 0.2 for every matrix."""
    rng = np.random.default_rng(0)
    params, gradient = jax.tree.map(jnp.float32, (draw(rng, 1.0), draw(rng, 1e-3)))
    optimizer = make_optimizer(OptimizerConfig("muon", learning_rate=1.0))
    updates, _ = jax.jit(optimizer.update)(gradient, optimizer.init(params), params)
    for (name, update), hidden in zip(
        leaves(updates).items(), leaves(HIDDEN).values(), strict=True
    ):
        size = math.sqrt(np.mean(np.square(update)))
        # Newton-Schulz leaves singular values between 0.68 and 1.2
        assert 0.68 * 0.2 < size < 1.21 * 0.2 if hidden else size == pytest.approx(1, rel=1e-4), (
            name
        )


@pytest.mark.parametrize(
    ("name", "momentum", "of_hidden", "of_others"),
    [("adamw", 0.9, 2, 2), ("sgd", 0.9, 1, 1), ("sgd", 0.0, 0, 0), ("muon", 0.95, 1, 2)],
)
def test_the_state_holds_what_the_update_needs_and_no_more(name, momentum, of_hidden, of_others):
    """Arrays a parameter, each under its parameter's path, by which a mesh lays both alike."""
    optimizer = make_optimizer(OptimizerConfig(name, momentum=momentum))
    params = jax.tree.map(jnp.zeros, SHAPES, is_leaf=is_shape)
    state = leaves(jax.eval_shape(optimizer.init, params))
    counters = [path for path, leaf in state.items() if not leaf.ndim]
    assert len(counters) <= 2 and all(state.pop(path).dtype == jnp.int32 for path in counters)
    for own, shape in leaves(SHAPES).items():
        moments = [path for path in state if path.endswith(f"/{own}")]
        assert len(moments) == (of_hidden if leaves(HIDDEN)[own] else of_others)
        assert all(state.pop(path).shape == shape for path in moments)
    assert not state


def gpt_params():
    """With every kind of parameter that a GPT has: the bias of the heads (N, 1, H) has three axes."""
    config = GPTConfig(num_layers=1, num_heads=2, model_size=6, hidden_size=7, tied_head=False)
    tokens = jax.ShapeDtypeStruct((1, 5), jnp.int32)
    return jax.eval_shape(GPT(config, 11).init, jax.random.key(0), tokens)["params"]


def test_no_bias_or_scale_of_a_gpt_is_taken_for_a_matrix():
    decays = leaves(is_matrix(gpt_params()))
    assert {path.split("/")[-1] for path, decay in decays.items() if decay} == {
        "kernel", "embedding", "positions",
    }  # fmt: skip
    assert {path.split("/")[-1] for path, decay in decays.items() if not decay} == {"bias", "scale"}


def test_the_hidden_matrices_of_a_gpt():
    params = gpt_params()
    shapes = {
        jax.tree_util.keystr(path, simple=True, separator="/"): matrix_shape(path, leaf.shape)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }
    hidden = leaves(is_hidden_matrix(params))
    assert {path: shapes[path] for path, is_hidden in hidden.items() if is_hidden} == {
        "block0/attention/query/kernel": (6, 6),
        "block0/attention/key/kernel": (6, 6),
        "block0/attention/value/kernel": (6, 6),
        "block0/attention/out/kernel": (6, 6),
        "block0/mlp/in/kernel": (6, 7),
        "block0/mlp/out/kernel": (7, 6),
    }
    assert {"embedding", "positions", "head/kernel"} <= set(hidden)


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


@pytest.mark.parametrize(
    ("end", "step", "share"),
    [(0.0, 10, 1.0), (0.0, 60, 0.5), (0.0, 110, 0.0), (0.0, 999, 0.0), (0.5, 60, 0.75), (0.5, 110, 0.5),
     (1.0, 60, 1.0), (1.0, 110, 1.0)],
)  # fmt: skip
def test_where_the_cosine_ends_by_hand(end, step, share):
    config = OptimizerConfig(
        learning_rate=3e-3, warmup_steps=10, schedule="cosine", decay_steps=110, end_fraction=end
    )
    np.testing.assert_allclose(make_schedule(config)(step), 3e-3 * share, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("warmup", "step", "share"),
    [(10, 0, 0.0), (10, 5, 0.5), (10, 10, 1.0), (10, 35, 0.75), (10, 60, 0.5), (10, 109, 0.01),
     (10, 110, 0.0), (10, 500, 0.0), (0, 0, 1.0), (0, 55, 0.5), (0, 110, 0.0), (0, 111, 0.0)],
)  # fmt: skip
def test_warm_up_and_a_line_to_zero_by_hand(warmup, step, share):
    config = OptimizerConfig(
        learning_rate=3e-3, warmup_steps=warmup, schedule="linear", decay_steps=110
    )
    np.testing.assert_allclose(make_schedule(config)(step), 3e-3 * share, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize(("step", "share"), [(0, 0.0), (3, 0.75), (4, 1.0), (10**6, 1.0)])
def test_a_constant_rate_after_the_warm_up(step, share):
    config = OptimizerConfig(learning_rate=3e-3, warmup_steps=4)
    np.testing.assert_allclose(make_schedule(config)(step), 3e-3 * share, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 0.0}, "learning-rate is 0.0: give a finite number above 0."),
        ({"learning_rate": math.nan}, "learning-rate is nan: give a finite number above 0."),
        ({"momentum": 1.0}, "momentum is 1.0: give a number of 0 or more, below 1."),
        ({"momentum": -0.5}, "momentum is -0.5: give a number of 0 or more, below 1."),
        ({"momentum": math.nan}, "momentum is nan: give a number of 0 or more, below 1."),
        ({"beta1": 1.0}, "beta1 is 1.0: give a number of 0 or more, below 1."),
        ({"beta2": -0.1}, "beta2 is -0.1: give a number of 0 or more, below 1."),
        ({"weight_decay": -1.0}, "weight-decay is -1.0: give a finite number of 0 or more."),
        ({"clip_norm": 0.0}, "clip-norm is 0.0: give a finite number above 0, or None."),
        (
            {"warmup_steps": -1},
            "warmup-steps is -1: give 0 or more steps, or from 0.0 to 1.0 of --steps.",
        ),
        (
            {"schedule": "cosine", "warmup_steps": 9, "decay_steps": 9},
            "decay-steps is 9: give a number above --optimizer.warmup-steps.",
        ),
        (
            {"schedule": "linear", "warmup_steps": 9, "decay_steps": 5},
            "decay-steps is 5: give a number above --optimizer.warmup-steps.",
        ),
        ({"end_fraction": 1.5}, "end-fraction is 1.5: give a number from 0 to 1."),
        ({"end_fraction": -0.1}, "end-fraction is -0.1: give a number from 0 to 1."),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(values, message):
    with pytest.raises(UserError) as error:
        OptimizerConfig(**values)
    assert str(error.value) == f"--optimizer.{message}"


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("name", "name is adam: give adamw, muon or sgd."),
        ("schedule", "schedule is adam: give constant, cosine or linear."),
    ],
)
def test_an_unknown_name_is_an_error_without_a_type_checker_too(field, message):
    """Under test one stands before __init__, so the instance is made without it."""
    config = object.__new__(OptimizerConfig)
    object.__setattr__(config, field, "adam")
    with pytest.raises(UserError) as error:
        config.__post_init__()
    assert str(error.value) == f"--optimizer.{message}"


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
@pytest.mark.parametrize("warmup", [0, 5])
def test_the_rate_that_is_told_is_the_one_that_is_used(schedule, warmup):
    config = OptimizerConfig(
        learning_rate=0.3, schedule=schedule, warmup_steps=warmup, decay_steps=17, end_fraction=0.2
    )
    used = make_schedule(config)
    for step in (0, 1, 4, 5, 11, 17, 40):
        assert config.rate(step) == pytest.approx(float(used(step)), rel=1e-5, abs=1e-8)


def test_lengths_may_be_parts_of_a_run():
    parts = OptimizerConfig(schedule="cosine", warmup_steps=0.05, decay_steps=1.0)
    assert parts.in_steps(200) == OptimizerConfig(
        schedule="cosine", warmup_steps=10, decay_steps=200
    )
    with pytest.raises(UserError, match=r"is a part of --steps.*in_steps"):
        make_schedule(parts)
    experiment = find_preset("gpt-python").experiment
    short = replace(experiment, steps=40, optimizer=replace(parts, learning_rate=0.5))
    rates = [float(make_schedule(short.optimizer)(step)) for step in (0, 1, 2, 40)]
    np.testing.assert_allclose(rates, [0, 0.25, 0.5, 0.05], rtol=1e-6)
    # A run that is gone on with has the schedule of its start.
    assert replace(short, steps=80).optimizer == short.optimizer
    for wrong in (1.5, -0.1):
        with pytest.raises(UserError, match=r"--optimizer\.decay-steps is"):
            replace(parts, decay_steps=wrong)
    with pytest.raises(UserError, match=r"a number above --optimizer\.warmup-steps"):
        replace(parts, warmup_steps=0.5, decay_steps=0.5)
