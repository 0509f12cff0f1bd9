"""Each optimiser's rows: by hand, and against a walk over the jaxpr of real steps, exactly."""

from dataclasses import replace

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.costs.optimizers import ITERATIONS, optimizer_rows
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Row, Table
from jaxgen.costs.walk.count import count
from jaxgen.data import ImageSpec
from jaxgen.equations import optimization
from jaxgen.families.gan.family import GAN
from jaxgen.families.language.family import Language
from jaxgen.families.vae.family import VAE
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.config import OptimizerConfig

ODD = ImageSpec(5, 7, 3, None)
# Sizes of which no two are equal, so that a swapped letter must show; 3 heads of 6.
SMALL_GPT = {
    "num_layers": 2, "num_heads": 3, "model_size": 18, "hidden_size": 29, "max_seq_len": 11,
}  # fmt: skip
OPTIMIZERS = {
    "adamw": OptimizerConfig(),
    "adamw, everything": OptimizerConfig(clip_norm=1.0, weight_decay=0.1),
    "sgd": OptimizerConfig("sgd"),
    "sgd, plain": OptimizerConfig("sgd", momentum=0.0),
    "sgd, everything": OptimizerConfig("sgd", clip_norm=1.0, weight_decay=0.1),
    "muon": OptimizerConfig("muon"),
    "muon, everything": OptimizerConfig("muon", clip_norm=1.0, weight_decay=0.1),
}


def layer() -> list[Row]:
    """Seven layers of 3 by 5 with a bias, a table of 2 by 3 and a head of 3 by 2."""
    sizes = {"B": 2, "D": 3, "F": 5, "L": 7, "V": 2}
    return [
        matmul("in", sizes, "B·D·F", "D", result="B·F", repeats="L", kernel="D·F"),
        elementwise("bias", sizes, "L·B·F", 1, 1, parameters="L·F"),
        Row("table", "elementwise", sizes, parameters="V·D", is_table=True),
        matmul("head", sizes, "B·D·V", "D", result="B·V", kernel="D·V", hidden=False),
    ]


def update(config, **options) -> Table:
    return Table("update", tuple(optimizer_rows(layer(), config, **options)))


P, W, Q = 7 * 15 + 7 * 5 + 6 + 6, 7 * 15 + 6 + 6, 7 * 15


def test_adam_by_hand():
    """Seven arrays a parameter: reads g, p, m, v and writes p, m, v; 14 FLOPs."""
    table = update(OptimizerConfig(clip_norm=1.0, weight_decay=0.1))
    assert {letter: table.sizes[letter] for letter in "PW"} == {"P": P, "W": W}
    # norm, clipping, Adam, and a selection for each of the three arrays that the guard keeps
    assert table.flops("update") == table.flops() == (2 + 3 + 14 + 3) * P + 2 * W
    assert table.least_bytes() == 4 * P * (7 + 1)  # clipping reads the gradient once before
    assert table.state_bytes == 8 * P and table.matmul_flops == 0
    plain = update(OptimizerConfig(), suffix="D")
    assert plain.flops() == (2 + 14 + 3) * P and plain.least_bytes() == 28 * P
    assert plain.sizes == {"PD": P, "WD": W}
    # of the average two products, a sum and a selection; read and written
    averaged = update(OptimizerConfig(), ema=True)
    assert averaged.flops() == 23 * P and averaged.least_bytes() == 28 * P + 8 * P
    assert averaged.state_bytes == 8 * P


def test_sgd_by_hand():
    """Reads g, p, m and writes p, m; μ m + g, rate · m, p − that; the norm, and two selections."""
    table = update(OptimizerConfig("sgd"))
    assert table.flops() == (2 + 4 + 2) * P and table.least_bytes() == 20 * P
    assert table.state_bytes == 4 * P
    plain = update(OptimizerConfig("sgd", momentum=0.0))
    assert plain.flops() == (2 + 2 + 1) * P and plain.least_bytes() == 12 * P
    assert plain.state_bytes == 0


def test_muon_by_hand():
    """Seven matrices of 3 by 5: A = X Xᵀ is 3 by 3 and costs 2·45, A² 2·27, B X 2·45; five times."""
    table = update(OptimizerConfig("muon"))
    assert table.matmul_flops == 7 * 5 * (90 + 54 + 90)
    assert table.sizes["Q"] == Q and table.sizes["A"] == 7 * 9
    assert table.state_bytes == 4 * Q + 8 * (P - Q)
    # of a number: momentum 2, look-ahead 2, norm 2, division, scale, rate and update 2, then a·X + (·)
    # five times; of an entry of A: b·A + c·A² five times
    muon, adam = (10 + 5 * 2) * Q + 5 * 3 * 7 * 9, 14 * (P - Q)
    guard = 2 * Q + 3 * (P - Q)
    assert table.elementwise_flops == 2 * P + muon + adam + guard
    # X: read by X Xᵀ and by B X five times, written four times; A and B: written and read five times
    products = 4 * 7 * ((5 * 2 + 4) * 15 + 5 * 4 * 9)
    assert table.least_bytes() == 4 * 6 * Q + products + 28 * (P - Q)


