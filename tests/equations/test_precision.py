import jax
import jax.numpy as jnp

from jaxgen.equations.precision import widen


def test_widen_brings_narrow_numbers_to_float32_unchanged():
    x = jnp.asarray([1.5, -256.0], jnp.bfloat16)
    assert widen(x).dtype == jnp.float32
    assert widen(x).tolist() == [1.5, -256.0]


def test_widen_makes_a_sum_exact_that_bfloat16_rounds():
    ones = jnp.ones(1, jnp.bfloat16)
    assert float((ones * 256 + ones)[0]) == 256.0
    assert float((widen(ones) * 256 + widen(ones))[0]) == 257.0


def test_widen_leaves_float64_alone():
    with jax.enable_x64(True):
        assert widen(jnp.asarray([0.1], jnp.float64)).dtype == jnp.float64
