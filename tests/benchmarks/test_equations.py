"""Every equation measured; what the three forms of attention compute, by hand."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.ledger import attention, equations
from jaxgen.catalog import EQUATIONS
from jaxgen.catalog.attention import causal_attention_costs
from jaxgen.costs.walk.count import count

SAMPLE = {i: EQUATIONS[i] for i in [*list(EQUATIONS)[::6], "gan.generator", "diffusion.process"]}


@pytest.mark.first
def test_equations_are_measured_beside_their_mathematics(allow_nans, monkeypatch):
    """Normal numbers are no levels of noise: the root of a negative one is NaN, and takes as long.

    A sample of them: tests/catalog/test_costs.py compares all with what is walked.
    """
    monkeypatch.setattr(equations, "EQUATIONS", SAMPLE)
    rows = equations.run_equations(short=True)
    assert [row["case"].split(" ")[0] for row in rows] == list(SAMPLE)
    for row in rows:
        assert row["walk_flops"] == row["mathematics_flops"]
        assert 0 < row["low_seconds"] <= row["median_seconds"] <= row["high_seconds"]
        assert row["least_bytes"] > 0 and row["xla_flops"] >= row["mathematics_flops"]
    generator = next(row for row in rows if "gan.generator" in row["case"])
    assert "(B 64, Z 64, G1 512, X 784)" in generator["case"]
    # Both layers forward, and by their kernel and their input.
    assert generator["mathematics_flops"] == 3 * 2 * 64 * (64 * 512 + 512 * 784)


def test_a_program_gives_the_value_and_every_gradient():
    """x² e^(...) would be no test of signs: σ = 2, so z = μ + 2 ε has gradients 1, ε and 2."""
    function, shapes = equations.program(EQUATIONS["vae.reparameterisation"], {"B": 3, "X": 2})
    mean, noise = jnp.arange(6.0).reshape(3, 2), jnp.linspace(-1.0, 1.0, 6).reshape(3, 2)
    given = {"mean": mean, "log_variance": jnp.full((3, 2), 2 * jnp.log(2.0)), "noise": noise}
    assert set(given) == set(shapes)
    value, gradients = equations.with_gradients(function)(given, jnp.ones((3, 2)))
    np.testing.assert_allclose(value, mean + 2 * noise, rtol=1e-6)
    np.testing.assert_allclose(gradients["mean"], np.ones((3, 2)), rtol=1e-6)
    np.testing.assert_allclose(gradients["log_variance"], noise, rtol=1e-6)
    np.testing.assert_allclose(gradients["noise"], np.full((3, 2), 2.0), rtol=1e-6)


def test_whole_numbers_have_no_gradient():
    function, shapes = equations.program(EQUATIONS["lm.cross-entropy"], {"B": 2, "T": 3, "V": 5})
    assert shapes["targets"].dtype == jnp.int32
    result = jax.ShapeDtypeStruct((2,), jnp.float32)
    _, gradients = jax.eval_shape(equations.with_gradients(function), shapes, result)
    assert list(gradients) == ["logits"]


def walked(form, causal, length):
    shapes = jax.eval_shape(lambda: attention.arguments(1, length, 64))
    return count(attention.make_program(form, causal), *shapes).matmul_flops


@pytest.mark.parametrize("length", [256, 1024, 2048])
def test_what_each_form_computes_of_the_square(length):
    """Literal and fused the square, three times two products; blockwise the scores once more.

    Causal, blocks of 256 above the diagonal are left out, and those on it are computed whole.
    """
    sizes = {"B": 1, "T": length, "S": length, "H": 64, "U": 64}
    square = EQUATIONS["attention.scaled-dot-product"].costs(sizes).matmul_flops
    assert square == 6 * (2 * length**2 * 64)
    for causal in (False, True):
        assert walked("literal", causal, length) == walked("fused", causal, length) == square
    blocks = length // 256
    seen = sum(1 for i in range(blocks) for j in range(blocks) if j <= i)
    assert walked("blockwise", False, length) * 6 == square * 7
    assert (
        walked("blockwise", True, length) * blocks**2 == walked("blockwise", False, length) * seen
    )
    assert causal_attention_costs(sizes).matmul_flops * 2 * length == square * (length + 1)


def test_a_step_s_costs_need_no_catalogue():
    """Nor jax, which the catalogue imports: `python -m benchmarks costs vae-digits` answers at once."""
    program = (
        "import sys; from benchmarks.ledger.costs import print_costs\n"
        "print_costs(['vae-digits'])\n"
        "assert not {'jaxgen.catalog', 'jax'} & set(sys.modules), 'the catalogue came along'"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "matmul and convolution FLOPs" in done.stdout