def test_rows_are_named_by_optimiser_and_by_what_they_update():
    names = [row.name for row in update(OptimizerConfig("muon"), name="G update").rows]
    assert names == [
        "G update: Muon: gradient norm", "G update: Muon: momentum and update",
        "G update: Muon: orthogonalise in", "G update: Muon: Adam of the rest",
        "G update: Muon: guard",
    ]  # fmt: skip
    (product,) = (row for row in update(OptimizerConfig("muon")).rows if row.kind == "matmul")
    assert product.update.flops == "5·L·(4·min(D, F)·D·F + 2·min(D, F)·min(D, F)·min(D, F))"


def test_the_iterations_are_those_of_the_equation():
    assert ITERATIONS == optimization.ITERATIONS


def assert_equal(step):
    """Matmuls and memory exactly; what is elementwise, up to stable forms of the same."""
    walked = count(step.task.step, step.state, step.batch)
    assert walked.matmul_flops == step.table.matmul_flops
    assert walked.uncounted == frozenset() and walked.notes == frozenset()
    P = sum(leaf.size for leaf in jax.tree.leaves(step.state.params))
    assert step.table.parameters == P
    moments = [leaf for leaf in jax.tree.leaves(step.state.opt_state) if leaf.ndim]
    assert step.table.state_bytes == sum(leaf.size * leaf.dtype.itemsize for leaf in moments)
    return walked


def small(family, config, text_spec):
    if family == "vae":
        return VAE(batch_size=6, model=MLPVAEConfig((17, 11), 3), optimizer=config), ODD
    if family == "gan":
        model = MLPGANConfig(7, (11, 13), (17, 5))
        # The generator's optimiser is another one: letters and rows of both stay apart.
        return GAN(
            batch_size=6, model=model, discriminator_optimizer=config, generator_optimizer=(
                OptimizerConfig("sgd") if config.name == "muon" else OptimizerConfig("muon")
            ),
        ), ODD  # fmt: skip
    form = modern_gpt if family == "modern gpt" else GPTConfig
    return Language(batch_size=5, seq_len=7, model=form(**SMALL_GPT), optimizer=config), text_spec(
        23
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("family", ["gpt", "modern gpt", "vae", "gan"])
def test_a_step_is_its_table_under_every_optimiser(family, optimizer, step_of, text_spec):
    """A tied head and one of its own, heads, biases, two layers; two players with two optimisers."""
    config = OPTIMIZERS[optimizer]
    experiment, spec = small(family, config, text_spec)
    step = step_of(experiment, spec)
    walked = assert_equal(step)
    # Stable forms of the same, and the optimiser's signs and scales: some operations a parameter
    # more, and as many again for the clipping.
    more = walked.elementwise_flops - step.table.elementwise_flops
    assert 0 <= more < 10 * step.table.parameters + 0.2 * step.table.elementwise_flops


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_a_second_update_of_the_discriminator_has_the_same_moments(optimizer, step_of):
    config = OptimizerConfig(optimizer)
    model = MLPGANConfig(7, (11, 13), (17, 5))
    experiment = GAN(
        batch_size=6, model=model, discriminator_optimizer=config, generator_optimizer=config
    )
    one = step_of(experiment, ODD)
    two = experiment.costs(ODD), replace(experiment, discriminator_steps=2).costs(ODD)
    assert two[1].state_bytes == two[0].state_bytes and two[1].parameters == two[0].parameters
    assert two[1].matmul_flops > two[0].matmul_flops == one.table.matmul_flops


@settings(max_examples=6, deadline=None)
@given(
    st.tuples(*(st.integers(1, most) for most in (2, 3, 4, 40))),
    st.booleans(),
    st.booleans(),
)
def test_muon_s_step_of_any_size_is_its_table(step_of, text_spec, sizes, tied_head, use_bias):
    """Feed-forward layers wider and narrower than the model, and one head or more."""
    L, N, half, F = sizes
    model = GPTConfig(L, N, 2 * half * N, F, 4, tied_head=tied_head, use_bias=use_bias)
    config = OptimizerConfig("muon", weight_decay=0.1)
    assert_equal(
        step_of(Language(batch_size=2, seq_len=3, model=model, optimizer=config), text_spec(5))
    )


def test_muon_s_memory_and_work_at_gpt2_size(text_spec):
    """By shapes alone. Of 124,439,808 parameters 84,934,656 are in hidden matrices."""
    model = GPTConfig(12, 12, 768, 3072, 1024)
    experiment = Language(
        batch_size=8, seq_len=1024, model=model, optimizer=OptimizerConfig("muon")
    )
    table, plain = (
        replace(experiment, optimizer=OptimizerConfig(name)).costs(text_spec(50257))
        for name in ("muon", "adamw")
    )
    matrices = 12 * (4 * 768**2 + 2 * 768 * 3072)
    assert table.sizes["Q"] == matrices == 84_934_656
    assert table.state_bytes == 8 * 124_439_808 - 4 * matrices
    assert plain.state_bytes == 8 * 124_439_808
    # 4 of 768 by 768 and 2 of 768 by 3072 a layer
    work = 12 * 5 * (4 * 6 + 2 * (4 * 4 + 2)) * 768**3
    assert table.matmul_flops - plain.matmul_flops == work
    assert work / plain.matmul_flops == pytest.approx(0.233, abs=1e-3)
