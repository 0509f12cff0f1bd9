"""The tables against a walk over the jaxpr of the real steps, exactly; and against XLA's count."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.costs.table import CONTRACTIONS
from jaxgen.costs.walk.count import CountError, count, xla_flops
from jaxgen.data import ImageSpec
from jaxgen.devices.choose import make_plan
from jaxgen.experiments.registry import find_preset
from jaxgen.families.gan.objective import choose_losses, make_gan_losses
from jaxgen.families.language.costs import language_step
from jaxgen.families.vae.objective import make_vae_loss
from jaxgen.models.conv_vae.config import ConvVAEConfig
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.models.gpt.model import GPT
from jaxgen.models.gru.config import GRUConfig
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.models.two_layer_vae.config import TwoLayerVAEConfig
from jaxgen.training.config import OptimizerConfig

GPT_PYTHON, VAE_DIGITS, GAN_DIGITS = (
    find_preset(name).experiment for name in ("gpt-python", "vae-digits", "gan-digits")
)
DIGITS = ImageSpec(8, 8, 1, 10)
ODD = ImageSpec(5, 7, 3, None)
# Sizes of which no two are equal, so that a swapped letter must show.
SMALL_GPT = {"num_layers": 2, "num_heads": 3, "model_size": 18, "hidden_size": 29}


def parameters(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def assert_equal(step):
    walked = count(step.task.step, step.state, step.batch)
    assert walked.matmul_flops == step.table.matmul_flops
    assert walked.uncounted == frozenset() and walked.notes == frozenset()
    assert step.table.parameters == parameters(step.state.params)
    return walked


EXPERIMENTS = {
    "gpt": lambda text: (GPT_PYTHON, text(103)),
    "gpt-2 form": lambda text: (replace(GPT_PYTHON, model=GPTConfig()), text(103)),
    "gpt, chunked": lambda text: (replace(GPT_PYTHON, loss_chunk=128), text(103)),
    "gpt, recomputed": lambda text: (replace(GPT_PYTHON, model=modern_gpt(remat=True)), text(103)),
    "vae": lambda text: (VAE_DIGITS, DIGITS),
    # Without dropout: XLA counts the integer work that makes its random bits, here 2 % of the step.
    "gan": lambda text: (
        replace(GAN_DIGITS, model=MLPGANConfig(discriminator_dropout=0.0)),
        DIGITS,
    ),
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_s_step_is_its_table_and_xla_agrees_within_two_percent(
    name, step_of, text_spec
):
    step = step_of(*EXPERIMENTS[name](text_spec))
    walked = assert_equal(step)
    theirs = xla_flops(step.task.step, step.state, step.batch)
    # Steps without a loop: XLA's count is right there. It adds random bits and casts.
    assert walked.flops_like_xla == pytest.approx(theirs, rel=0.02)
    # The code does all that the mathematics asks, and little more: stable forms of the same.
    assert 1 <= walked.elementwise_flops / step.table.elementwise_flops < 1.4


def test_the_gan_as_it_stands_is_its_table(step_of):
    assert_equal(step_of(GAN_DIGITS, DIGITS))


@pytest.mark.parametrize(
    "loss, smoothing, dropout",
    [
        ("non-saturating", "none", 0.3),
        ("non-saturating", "one-sided", 0.0),
        ("non-saturating", "two-sided", 0.0),
        ("saturating", "none", 0.0),
        ("saturating", "two-sided", 0.3),
        ("wasserstein", "none", 0.0),
    ],
)
def test_gan_step_under_every_loss(loss, smoothing, dropout, step_of):
    model = MLPGANConfig(7, (11, 13), (17, 5), dropout)
    assert_equal(
        step_of(
            replace(GAN_DIGITS, batch_size=6, model=model, loss=loss, label_smoothing=smoothing),
            ODD,
        )
    )


@pytest.mark.parametrize(
    "loss, k, ema_decay", [("non-saturating", 2, 0.9), ("wasserstein", 5, None)]
)
def test_gan_step_of_several_discriminator_updates(loss, k, ema_decay, step_of):
    model = MLPGANConfig(7, (11, 13), (17, 5), 0.3)
    gan = replace(
        GAN_DIGITS, batch_size=6, model=model, loss=loss, discriminator_steps=k, ema_decay=ema_decay
    )
    step, once = (step_of(replace(gan, discriminator_steps=n), ODD) for n in (k, 1))
    assert step.batch["image"].shape[0] == 6 * k
    walked = assert_equal(step)
    assert 1 <= walked.elementwise_flops / step.table.elementwise_flops < 1.4
    of_updates = sum(
        row.flops()
        for row in once.table.rows
        if row.name.startswith("D update") and row.kind in CONTRACTIONS
    )
    assert step.table.matmul_flops == once.table.matmul_flops + (k - 1) * of_updates


VAES = {
    "grey": {"binarise": "grey"},
    "threshold": {"binarise": "threshold"},
    "drawn once": {"binarise": "once"},
    "drawn anew": {"binarise": "draw", "kl": "sampled"},
    "fixed": {"likelihood": "gaussian-fixed", "kl_warmup": 5},
    "learned": {"likelihood": "gaussian-learned", "free_bits": 0.1},
    "pixel": {"likelihood": "gaussian-pixel", "samples": 3},
    "logistic": {"likelihood": "logistic", "levels": 9, "estimator": "iwae", "samples": 4},
    "categorical": {"likelihood": "categorical", "levels": 5, "estimator": "dreg", "samples": 4},
}


@pytest.mark.parametrize("name", VAES)
def test_vae_step_with_every_likelihood_and_estimator(name, step_of):
    fields = {"binarise": "no"} | VAES[name]
    model = MLPVAEConfig((17, 11), 3)
    step = step_of(replace(VAE_DIGITS, batch_size=6, model=model, **fields), ODD)
    walked = assert_equal(step)
    assert 0.9 <= walked.elementwise_flops / step.table.elementwise_flops < 2.5


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    "model",
    [
        TwoLayerVAEConfig((17, 11), 3, (13,), 2),
        ConvVAEConfig((5, 7), 3, 11, 2),
        MLPVAEConfig((), 3),
    ],
)
def test_vae_step_of_every_model(model, samples, step_of):
    vae = replace(VAE_DIGITS, batch_size=6, model=model, samples=samples, estimator="iwae")
    assert_equal(step_of(vae, ImageSpec(8, 12, 3, None)))


FLAVOURS = {
    "positions": ["learned", "rotary"],
    "norm": ["layer", "rms"],
    "activation": ["gelu", "squared-relu"],
    "query_key_norm": [False, True],
    "use_bias": [True, False],
    "tied_head": [True, False],
    "dropout": [0.0, 0.1],
    "remat": [False, True],
    "compute_dtype": ["float32", "bfloat16"],
}


@pytest.mark.parametrize("field, value", [(k, v) for k, vs in FLAVOURS.items() for v in vs[1:]])
def test_gpt_step_in_every_flavour(field, value, step_of, text_spec):
    model = GPTConfig(max_seq_len=11, **SMALL_GPT, **{field: value})
    experiment = replace(GPT_PYTHON, batch_size=5, seq_len=7, model=model)
    assert_equal(step_of(experiment, text_spec(23)))


@settings(max_examples=4, deadline=None)
@given(
    st.tuples(*(st.integers(1, most) for most in (5, 5, 2, 3, 4, 9, 9))),
    st.tuples(*(st.sampled_from(values) for values in FLAVOURS.values())),
)
def test_gpt_step_of_any_size(step_of, text_spec, sizes, flavour):
    B, T, L, N, half, F, V = sizes
    model = GPTConfig(L, N, 2 * half * N, F, T + 1, **dict(zip(FLAVOURS, flavour, strict=True)))
    assert_equal(step_of(replace(GPT_PYTHON, batch_size=B, seq_len=T, model=model), text_spec(V)))


def test_gru_step(step_of, text_spec):
    """The loop over time multiplied by its trips, forward and backward, with either optimiser."""
    gru = find_preset("gru-shakespeare").experiment
    for optimizer in (gru.optimizer, OptimizerConfig()):
        small = replace(
            gru,
            batch_size=5,
            seq_len=7,
            stateful=False,
            model=GRUConfig(13, 17),
            optimizer=optimizer,
        )
        assert_equal(step_of(small, text_spec(23)))


def test_xla_counts_one_time_of_a_gru_and_no_other_difference_is_left(step_of, text_spec):
    """Two of the state's three products, and the gates, are in loops, by which XLA does not multiply.

    Nor by Muon's five steps: with these too it counts 0.3 of the FLOPs of `gru-shakespeare`.
    """
    B, T, H = 31, 20, 67
    gru = find_preset("gru-shakespeare").experiment
    sizes = {"batch_size": B, "seq_len": T, "model": GRUConfig(41, H)}
    step = step_of(
        replace(gru, **sizes, optimizer=OptimizerConfig(), stateful=False), text_spec(53)
    )
    walked = assert_equal(step)
    (gates,) = (row.flops() for row in step.table.rows if row.name == "gates")
    in_loops = 2 * (2 * B * T * H * 3 * H) + gates
    theirs = xla_flops(step.task.step, step.state, step.batch)
    assert theirs < 0.8 * walked.matmul_flops
    assert walked.flops_like_xla - in_loops * (T - 1) / T == pytest.approx(theirs, rel=0.02)


widths = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 7), widths, st.integers(1, 5))
def test_vae_step_of_any_size(step_of, B, hidden, Z):
    model = MLPVAEConfig(hidden, Z)
    assert_equal(step_of(replace(VAE_DIGITS, batch_size=B, model=model, binarise="grey"), ODD))


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 7), widths, widths, st.integers(1, 5))
def test_gan_step_of_any_size(step_of, B, generator, discriminator, Z):
    model = MLPGANConfig(Z, generator, discriminator)
    assert_equal(step_of(replace(GAN_DIGITS, batch_size=B, model=model), ODD))


def test_gpt_forward_pass_is_the_table_s():
    for config in (GPTConfig(max_seq_len=7, **SMALL_GPT), modern_gpt(max_seq_len=7, **SMALL_GPT)):
        model, tokens = GPT(config, 23), jax.ShapeDtypeStruct((5, 7), jnp.int32)
        params = jax.eval_shape(model.init, jax.random.key(0), tokens)
        table = language_step(
            config, OptimizerConfig(), batch_size=5, seq_len=7, vocab_size=23, ema=False
        )  # fmt: skip
        assert count(model.apply, params, tokens).matmul_flops == table.flops(
            "forward", CONTRACTIONS
        )


def test_vae_and_gan_forward_passes_are_the_tables(step_of):
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 6))
    vae = replace(VAE_DIGITS, batch_size=6, model=MLPVAEConfig((17, 11), 3), binarise="grey")
    step = step_of(vae, ODD)
    loss = make_vae_loss(vae.model.make(ODD.shape), "grey")
    walked = count(loss, step.state.params, None, step.batch, keys)
    assert walked.matmul_flops == step.table.flops("forward", CONTRACTIONS)

    gan = replace(GAN_DIGITS, batch_size=6, model=MLPGANConfig(7, (11, 13), (17, 5)))
    step = step_of(gan, ODD)
    players = gan.model.make(ODD.shape)
    losses = make_gan_losses(*players, choose_losses("non-saturating", "none"))
    G, D = step.state.params["generator"], step.state.params["discriminator"]
    walked = count(losses["discriminator"], D, G, None, step.batch, keys)
    walked += count(losses["generator"], G, D, None, step.batch, keys)
    assert walked.matmul_flops == step.table.flops("forward", CONTRACTIONS)


def test_gpt2_124m(step_of, text_spec):
    """The published size, by shapes alone: 124,439,808 parameters (Radford et al. 2019's smallest)."""
    # The form that computes the whole square, as the table counts it; auto leaves blocks out here.
    model = GPTConfig(12, 12, 768, 3072, 1024, attention="literal")
    step = step_of(replace(GPT_PYTHON, batch_size=8, seq_len=1024, model=model), text_spec(50257))
    assert_equal(step)
    assert step.table.parameters == 124_439_808
    assert step.table.matmul_flops == 8 * 1024 * 854_438_400


def test_the_dispatched_program_needs_its_trip_count_and_then_is_so_many_steps(step_of):
    experiment = replace(VAE_DIGITS, batch_size=6, model=MLPVAEConfig((17,), 3))
    data = experiment.load()
    step = step_of(experiment, data.spec)
    arrays = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), data.train.arrays)
    indices = jax.ShapeDtypeStruct((4, 6), jnp.int32)
    arguments = (step.state, arrays, indices, jax.ShapeDtypeStruct((), jnp.int32))
    plan = make_plan("jit", None, batch_size=6)
    dispatch = plan.dispatch(step.task.step, data.train.take, 4, step.state)
    with pytest.raises(CountError, match="while: how often this loop runs depends on data"):
        count(dispatch, *arguments)
    for trips in (1, 4):
        walked = count(dispatch, *arguments, while_trips=[trips])
        assert walked.matmul_flops == trips * step.table.matmul_flops
    theirs = xla_flops(dispatch, *arguments)
    one = step.table.matmul_flops
    assert one < theirs < 2 * one, "XLA counts the loop's body once, whatever the count is"
    single = plan.dispatch(step.task.step, data.train.take, 1, step.state)
    indices = jax.ShapeDtypeStruct((1, 6), jnp.int32)
    assert count(single, step.state, arrays, indices, 1).matmul_flops == one


