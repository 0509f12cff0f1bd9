"""The rows of a convolution against a walk over each of its forms, value and gradients."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.costs.convolution import Axis, convolution, same_axis
from jaxgen.costs.table import Table
from jaxgen.costs.walk.count import count
from jaxgen.equations.convolution import FORMS


def rows(native, gradients, *, B, height, width, C, out, K, stride):
    """The rows of one convolution with a square kernel."""
    sizes = {"B": B, "H0": height, "W0": width, "C0": C, "C1": out, "K": K}
    for size, pairs in ("HM", "WN"):
        sizes[f"{size}1"], sizes[f"{pairs}1"] = same_axis(sizes[f"{size}0"], K, stride)
    found = convolution(
        "convolution", sizes, image="H0·W0", channels=("C0", "C1"), places="H1·W1", kernel="K·K",
        pairs="M1·N1", native=native, gradients=gradients,
    )  # fmt: skip
    return Table("convolution", tuple(found))


def test_an_axis_by_hand():
    """Of 5 pixels with a kernel of 3 every place has all three under it but the first and the last."""
    assert same_axis(5, 3, 1) == Axis(places=5, pairs=3 * 3 + 2 + 2)
    assert same_axis(5, 3, 2) == Axis(places=3, pairs=2 + 3 + 2)  # pixels 0 1, 1 2 3, 3 4
    assert same_axis(4, 3, 2) == Axis(places=2, pairs=3 + 2)  # the zero stands behind
    assert same_axis(5, 1, 3) == Axis(places=2, pairs=2)
    assert same_axis(1, 5, 2) == Axis(places=1, pairs=1)


SIZES = {"B": 2, "height": 5, "width": 7, "C": 3, "out": 11, "K": 3, "stride": 2}


def test_the_row_by_hand():
    """2·B·9·(3·4)·3·11 as patches; the native form has 7 pairs of 3·3 along 5 pixels, 10 along 7."""
    for native, kind, products in ((False, "matmul", 9 * 3 * 4), (True, "convolution", 7 * 10)):
        row = rows(native, ("input", "kernel"), **SIZES).rows[0]
        assert row.kind == kind and row.contracted == ("K", "K", "C0")
        assert row.flops("forward") == 2 * 2 * products * 3 * 11
        assert row.flops("backward") == 2 * row.flops("forward")
        assert row.value(row.parameters) == 3 * 3 * 3 * 11
        # the kernel is read, the result written; then kernel and result are read, a gradient written
        kernel, result = 4 * 3 * 3 * 3 * 11, 4 * 2 * 3 * 4 * 11
        assert row.least_bytes("forward") == kernel + result
        assert row.least_bytes("backward") == 2 * kernel + result
        assert row.value(row.activation_bytes) == result


@pytest.mark.parametrize("form", ["patches", "native", "auto"])
@settings(max_examples=20, deadline=None)
@given(st.tuples(*(st.integers(1, most) for most in (3, 9, 9, 4, 5, 5, 3))))
def test_the_rows_are_what_is_walked(form, values):
    sizes = dict(zip(SIZES, values, strict=True))
    B, height, width, C, out, K, stride = values
    image = jax.ShapeDtypeStruct((B, height, width, C), jnp.float32)
    kernel = jax.ShapeDtypeStruct((K, K, C, out), jnp.float32)

    def value(image, kernel):
        return FORMS[form](image, kernel, stride, "same")

    def summed(image, kernel):
        return jnp.sum(value(image, kernel) ** 2)

    both = rows(form == "native", ("input", "kernel"), **sizes)
    walked = count(value, image, kernel)
    assert walked.matmul_flops == both.flops("forward")
    walked = count(jax.grad(summed, (0, 1)), image, kernel)
    assert walked.matmul_flops == both.matmul_flops
    assert walked.uncounted == frozenset() and walked.notes == frozenset()
    walked = count(jax.grad(summed, 1), image, kernel)
    assert walked.matmul_flops == rows(form == "native", ("kernel",), **sizes).matmul_flops


def test_gradients_of_patches_are_added_where_the_image_has_one():
    """A sum of nine images of 5 x 7 is eight additions."""
    (row,) = rows(False, ("input", "kernel"), **SIZES).rows[1:]
    assert (row.flops("forward"), row.flops("backward")) == (0, 8 * 2 * 5 * 7 * 3)
    assert len(rows(False, ("kernel",), **SIZES).rows) == 1
    assert len(rows(True, ("input", "kernel"), **SIZES).rows) == 1