def test_optimizer_rows_follow_the_config(step_of):
    sizes = {}
    for clip, decay in itertools.product((None, 1.0), (0.0, 0.1)):
        optimizer = OptimizerConfig(clip_norm=clip, weight_decay=decay)
        step = step_of(
            replace(VAE_DIGITS, batch_size=6, optimizer=optimizer, model=MLPVAEConfig((17,), 3)),
            DIGITS,
        )
        sizes[clip, decay] = step.table.flops("update")
        walked = assert_equal(step)
        assert 1 <= walked.elementwise_flops / step.table.elementwise_flops < 1.5
    P = step.table.parameters
    biases = 17 + 2 * 3 + 17 + 64
    assert sizes[None, 0.0] == 19 * P  # Adam 14, the norm that is reported 2, the guard 3
    assert sizes[1.0, 0.0] == 22 * P
    assert sizes[None, 0.1] == 19 * P + 2 * (P - biases)


SMALL = {
    "gpt": lambda text: (
        replace(
            GPT_PYTHON,
            batch_size=6,
            seq_len=7,
            model=GPTConfig(max_seq_len=11, **SMALL_GPT, dropout=0.1),
        ),
        text(23),
    ),
    "vae": lambda text: (
        replace(VAE_DIGITS, batch_size=6, model=MLPVAEConfig((17, 11), 3), binarise="draw"),
        ODD,
    ),
    "gan": lambda text: (
        replace(GAN_DIGITS, batch_size=6, model=MLPGANConfig(7, (11, 13), (17, 5), 0.3)),
        ODD,
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_moving_average_costs_a_row_and_no_matmul(name, step_of, text_spec):
    experiment, spec = SMALL[name](text_spec)
    without, averaged = (
        step_of(experiment, spec),
        step_of(replace(experiment, ema_decay=0.99), spec),
    )
    P = without.table.parameters
    assert parameters(averaged.state.ema) == P
    extra = assert_equal(averaged).elementwise_flops - assert_equal(without).elementwise_flops
    # a product with each of two constants, a sum, and the guard's selection
    assert extra == 4 * P == averaged.table.flops("update") - without.table.flops("update")


@pytest.mark.parametrize("name", SMALL)
def test_a_batch_in_pieces_costs_the_same_matmuls(name, step_of, text_spec):
    """A loop over pieces whose trips are known: the table prices the whole batch, as does the walk."""
    experiment, spec = SMALL[name](text_spec)
    whole, cut = (step_of(replace(experiment, accumulate=pieces), spec) for pieces in (1, 2))
    assert cut.table == whole.table
    more = assert_equal(cut).elementwise_flops - assert_equal(whole).elementwise_flops
    # Each piece's gradients are added to the sum, which is divided. Beside that a GAN's discriminator
    # adds those on real and on generated images in each piece; a bias's is a sum over fewer examples.
    P = whole.table.parameters
    assert abs(more - 3 * P) < 0.5 * P
